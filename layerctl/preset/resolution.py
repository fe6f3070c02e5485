"""From a preset's name and the flags beside it to one checked Preset, and what came from where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TypeAlias, cast

from pydantic import ValidationError

from layerctl.errors import PresetError
from layerctl.preset.sections import Preset
from layerctl.preset.settings import Setting, read_settings
from layerctl.preset.wording import expected, item_fault, keys, nearest_key, sections

OWN = frozenset({"name", "about", "extends"})
"""Keys about the file itself, which a preset that extends it does not take over."""

FLAGS = {
    "model.name": "--model",
    "model.loras": "--lora",
    "export.formats": "--psd, --pptx, --png",
}
"""Flags that are not called like the last part of their key."""

_Inside: TypeAlias = tuple[int, str]
"""Which item of a list, from 0, and which of its keys."""


@dataclass(frozen=True)
class Resolved:
    """A preset, and for each of its dotted keys where the value came from.

    An origin is "default", a file with its line, or a flag.
    """

    preset: Preset
    origins: Mapping[str, str]


def load_preset(name_or_path: str, overrides: Mapping[str, object] | None = None) -> Preset:
    """Return the preset of that name, or in that file, under the values that flags gave.

    Args:
        name_or_path: A shipped name; or a path, which has a "/" or ends in .yaml or .yml.
        overrides: Values by dotted key, {"decompose.layers": 3}; None stands for a flag not given.

    Raises:
        PresetError: A sentence for each thing that is wrong, with file and line, or the flag.
    """
    return resolve(name_or_path, overrides).preset


def resolve(name_or_path: str, overrides: Mapping[str, object] | None = None) -> Resolved:
    """Return what `load_preset` does, with the origin of every value.

    Raises:
        PresetError: As `load_preset` does.
    """
    path = find(name_or_path)
    *bases, own = _chain(path, _label(path), ())
    inherited = [{k: s for k, s in base.items() if k not in OWN} for base in bases]
    layers = [*inherited, own, _flagged(overrides or {})]
    problems = [p for layer in layers for p in _unknown(layer)]
    merged = {k: s for layer in layers for k, s in layer.items() if k in keys()}
    merged.setdefault("name", Setting(path.stem, "default", path.stem))
    preset, wrong = _checked(merged)
    if problems or preset is None:
        raise PresetError(*problems, *wrong)
    return Resolved(preset, {key: _origin(merged.get(key)) for key in keys()})


def preset_folder() -> Path:
    """Return where the shipped presets are: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "presets"
    return inside if inside.is_dir() else package.parent / "presets"


def shipped() -> tuple[str, ...]:
    """Return the names of the shipped presets, the default first."""
    names = sorted(path.stem for path in preset_folder().glob("*.yaml"))
    return tuple(sorted(names, key=lambda name: name != "default"))


def find(name_or_path: str, beside: Path | None = None) -> Path:
    """Return the file of a preset; a relative path starts at the folder `beside`, if given.

    Raises:
        PresetError: No shipped preset has that name.
    """
    if "/" in name_or_path or Path(name_or_path).suffix in {".yaml", ".yml"}:
        return (beside or Path()) / name_or_path
    if name_or_path in shipped():
        return preset_folder() / f"{name_or_path}.yaml"
    near = get_close_matches(name_or_path, shipped(), 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(shipped())}"
    raise PresetError(f"no preset is called '{name_or_path}': {hint}")


def _label(path: Path) -> str:
    return path.name if path.parent == preset_folder() else str(path)


def _chain(path: Path, label: str, above: tuple[Path, ...]) -> list[dict[str, Setting]]:
    """Return what a preset and those it extends say, its own last."""
    settings = _anchored(read_settings(path, label), path.parent)
    base = settings.get("extends")
    if base is None or base.value is None:
        return [settings]
    if not isinstance(base.value, str):
        raise PresetError(f"{base.origin}: extends must be a preset's name or path")
    try:
        found = find(base.value, path.parent)
    except PresetError as error:
        raise PresetError(f"{base.origin}: {error}") from error
    line = (*above, path.resolve())
    if found.resolve() in line:
        names = " -> ".join(p.name for p in (*line, found))
        raise PresetError(f"{base.origin}: extends goes in a ring: {names}")
    return [*_chain(found, _label(found), line), settings]


