"""A resolved preset as YAML that says for each key where its value came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from layerctl.preset.resolution import Resolved


def written(resolved: Resolved) -> str:
    """Return a preset as a file that stands on its own, each key with its origin in a comment."""
    content = resolved.preset.model_dump(mode="json", exclude={"extends"})
    lines = list(_lines(content, resolved.origins))
    width = max(len(text) for text, origin in lines if origin and len(text) <= 40)
    return "\n".join(f"{text:<{width}}  # {origin}" if origin else text for text, origin in lines)


def _lines(
    content: Mapping[str, Any], origins: Mapping[str, str], prefix: str = ""
) -> Iterator[tuple[str, str]]:
    indent = "  " * prefix.count(".")
    for name, value in content.items():
        if isinstance(value, dict):
            yield f"{indent}{name}:", ""
            yield from _lines(value, origins, f"{prefix}{name}.")
        else:
            yield f"{indent}{name}: {_scalar(value)}", origins[f"{prefix}{name}"]


def _scalar(value: object) -> str:
    dumped = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf"))
    return dumped.removesuffix("\n").removesuffix("\n...")
