"""A receipt says that a picture is done, from what, with what, and which files came of it.

`KEY.layers.json` is the only state there is. Version 1 holds what the dataclasses below hold, as
one JSON object in UTF-8; bytes of a file name that are no UTF-8 stand as lone surrogates. Fields
that it does not know are passed over: what changes the meaning of others changes the version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, InstanceOf, TypeAdapter, ValidationError

from layerctl.document import Document, Layer
from layerctl.errors import DocumentError, ImageError
from layerctl.texts.prompt import Prompt


def _below(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise ValueError(f"{path} leads out of the receipt's folder")
    return path


Name: TypeAlias = InstanceOf[str]
"""Pydantic's own string check refuses the lone surrogates of odd file names."""


SPLIT_BY_HAND = "was split"
"""How notes end on what somebody did with `recurse` to the files of a run."""


@dataclass(frozen=True)
class Input:
    """The photo as it was read.

    `path` is where it was, absolute; None in receipts from before that was noted. It only tells
    photos apart that want the same outputs: a photo that has moved is as done as before.
    """

    name: Name
    bytes: int
    sha256: str
    path: Name | None = None


@dataclass(frozen=True)
class File:
    """An output; `path` is relative to the receipt's folder, with "/"."""

    path: Annotated[Name, AfterValidator(_below)]
    bytes: int
    sha256: str


@dataclass(frozen=True)
class LayerRecord:
    """A layer: its number as everywhere, box (left, top, right, bottom), and how good it is."""

    number: str
    name: str
    role: str
    box: tuple[int, int, int, int]
    blend: str
    coverage: float | None
    softness: float | None
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class Receipt:
    """What is known of a finished picture; `size` is (width, height), `seconds` by stage.

    `prompt` is the text that the network read; None, as in receipts from before there were any,
    if it reads none.
    """

    version: Literal[1]
    input: Input
    settings: str
    seed: int
    seconds: Mapping[str, float]
    size: tuple[int, int]
    layers: tuple[LayerRecord, ...]
    files: tuple[File, ...]
    notes: tuple[str, ...]
    prompt: Prompt | None = None

    @property
    def doubts(self) -> tuple[str, ...]:
        """What is doubtful about its layers, a sentence each."""
        return tuple(
            f"layer {layer.number}, {layer.name}: {doubt}"
            for layer in self.layers
            for doubt in layer.doubts
        )

    @property
    def hashes(self) -> Mapping[str, str]:
        """The sha256 of each output, by its path."""
        return {file.path: file.sha256 for file in self.files}

    @property
    def made_by_hand(self) -> bool:
        """Whether there is work of somebody's in the outputs, although they are as recorded."""
        return any(note.endswith(SPLIT_BY_HAND) for note in self.notes)


_CHECK = TypeAdapter(Receipt)


def read(path: Path) -> Receipt:
    """Return the receipt in a file.

    Raises:
        DocumentError: It is missing, damaged, or of a version that this one does not know.
    """
    try:
        return _CHECK.validate_python(json.loads(path.read_bytes()))
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, ValidationError, RecursionError) as error:
        raise DocumentError(f"{path} is not a receipt that this version understands") from error


def standing(path: Path) -> Receipt | None:
    """Return the receipt in a file, if there is one that can be understood."""
    try:
        return read(path)
    except DocumentError:
        return None


def write(receipt: Receipt, path: Path) -> None:
    """Write the receipt at `path`: the same receipt always gives the same bytes."""
    text = json.dumps(asdict(receipt), indent=2, ensure_ascii=False)
    # What this makes of a lone surrogate is exactly how JSON spells it.
    path.write_bytes(text.encode(errors="backslashreplace") + b"\n")


def still_valid(receipt: Receipt, source: Path, settings: str, folder: Path) -> bool:
    """Say whether input, settings and every output are what they were; `folder` is the receipt's.

    Everything is hashed, but only if nothing cheaper differs.
    """
    recorded: list[tuple[Path, Input | File]] = [(source, receipt.input)]
    recorded += [(folder / file.path, file) for file in receipt.files]
    try:
        return (
            receipt.settings == settings
            and all(path.is_file() and path.stat().st_size == r.bytes for path, r in recorded)
            and all(sha256_of(path) == r.sha256 for path, r in recorded)
        )
    except OSError:
        return False


def settings_sha256(*parts: str) -> str:
    """Return one hash for everything that decides a result besides the photo."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def record_input(source: Path) -> Input:
    """Return what a receipt says of a photo.

    Raises:
        ImageError: It is not a file, or cannot be read.
    """
    try:
        if source.is_dir():
            raise ImageError("it is a folder, and no picture could be found in it")
        if source.exists() and not source.is_file():
            raise ImageError("it is not a regular file")
        place = str(source.absolute())
        return Input(source.name, source.stat().st_size, sha256_of(source), place)
    except OSError as error:
        raise ImageError(f"it cannot be read: {error.strerror}") from error


def other_photo(recorded: Input, source: Path) -> Path | None:
    """Return the photo that a receipt names if that is still there and is not `source`.

    The same bytes in another place are the same photo.
    """
    if recorded.path is None:
        return None
    other = Path(recorded.path)
    try:
        if not other.is_file() or other.samefile(source):
            return None
        mine = sha256_of(source)
        return None if mine in {recorded.sha256, sha256_of(other)} else other
    except OSError:
        # What cannot be read is somebody else's to tell; nothing speaks against this photo.
        return None


def record_files(files: Iterable[Path], folder: Path) -> tuple[File, ...]:
    """Return what a receipt in `folder` says of files below it."""
    return tuple(
        File(file.relative_to(folder).as_posix(), file.stat().st_size, sha256_of(file))
        for file in files
    )


def record_layers(document: Document) -> tuple[LayerRecord, ...]:
    """Return what a receipt says of a document's layers, bottom first."""
    return tuple(_record_layer(number, layer) for number, layer in document.walk())


def _record_layer(number: str, layer: Layer) -> LayerRecord:
    quality = layer.quality
    return LayerRecord(
        number=number,
        name=layer.name,
        role=layer.role,
        box=layer.box,
        blend=layer.blend,
        coverage=round(quality.coverage, 6) if quality else None,
        softness=round(quality.softness, 6) if quality else None,
        doubts=quality.doubts if quality else (),
    )


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
