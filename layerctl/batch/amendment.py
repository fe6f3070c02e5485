"""What hangs on a PSD follows when one of its layers was split: its receipt, slides and pictures.

The photo then still counts as done: no run does it again over what was made of it by hand. What
follows is ready before the PSD is moved to its place, so that the next run can finish what a run
that was killed began.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from PIL.PngImagePlugin import PngImageFile

from layerctl.batch import receipt as receipts
from layerctl.batch.disk import sync
from layerctl.batch.plan import RECEIPT_ENDING
from layerctl.batch.receipt import SPLIT_BY_HAND, File, LayerRecord, Receipt
from layerctl.batch.scratch import left_in
from layerctl.document import Document, Group, Layer, Node, Role, grouped, numbered, planted
from layerctl.errors import DocumentError
from layerctl.formats import FORMATS, psd
from layerctl.formats.psd_layout import Layout
from layerctl.preset import ExportSection

FOLLOWERS: Mapping[str, str] = {".pptx": "pptx", ".png": "png"}
"""Formats that are written again from the layers, by the suffix of their files."""


@dataclass(frozen=True)
class Change:
    """What was done to a PSD: `parts` go in the place of the layer of that number.

    `before` is the file as it was, which may still be in its place.
    """

    path: Path
    before: Layout
    number: str
    parts: tuple[Node, ...]


def receipt_of(path: Path) -> Receipt | None:
    """Return the receipt beside a PSD, if there is one that names it."""
    found = receipts.standing(_receipt_path(path))
    return found if found and path.name in found.hashes else None


def _receipt_path(path: Path) -> Path:
    return path.with_name(path.stem + RECEIPT_ENDING)


def prepare(change: Change, standing: Receipt, folder: Path) -> None:
    """Write into `folder`, which holds the new PSD, what follows from it.

    If somebody has worked on any of the outputs, no other is written anew: the receipt takes them
    as they are.
    """
    home = change.path.parent
    ours = all(_is_as_recorded(home / file.path, file) for file in standing.files)
    known = any(record.number == change.number for record in standing.layers)
    amended = (_followed if ours and known else _acknowledged)(change, standing, folder)
    receipts.write(amended, folder / _receipt_path(change.path).name)
    for path in folder.rglob("*"):
        sync(path)


def finish(folder: Path) -> None:
    """Publish what was prepared in a folder, if the PSD it belongs to was moved to its place."""
    home = folder.parent
    for prepared in folder.glob(f"*{RECEIPT_ENDING}"):
        with suppress(DocumentError):
            split = receipts.read(prepared).files[0]
            if _is_as_recorded(home / split.path, split):
                _publish(prepared, home)


def resume(home: Path) -> None:
    """Finish what killed runs began in a folder; what cannot be finished now stays."""
    with suppress(OSError), closing(left_in(home)) as left:
        for folder in left:
            finish(folder)


def _publish(prepared: Path, home: Path) -> None:
    """Move all that a receipt names to its places, the receipt last, and remove what it replaces.

    What was moved before stays: after a kill this goes on from there.
    """
    new, old = receipts.read(prepared).hashes, receipts.standing(home / prepared.name)
    for path in new:
        fresh = prepared.parent / path
        if fresh.exists():
            (home / path).parent.mkdir(exist_ok=True)
            fresh.replace(home / path)
    for path in (old.hashes.keys() if old else set()) - new.keys():
        (home / path).unlink(missing_ok=True)
    prepared.replace(home / prepared.name)
    sync(home)


def _is_as_recorded(path: Path, file: File) -> bool:
    return path.is_file() and receipts.sha256_of(path) == file.sha256


def _acknowledged(change: Change, standing: Receipt, folder: Path) -> Receipt:
    """Return the receipt with the outputs as they are now, the missing ones left out."""
    name, home = change.path.name, change.path.parent
    others = [home / file.path for file in standing.files if file.path != name]
    there = receipts.record_files(filter(Path.is_file, others), home)
    files = (*receipts.record_files([folder / name], folder), *there)
    note = f"the outputs were changed by hand, and the layer {change.number} {SPLIT_BY_HAND}"
    return replace(standing, files=files, notes=(*standing.notes, note))


def _followed(change: Change, standing: Receipt, folder: Path) -> Receipt:
    """Write the other formats anew and return the receipt of all of them."""
    known = {record.number: record for record in standing.layers}
    before = psd.document(change.before)
    children = tuple(_known(before.children, known))
    layer = cast(Layer, dict(numbered(children))[change.number])
    group = grouped(layer, change.parts)
    document = replace(before, children=planted(children, change.number, group))
    written = [folder / change.path.name, *_exports(document, standing, change.path.parent, folder)]
    note = f"the layer {change.number}, {layer.name}, {SPLIT_BY_HAND}"
    return replace(
        standing,
        layers=tuple(_records(document, known)),
        files=receipts.record_files(written, folder),
        notes=(*standing.notes, note),
    )


def _known(
    children: tuple[Node, ...], known: Mapping[str, LayerRecord], prefix: str = ""
) -> Iterator[Node]:
    """Yield the nodes that the receipt knows, with the roles that no PSD can hold."""
    for place, node in enumerate(children, start=1):
        number = f"{prefix}{place}"
        if isinstance(node, Group):
            yield replace(node, children=tuple(_known(node.children, known, f"{number}/")))
        elif number in known:
            yield replace(node, role=cast(Role, known[number].role))


def _records(document: Document, known: Mapping[str, LayerRecord]) -> Iterator[LayerRecord]:
    """Yield what is said of each layer: of those that were there, what was said before."""
    for record in receipts.record_layers(document):
        yield known.get(record.number, record)


def _exports(document: Document, standing: Receipt, home: Path, folder: Path) -> Iterator[Path]:
    """Write each format but the PSD to where the receipt has it, and yield its files."""
    pictures = [file for file in standing.files if file.path.endswith(".png")]
    canvas = {"canvas": _canvas(pictures, home, document)}
    export = ExportSection.model_validate({"png": canvas})
    places = {
        Path(file.path).parent if file in pictures else Path(file.path): form
        for file in standing.files
        if (form := FOLLOWERS.get(Path(file.path).suffix))
    }
    for place, form in places.items():
        yield from FORMATS[form].write(document, folder / place, export)


def _canvas(pictures: list[File], home: Path, document: Document) -> str:
    """Return how the pictures that are there were cut: "full" or "trimmed"."""
    for file in pictures:
        # Image.open would refuse what is larger than Pillow expects of a stranger's picture.
        with PngImageFile(home / file.path) as picture:
            if picture.size != (document.width, document.height):
                return "trimmed"
    return "full"
