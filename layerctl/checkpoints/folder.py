"""What a checkpoint folder holds: whether that is whole, what it weighs, what it says of itself."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerctl.checkpoints import hub
from layerctl.checkpoints.hashes import SHA256_DIGITS, sha256_of
from layerctl.errors import EnvironmentFault

NETWORKS = {
    "transformer": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "separator": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}
"""The parts of a checkpoint that have weights, and what their only file is called."""

OPTIONAL = {"separator", "text_encoder"}
"""Those that not every checkpoint has."""

MODEL_INDEX = "model_index.json"
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


def missing_files(folder: Path) -> list[str]:
    """Return the files that a checkpoint's indices name and that are not there."""
    index = _object(folder / MODEL_INDEX)
    parts = [part for part, home in index.items() if isinstance(home, list) and any(home)]
    wanted = [folder / MODEL_INDEX]
    for part in parts:
        if part in NETWORKS:
            wanted += [folder / part / "config.json", *weight_files(folder, part)]
        else:
            wanted.append(folder / part)
    return [str(path.relative_to(folder)) for path in wanted if not path.exists()]


def weight_files(folder: Path, part: str) -> list[Path]:
    """Return the files of a network: those that its index names, or the only one."""
    only = folder / part / NETWORKS[part]
    shards = _object(only.with_name(f"{only.name}.index.json")).get("weight_map")
    if not isinstance(shards, dict):
        return [only]
    return [folder / part / name for name in sorted(set(map(str, shards.values())))]


def files(folder: Path) -> list[Path]:
    """Return the files of a checkpoint and of its parts; what is hidden belongs to other tools."""
    found = [*folder.glob("[!.]*"), *folder.glob("[!.]*/[!.]*")]
    return sorted(path for path in found if path.is_file())


def fingerprint(folder: Path) -> str:
    """Return the sha256, in hex, over names and contents of all files of a checkpoint.

    What the hub's cache calls by its sha256 is taken at its word; other large files are read
    once, and again when they change.

    Raises:
        EnvironmentFault: A file cannot be read.
    """
    there = files(folder)
    known = {
        path: name for path in there if len(name := hub.blob_hash(path) or "") == SHA256_DIGITS
    }
    unknown = [path for path in there if path not in known]
    known |= dict(zip(unknown, sha256_of(unknown), strict=True))
    lines = (f"{known[path]}  {path.relative_to(folder).as_posix()}\n" for path in there)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def note(folder: Path) -> str:
    """Return what a checkpoint says it is good for, or "": "note" in its `layerctl.json`."""
    return str(_object(folder / "layerctl.json").get("note", ""))


def reads_text(folder: Path) -> bool:
    """Tell whether a checkpoint wants to know what a photo shows."""
    own = _object(folder / "layerctl.json").get("needs_text")
    return (folder / "text_encoder").is_dir() if own is None else bool(own)


def _object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one if there is none: the network says why."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def weigh(name: str, folder: Path) -> Checkpoint:
    """Return what the checkpoint in a folder holds, read from the headers of its files.

    Raises:
        EnvironmentFault: One of its files is missing or cut short.
    """
    parts = [part for part in NETWORKS if part not in OPTIONAL or (folder / part).is_dir()]
    tensors = [
        tensor for part in parts for path in weight_files(folder, part) for tensor in _tensors(path)
    ]
    parameters = sum(math.prod(tensor["shape"]) for tensor in tensors)
    size = sum(tensor["data_offsets"][1] - tensor["data_offsets"][0] for tensor in tensors)
    return Checkpoint(name, folder, parameters, size)


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
