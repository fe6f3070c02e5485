"""How far finished outputs are from their photos, and whether their bytes are the recorded ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from psd_tools import PSDImage

from layerctl.batch import receipt as receipts
from layerctl.batch.plan import RECEIPT_ENDING
from layerctl.batch.receipt import File, Receipt
from layerctl.compositing import Floats, bands
from layerctl.document import Group, Pixels
from layerctl.errors import DocumentError, LayerctlError, UsageError
from layerctl.formats import FORMATS, psd
from layerctl.formats.psd_layers import BROKEN
from layerctl.photo import BYTES_A_PIXEL, MEGAPIXELS, read_photo

OWN_LIMIT = 1
"""Levels of 255 that the exact recomposition promises, in 8-bit source-over."""

READER_LIMIT = 2
"""Levels of 255 that another reader's own rounding may add up to."""

GROUP_LIMIT = 1
"""Levels of 255 that a group may be off the layer that it stands for."""

PSD_TOOLS_PIXELS = 1 << 27
"""What psd-tools composes: it takes 32 bytes a pixel and, unless told otherwise, 4 GiB."""

UNCOMPARED = "whole, but compared with nothing"

KINDS = {".psd": "psd", ".psb": "psd", ".pptx": "pptx", ".png": "png"}


@dataclass(frozen=True)
class Deviation:
    """How far one reading of one document is from the photo.

    `worst` is the largest difference of any channel, colour premultiplied, in levels of 255;
    `off` the share of pixels (0 to 1) that differ at all; `limit` the worst that is promised.
    """

    reader: str
    worst: int
    off: float
    limit: int


