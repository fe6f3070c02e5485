"""A checkpoint folder as files, in the layout of diffusers; nothing here needs torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

WEIGHTS = "diffusion_pytorch_model.safetensors"
SHARD_INDEX = f"{WEIGHTS}.index.json"
TEXT_WEIGHTS = "model.safetensors"
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
MOST_BLOCKS = 512
"""More than any network has: to make what a damaged config asks for could take the whole memory."""


class CheckpointError(Exception):
    """A checkpoint cannot be used: one sentence that names the file and says what to do."""


class MissingExtra(CheckpointError):  # noqa: N818 - a lack, said as such
    """A checkpoint needs packages of `layerctl[qwen]` that are not installed."""


def existing(path: Path) -> Path:
    """The path itself, if it is a file with its content in it.

    Raises:
        CheckpointError: It is missing or cannot be read, or Git LFS has not fetched it yet.
    """
    try:
        if not path.is_file():
            raise CheckpointError(
                f"{path} is missing: fetch the checkpoint again, or mend its path"
            )
        with path.open("rb") as file:
            start = file.read(len(LFS_POINTER))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    if start == LFS_POINTER:
        raise CheckpointError(f"{path} is only a Git LFS pointer: run git lfs pull")
    return path


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        CheckpointError: The file is missing, or holds something else.
    """
    try:
        content = json.loads(existing(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not valid JSON ({error}): fetch the checkpoint again"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must hold a JSON object: fetch the checkpoint again")
    return content


def read_config(path: Path, kind: str) -> dict[str, Any]:
    """The config of a part of a checkpoint, or the index of all; `kind` is its class in diffusers.

    Raises:
        CheckpointError: The file is missing, damaged, or that of another class.
    """
    config = read_json(path)
    if (found := config.get("_class_name", kind)) != kind:
        raise CheckpointError(
            f"{path} is that of {found}, not of {kind}: "
            "give the folder of a model like Qwen-Image-Layered"
        )
    return config


def known_fields(config: Mapping[str, Any], dataclass: type) -> dict[str, Any]:
    """The entries of a config that are fields of a dataclass, lists as tuples.

    Raises:
        ValueError: One is not of its field's type.
    """
    types = get_type_hints(dataclass)
    known = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items() if k in types}
    for name, value in known.items():
        if not _is_a(types[name], value):
            raise ValueError(f"{name} cannot be {value!r}")
    return known


def _is_a(kind: Any, value: object) -> bool:  # noqa: ANN401 - a type, or several
    if isinstance(kind, UnionType):
        return any(_is_a(one, value) for one in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is_a(get_args(kind)[0], one) for one in value)
    if kind is float:
        return type(value) in {int, float} and isfinite(value)  # type: ignore[arg-type]
    # Not isinstance: True would pass for a number.
    return type(value) is kind


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write an object as indented JSON, and the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
