"""The weight files of one network: what their headers say, and whether they agree; no torch.

A safetensors file is an 8-byte little-endian length, that many bytes of JSON, then the data of
all tensors without gaps (safetensors specification, "Format"). A network is one such file, or
several and an index that places every tensor in one of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from layerctl_model.folder import CheckpointError, existing, read_json

LENGTH_BYTES = 8
LONGEST_HEADER = 100_000_000
BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "U8", "BOOL"), 8),
}
"""Bits of a number of each kind that a header may name."""

PRECISIONS = ("BF16", "F16", "F32")
"""What weights are stored as."""


@dataclass(frozen=True)
class Stored:
    """One tensor as a file keeps it: `dtype` as the header spells it, `size` in bytes."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    size: int


@dataclass(frozen=True)
class Shards:
    """The weight files of one network.

    Attributes:
        home: The index of the shards, or the only file.
        tensors: What can be read, by name.
        faults: One sentence for each file that cannot be read or contradicts the index.
        hidden: Names that `faults` account for: told of as misplaced, or in a file that cannot be
            read. None if that may be any.
    """

    home: Path
    tensors: Mapping[str, Stored]
    faults: tuple[str, ...] = ()
    hidden: frozenset[str] | None = frozenset()


def examine(folder: Path, weights: str) -> Shards:
    """What the headers in a network's folder say; nothing is raised, faults are told.

    Args:
        folder: For example `transformer/`.
        weights: The name of the file where there is only one.
    """
    index = folder / f"{weights}.index.json"
    if index.exists():
        return _sharded(index)
    only = folder / weights
    try:
        return Shards(only, read_header(only))
    except CheckpointError as error:
        return Shards(only, {}, (str(error),), None)


def misfits(shards: Shards, wanted: Mapping[str, tuple[int, ...]]) -> list[str]:
    """What is wrong with the tensors that can be read, where these shapes are wanted.

    Each is told as a clause with the name of its file; what `faults` account for is passed over.
    """
    if shards.hidden is None:
        return []
    found = shards.tensors
    missing = sorted(wanted.keys() - found.keys() - shards.hidden)
    faults = [f"{name} is missing from {shards.home.name}" for name in missing]
    for name, tensor in found.items():
        where = f"{name} in {tensor.file.name}"
        if name not in wanted:
            faults.append(f"{where} is unexpected")
        elif tensor.shape != wanted[name]:
            faults.append(f"{where} is {tensor.shape} where {wanted[name]} is expected")
        elif tensor.dtype not in PRECISIONS:
            faults.append(f"{where} is stored as {tensor.dtype}, not {' or '.join(PRECISIONS)}")
    return faults


def read_header(path: Path) -> dict[str, Stored]:
    """What a safetensors file holds, by name.

    Raises:
        CheckpointError: It is missing, cut short or damaged; the data themselves are not read.
    """
    size = existing(path).stat().st_size
    start, header = _parsed(path)
    header.pop("__metadata__", None)
    try:
        end = start + _end_of_data(header)
        tensors = {name: _stored(path, entry) for name, entry in header.items()}
    except ValueError as error:
        raise damaged(path, str(error)) from error
    except (LookupError, TypeError, AttributeError) as error:
        raise damaged(path, "its header makes no sense") from error
    if size != end:
        raise damaged(path, f"it has {size} bytes, not {end}")
    return tensors


def damaged(path: Path, reason: str) -> CheckpointError:
    """The refusal of a file whose content is wrong."""
    return CheckpointError(f"{path} is cut short or damaged ({reason}): fetch it again")


def _parsed(path: Path) -> tuple[int, dict[str, Any]]:
    """Where the data begin, and the JSON before them."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            header = json.loads(file.read(min(length, LONGEST_HEADER)))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise damaged(path, "it does not begin with a header") from error
    if not isinstance(header, dict):
        raise damaged(path, "its header is no object")
    return LENGTH_BYTES + length, header


def _end_of_data(header: Mapping[str, Any]) -> int:
    """The end of the last tensor; they must follow each other without gap or overlap."""
    end = 0
    for start, stop in sorted(tuple(entry["data_offsets"]) for entry in header.values()):
        if start != end or stop < start or type(stop) is not int:
            raise ValueError(f"its tensors overlap or leave a gap at byte {end} of the data")
        end = stop
    if not header:
        raise ValueError("it holds no tensors")
    return end


def _stored(path: Path, entry: Mapping[str, Any]) -> Stored:
    start, stop = entry["data_offsets"]
    shape = tuple(int(side) for side in entry["shape"])
    if BITS[entry["dtype"]] * prod(shape) != 8 * (stop - start):
        raise ValueError(f"{stop - start} bytes are no {entry['dtype']} tensor of {shape}")
    return Stored(path, entry["dtype"], shape, stop - start)


def _sharded(index: Path) -> Shards:
    try:
        places = _places(index)
    except CheckpointError as error:
        return Shards(index, {}, (str(error),), None)
    headers: dict[Path, dict[str, Stored]] = {}
    faults: list[str] = []
    for path in sorted(set(places.values())):
        try:
            headers[path] = read_header(path)
        except CheckpointError as error:
            faults.append(str(error))
    faults += _disagreements(index, places, headers)
    tensors = {
        name: headers[path][name]
        for name, path in places.items()
        if path in headers and name in headers[path]
    }
    told = places.keys() | set().union(*headers.values())
    return Shards(index, tensors, tuple(faults), frozenset(told - tensors.keys()))


def _places(index: Path) -> dict[str, Path]:
    """The file of every tensor.

    Raises:
        CheckpointError: The index is missing, or has no list of files beside it.
    """
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(map(_is_beside, places.values())):
        raise CheckpointError(f"{index} has no weight_map of files beside it: fetch it again")
    if not places:
        raise CheckpointError(f"{index} names no files: fetch it again")
    return {name: index.parent / file for name, file in places.items()}


def _is_beside(file: object) -> bool:
    return isinstance(file, str) and Path(file).name == file and file.endswith(".safetensors")


def _disagreements(
    index: Path, places: Mapping[str, Path], headers: Mapping[Path, Mapping[str, Stored]]
) -> Iterator[str]:
    """Sentences about tensors that are not where the index says."""
    for path, header in headers.items():
        for name in header:
            place = places.get(name)
            if place is None:
                yield f"{path} holds {name}, which {index} does not name: fetch both again"
            elif place != path:
                yield f"{path} holds {name}, which {index} places in {place.name}: fetch both again"
    there = set().union(*headers.values())
    for name, path in places.items():
        if path in headers and name not in there:
            yield f"{path} has no {name}, which {index} places there: fetch both again"