def _anchored(settings: dict[str, Setting], folder: Path) -> dict[str, Setting]:
    """Return the settings with the paths of LoRA files, relative to the preset's folder, joined."""
    setting = settings.get("model.loras")
    if setting is None or not isinstance(setting.value, list):
        return settings
    loras = [_joined(lora, folder) if isinstance(lora, dict) else lora for lora in setting.value]
    return {**settings, "model.loras": replace(setting, value=loras)}


def _joined(lora: Mapping[str, object], folder: Path) -> Mapping[str, object]:
    file = lora.get("file")
    return {**lora, "file": str(folder / file)} if isinstance(file, str) and file else lora


def _flagged(overrides: Mapping[str, object]) -> dict[str, Setting]:
    given = {key: value for key, value in overrides.items() if value is not None}
    return {key: Setting(value, _flag(key), str(value)) for key, value in given.items()}


def _flag(key: str) -> str:
    return FLAGS.get(key, "--" + key.rpartition(".")[2].replace("_", "-"))


def _unknown(settings: Mapping[str, Setting]) -> Iterator[str]:
    for key, setting in settings.items():
        if key in sections() and setting.value is not None:
            yield f"{setting.origin}: {key} is a section: its keys go on lines of their own below"
        elif key not in keys() and key not in sections():
            near = nearest_key(key)
            hint = f"; did you mean {near}?" if near else ""
            yield f"{setting.origin}: there is no key {key}{hint}"


def _checked(settings: Mapping[str, Setting]) -> tuple[Preset | None, list[str]]:
    try:
        return Preset.model_validate(_nested(settings)), []
    except ValidationError as error:
        wrong = dict.fromkeys(_place(problem["loc"]) for problem in error.errors())
        said = [(known, inside) for known in settings for key, inside in wrong if key == known]
        return None, [_sentence(key, settings[key], inside) for key, inside in said]


def _nested(settings: Mapping[str, Setting]) -> dict[str, object]:
    root: dict[str, object] = {}
    for key, setting in settings.items():
        *path, last = key.split(".")
        place = root
        for part in path:
            place = place.setdefault(part, {})  # type: ignore[assignment]
        place[last] = setting.value
    return root


def _place(location: Sequence[int | str]) -> tuple[str, _Inside | None]:
    """Return the key that an error of pydantic is about: its location goes on into the value."""
    key, rest = "", list(map(str, location))
    while rest and key not in keys():
        key = f"{key}.{rest.pop(0)}".removeprefix(".")
    return key, (int(rest[0]), rest[1]) if len(rest) > 1 else None


def _sentence(key: str, setting: Setting, inside: _Inside | None) -> str:
    where = setting.origin if setting.origin in _flag(key) else f"{setting.origin}: {key}"
    if inside:
        place, name = inside
        item = cast(Sequence[Mapping[str, object]], setting.value)[place]
        return f"{where}, item {place + 1}: {item_fault(key, item, name)}"
    wanted = expected(keys()[key])
    return f"{where} must be {wanted}, not {setting.spelling}{_trap(setting)}"


def _trap(setting: Setting) -> str:
    """Return what YAML made of a word, where that surprises people."""
    if isinstance(setting.value, bool) and setting.spelling.lower() not in {"true", "false"}:
        meant = str(setting.value).lower()
        return f" (YAML reads that as {meant}; put it in quotes to make it text)"
    return " (the quotes make it text)" if setting.spelling[0] in "\"'" else ""


def _origin(setting: Setting | None) -> str:
    return setting.origin if setting else "default"
