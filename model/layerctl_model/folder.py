"""A checkpoint folder as files, in the layout of diffusers; nothing here needs torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

WEIGHTS = "diffusion_pytorch_model.safetensors"
SHARD_INDEX = f"{WEIGHTS}.index.json"
TEXT_WEIGHTS = "model.safetensors"
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


class CheckpointError(Exception):
    """A checkpoint cannot be used: one sentence that names the file and says what to do."""


class MissingExtra(CheckpointError):  # noqa: N818 - a lack, said as such
    """A checkpoint needs packages of `layerctl[qwen]` that are not installed."""


def existing(path: Path) -> Path:
    """The path itself, if it is a file with its content in it.

    Raises:
        CheckpointError: It is missing, or Git LFS has not fetched it yet.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: fetch the checkpoint again, or mend its path")
    with path.open("rb") as file:
        if file.read(len(LFS_POINTER)) == LFS_POINTER:
            raise CheckpointError(f"{path} is only a Git LFS pointer: run git lfs pull")
    return path


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        CheckpointError: The file is missing, or holds something else.
    """
    try:
        content = json.loads(existing(path).read_bytes())
    except ValueError as error:
        raise CheckpointError(
            f"{path} is not valid JSON ({error}): fetch the checkpoint again"
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must hold a JSON object: fetch the checkpoint again")
    return content


def known_fields(config: Mapping[str, Any], dataclass: type) -> dict[str, Any]:
    """The entries of a config that are fields of a dataclass, lists as tuples."""
    known = {field.name for field in fields(dataclass)}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in config.items() if k in known}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write an object as indented JSON, and the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
