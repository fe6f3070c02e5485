"""Checkpoint folders as files: which one a preset means, whether it is whole, what it weighs."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerctl.errors import EnvironmentFault

if TYPE_CHECKING:
    from layerctl.preset import ModelSection

NETWORKS = ("transformer", "vae")
"""The folders of a checkpoint that hold weights we run."""

WEIGHTS = "diffusion_pytorch_model.safetensors"
LFS_POINTER = b"version https://git-lfs"
LONGEST_HEADER = 100_000_000
"""Bytes of a safetensors header, by its specification."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint folder holds; `size` is the bytes of its weights as stored."""

    name: str
    folder: Path
    parameters: int
    size: int


def checkpoint_folder(section: ModelSection) -> Path:
    """Return the folder of the checkpoint that a preset names.

    Raises:
        EnvironmentFault: It is not on this machine, or has no `model_index.json`.
    """
    folder = shipped_folder() / section.name
    if "/" in section.name or not folder.is_dir():
        folder = Path(section.name)
    if not folder.is_dir():
        there = ", ".join(shipped_checkpoints()) or "none is shipped"
        raise EnvironmentFault(
            f"the model '{section.name}' is not here: give a shipped one ({there}) or its folder"
        )
    if not (folder / "model_index.json").is_file():
        raise EnvironmentFault(f"{folder} is no checkpoint: it has no model_index.json")
    return folder


def shipped_folder() -> Path:
    """Return where the shipped checkpoints are, without importing the network."""
    found = find_spec("layerctl_model")
    if found is None or found.origin is None:
        raise EnvironmentFault("layerctl_model is not installed: install layerctl again")
    return Path(found.origin).parent / "weights"


def shipped_checkpoints() -> tuple[str, ...]:
    """Return the names of the shipped checkpoints."""
    return tuple(sorted(path.parent.name for path in shipped_folder().glob("*/model_index.json")))


def fingerprint(folder: Path) -> str:
    """Return the sha256, in hex, over names and contents of all files of a checkpoint.

    Raises:
        EnvironmentFault: A file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{content}  {path.relative_to(folder).as_posix()}\n".encode())
    except OSError as error:
        raise EnvironmentFault(f"{error.filename} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def note(folder: Path) -> str:
    """Return what a checkpoint says it is good for, or "": "note" in its `layerctl.json`."""
    try:
        return str(json.loads((folder / "layerctl.json").read_bytes())["note"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def examine(section: ModelSection) -> Checkpoint:
    """Return what the checkpoint of a preset holds, read from the headers of its files.

    Raises:
        EnvironmentFault: It is missing, or one of its files is missing or cut short.
    """
    folder = checkpoint_folder(section)
    tensors = [
        tensor
        for network in NETWORKS
        for path in _weight_files(folder / network)
        for tensor in _tensors(path)
    ]
    parameters = sum(math.prod(tensor["shape"]) for tensor in tensors)
    size = sum(tensor["data_offsets"][1] - tensor["data_offsets"][0] for tensor in tensors)
    return Checkpoint(section.name, folder, parameters, size)


def _weight_files(folder: Path) -> list[Path]:
    index = folder / f"{WEIGHTS}.index.json"
    if not index.is_file():
        return [folder / WEIGHTS]
    try:
        shards = json.loads(index.read_bytes())["weight_map"].values()
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise _damaged(index, "it is no index of shards") from error
    return [folder / name for name in sorted(set(shards))]


def _tensors(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield what the header of a safetensors file says of each tensor.

    The file is an 8-byte little-endian length, that much JSON, then the data.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(LFS_POINTER))
            if start == LFS_POINTER:
                raise EnvironmentFault(f"{path} is only a Git LFS pointer: run git lfs pull")
            length = int.from_bytes(start[:8], "little")
            file.seek(8)
            header = json.loads(file.read(min(length, LONGEST_HEADER)))
        header.pop("__metadata__", None)
        end = 8 + length + max(tensor["data_offsets"][1] for tensor in header.values())
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise _damaged(path, "it is no safetensors file") from error
    if path.stat().st_size != end:
        raise _damaged(path, f"it has {path.stat().st_size} bytes, not {end}")
    yield from header.values()


def _damaged(path: Path, reason: str) -> EnvironmentFault:
    return EnvironmentFault(f"{path} is damaged: {reason}; fetch the checkpoint again")
