"""What a preset's keys may be, in words: for the sentences that errors are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from layerctl.preset.sections import Preset

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def schema() -> Mapping[str, Any]:
    """Return the JSON Schema of a preset file, every key described."""
    content = Preset.model_json_schema()
    return {"$schema": SCHEMA_DIALECT, **content, "title": "layerctl preset"}


@cache
def keys() -> Mapping[str, Mapping[str, Any]]:
    """Return the schema of every key by its dotted name, "decompose.layers" for one."""
    return dict(_leaves(schema()["properties"]))


@cache
def sections() -> frozenset[str]:
    """Return the names of what only holds keys: "export", "export.psd"."""
    cuts = (key.split(".")[:depth] for key in keys() for depth in range(1, key.count(".") + 1))
    return frozenset(".".join(parts) for parts in cuts)


def _leaves(properties: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, content in properties.items():
        if "$ref" not in content:
            found.append((f"{prefix}{name}", content))
        else:
            found += _leaves(_section(content)["properties"], f"{prefix}{name}.")
    return found


def _section(content: Mapping[str, Any]) -> Mapping[str, Any]:
    section: Mapping[str, Any] = schema()["$defs"][content["$ref"].rpartition("/")[2]]
    return section


def nearest_key(key: str) -> str | None:
    """Return the key that was probably meant: one spelled alike, else one in another section."""
    for pool in (list(keys()), sorted(sections())):
        if alike := get_close_matches(key, pool, 1, cutoff=0.8):
            return alike[0]
    lasts = {_last(known): known for known in keys()}
    alike = get_close_matches(_last(key), list(lasts), 1, cutoff=0.75)
    return lasts[alike[0]] if alike else None


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def expected(content: Mapping[str, Any]) -> str:
    """Return in words what a key's schema allows: "a whole number from 2 to 10, or auto"."""
    if "anyOf" in content:
        return ", or ".join(expected(choice) for choice in content["anyOf"])
    if "enum" in content:
        return any_of(content["enum"])
    if "const" in content:
        return str(content["const"])
    if "$ref" in content:
        return f"{{{', '.join(_section(content)['properties'])}}}"
    kind = content["type"]
    if kind == "array":
        return f"a list of {expected(content['items'])}"
    words = {"integer": "a whole number", "number": "a number", "string": "text"}
    if kind in words:
        return words[kind] + _limits(content)
    return {"boolean": "true or false", "null": "null"}[kind]


def item_fault(key: str, item: Mapping[str, object], name: str) -> str:
    """Return what is wrong with a key of an item in a list: "depth must be ..., not 9"."""
    known = _section(keys()[key]["items"])["properties"]
    if name not in known:
        near = get_close_matches(name, known, 1)
        return f"there is no key {name}" + (f"; did you mean {near[0]}?" if near else "")
    if name not in item:
        return f"{name} is missing"
    return f"{name} must be {expected(known[name])}, not {item[name]!r}"


def _limits(content: Mapping[str, Any]) -> str:
    if "maxLength" in content:
        return f" of {content['minLength']} to {content['maxLength']} characters"
    if "minLength" in content:
        return f" of {content['minLength']} character or more"
    if "exclusiveMinimum" in content:
        return f" over {content['exclusiveMinimum']}"
    if "maximum" in content:
        return f" from {content['minimum']} to {content['maximum']}"
    return ""


def any_of(words: Sequence[str]) -> str:
    """Return a list of words as people say it: "raw, rle or zip"."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