@dataclass(frozen=True)
class Verdict:
    """What was found about one image; `faults` are sentences.

    `caution` says what was not done, "" if nothing.
    """

    label: str
    faults: tuple[str, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    caution: str = ""

    @property
    def passed(self) -> bool:
        """Whether every hash holds and every document is as near to the photo as promised.

        As far as there is something to compare with: `caution` tells.
        """
        return not self.faults and all(d.worst <= d.limit for d in self.deviations)


class Photos:
    """The photos below a folder, or one photo: found by the name and hash in a receipt."""

    def __init__(self, against: Path) -> None:
        """Look through the folder once.

        Raises:
            UsageError: There is no such file or folder.
        """
        if not against.exists():
            raise UsageError(f"--against: {against} does not exist")
        self._by_name: dict[str, list[Path]] = {}
        for path in sorted(against.rglob("*")) if against.is_dir() else [against]:
            self._by_name.setdefault(path.name, []).append(path)

    def find(self, receipt: Receipt) -> Path:
        """Return the photo that a receipt was written for.

        Raises:
            DocumentError: It is not there, or has changed.
        """
        named = self._by_name.get(receipt.input.name, [])
        for path in named:
            if path.is_file() and receipts.sha256_of(path) == receipt.input.sha256:
                return path
        if named:
            raise DocumentError(f"{named[0]} is no longer the photo it was made from")
        raise DocumentError(f"its photo {receipt.input.name} is not there")


def verify(out: Path, against: Path | None = None) -> Iterator[Verdict]:
    """Yield a verdict for each image below a folder of outputs, or for one of its files.

    Without `against`, documents are compared with the merged picture that the PSD holds; where
    there is no PSD, they are only read.

    Raises:
        UsageError: There is no receipt, or nothing at `against`.
    """
    photos = Photos(against) if against else None
    found = _receipts(out)
    top = out if out.is_dir() else out.parent
    return (_examine(path, path.relative_to(top).as_posix(), photos) for path in found)


def _receipts(out: Path) -> list[Path]:
    if out.is_dir():
        found = sorted(p for p in out.rglob(f"*{RECEIPT_ENDING}") if not _hidden(p, out))
    else:
        own = out.name.endswith(RECEIPT_ENDING)
        found = [out if own else out.with_name(out.stem + RECEIPT_ENDING)]
    if not found or not found[0].is_file():
        raise UsageError(f"{out} has no receipt ({RECEIPT_ENDING}): there is nothing to verify")
    return found


def _hidden(path: Path, out: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(out).parts)


def _examine(path: Path, name: str, photos: Photos | None) -> Verdict:
    label = name.removesuffix(RECEIPT_ENDING)
    try:
        receipt = receipts.read(path)
        faults = tuple(_file_faults(receipt.files, path.parent))
        if faults:
            return Verdict(label, faults)
        documents = _documents(receipt.files, path.parent)
        reference = _reference(receipt, documents, photos)
        if reference is None:
            _read(documents)
            return Verdict(label, caution=UNCOMPARED)
        return Verdict(label, deviations=tuple(_deviations(documents, reference)))
    except LayerctlError as error:
        return Verdict(label, (str(error),))


def _file_faults(files: Iterable[File], home: Path) -> Iterator[str]:
    for file in files:
        path = home / file.path
        if not path.is_file():
            yield f"{file.path} is missing"
        elif path.stat().st_size != file.bytes or receipts.sha256_of(path) != file.sha256:
            yield f"{file.path} is not what was written"


def _documents(files: Iterable[File], home: Path) -> Mapping[str, Path]:
    """Return what to read by format: the file itself, for PNG the folder of the stack."""
    found = {}
    for file in files:
        path = home / file.path
        kind = KINDS.get(path.suffix)
        if kind:
            found[kind] = path.parent if kind == "png" else path
    return found


def _reference(
    receipt: Receipt, documents: Mapping[str, Path], photos: Photos | None
) -> Pixels | None:
    """Return what documents are to look like, None where that is not known."""
    if photos:
        return read_photo(photos.find(receipt), _megapixels(receipt)).pixels
    return psd.merged(documents["psd"]) if "psd" in documents else None


def _megapixels(receipt: Receipt) -> int:
    """Return a limit that lets the photo in: whoever took it apart may have allowed more."""
    width, height = receipt.size
    pixels = max(width * height, receipt.input.bytes // BYTES_A_PIXEL + 1)
    return max(MEGAPIXELS, ceil(pixels / 1_000_000))


def _read(documents: Mapping[str, Path]) -> None:
    """Read every document for its faults alone."""
    for kind, path in documents.items():
        FORMATS[kind].read(path)


def _deviations(documents: Mapping[str, Path], reference: Pixels) -> Iterator[Deviation]:
    # psd-tools writes and reads a PSB, but composes none of more than a PSD's sides, or too large.
    for kind, path in documents.items():
        document = FORMATS[kind].read(path)
        more = GROUP_LIMIT if any(isinstance(node, Group) for node in document.children) else 0
        worst, off = difference(document.flatten(), reference)
        yield Deviation(kind, worst, off, OWN_LIMIT + more)
        if kind == "psd" and _for_psd_tools(reference):
            worst, off = difference(_by_psd_tools(path), reference)
            yield Deviation("psd by psd-tools", worst, off, READER_LIMIT + more)


def _for_psd_tools(picture: Pixels) -> bool:
    height, width = map(int, picture.shape[:2])
    return max(height, width) <= psd.PSD_SIDE and height * width <= PSD_TOOLS_PIXELS


def _by_psd_tools(path: Path) -> Pixels:
    """Return a PSD as psd-tools composes its layers, the stored merged picture ignored."""
    try:
        image = PSDImage.open(path).composite(force=True, ignore_preview=True, apply_icc=False)
        return np.asarray(image.convert("RGBA"))
    except (*BROKEN, ArithmeticError) as error:
        raise DocumentError(f"psd-tools cannot compose {path.name}: {error}") from error


def difference(one: Pixels, other: Pixels) -> tuple[int, float]:
    """Return the largest difference in levels of 255, and the share of pixels that differ.

    Colour counts as far as it is seen: it is compared premultiplied.

    Args:
        one: (H, W, 4) straight RGBA.
        other: The same size.

    Raises:
        DocumentError: The sizes differ.
    """
    if one.shape != other.shape:
        sizes = (f"{pixels.shape[1]} x {pixels.shape[0]}" for pixels in (one, other))
        raise DocumentError(f"its size is {' pixels, not '.join(sizes)}")
    worst, off = 0, 0
    for band in bands(one.shape[:2]):
        levels = np.rint(np.abs(_premultiplied(one[band]) - _premultiplied(other[band])))
        most = levels.max(axis=-1)
        worst = max(worst, int(most.max(initial=0)))
        off += int(np.count_nonzero(most))
    return worst, off / max(one.shape[0] * one.shape[1], 1)


def _premultiplied(pixels: Pixels) -> Floats:
    """Return colour times alpha, and alpha, in [0, 255]."""
    floats = pixels.astype(np.float32)
    floats[..., :3] *= floats[..., 3:] / 255
    return floats
