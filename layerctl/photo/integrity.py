"""Is a picture file whole? Decoders fill in for what is missing and keep silent about it."""

from __future__ import annotations

import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from PIL import Image, TiffImagePlugin
from PIL.ImageFile import ImageFile

from layerctl.errors import ImageError


@dataclass(frozen=True)
class Coding:
    """What the numbers of a picture mean as colour, by the tables 2 and 3 of ITU-T H.273."""

    primaries: int
    transfer: int


@dataclass(frozen=True)
class Sound:
    """A stream that can be decoded to the last pixel, and what the walk through it found.

    `notes` are what the user should know; `coding` is what a PNG, AVIF or HEIF says of its colour.
    """

    file: BinaryIO
    notes: tuple[str, ...] = ()
    coding: Coding | None = None


_MOST_BYTES = 1 << 30
"""No JPEG within reason is longer; what follows the picture is not read."""

_BLOCK = 1 << 20
_PNG_END = b"\0\0\0\0IEND\xae\x42\x60\x82"
_JPEG_END = b"\xff\xd9"
_JPEG_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""Any marker but restarts and the stuffed zero, which belong to the compressed data."""

_FILLERS = bytes(range(1, 255)), bytes(range(254, 0, -1))
"""Two pieces of compressed data that no Huffman table reads alike, free of markers."""


def sound(file: BinaryIO, picture: ImageFile) -> Sound:
    """Return a stream with all pixels of `file`, mended where only its end mark is missing.

    `picture` is the same file opened by Pillow and not yet decoded.

    Raises:
        ImageError: Part of the picture is missing, or a checksum is wrong.
    """
    check = _CHECKS.get(picture.format or "")
    return check(file, picture) if check else Sound(file)


def cut_short(name: str) -> ImageError:
    """Return the refusal of a file that ends too early."""
    return ImageError(f"the {name} is cut short: part of the picture is missing")


def _png(file: BinaryIO, picture: ImageFile) -> Sound:  # noqa: ARG001 - one signature for all
    """Walk the chunks (PNG specification, 5.3) and hold each to its CRC.

    Where the last one is missing, the decoder finds out whether all rows are there.
    """
    coding = None
    position, seen = 8, set()
    while chunk := _chunk(file, position):
        kind, length, start = chunk
        if kind == b"IEND":
            return Sound(file, coding=coding)
        if kind == b"cICP" and length == 4:
            coding = Coding(start[0], start[1])
        seen.add(kind)
        position += length + 12
    if b"IDAT" not in seen:
        raise cut_short("PNG")
    file.seek(0)
    whole = BytesIO(file.read(position) + _PNG_END)
    return Sound(whole, ("the PNG has no end mark, but its pixels are whole",), coding)


def _chunk(file: BinaryIO, position: int) -> tuple[bytes, int, bytes] | None:
    """Return type, length and first bytes of the PNG chunk there, None where the file ends."""
    file.seek(position)
    header = file.read(8)
    if len(header) < 8:
        return None
    length, kind = struct.unpack(">I4s", header)
    checksum, start = zlib.crc32(kind), b""
    for offset in range(0, length, _BLOCK):
        block = file.read(min(_BLOCK, length - offset))
        checksum, start = zlib.crc32(block, checksum), start or block[:4]
        if not block:
            return None
    stored = file.read(4)
    if len(stored) < 4:
        return None
    if int.from_bytes(stored) != checksum:
        raise ImageError(f"the PNG is damaged: its {kind.decode('latin-1')} chunk fails its CRC")
    return kind, length, start


def _jpeg(file: BinaryIO, picture: ImageFile) -> Sound:
    """Decode twice with different data after the end: a whole picture never gets to see it."""
    file.seek(0)
    data = file.read(_MOST_BYTES)
    end, marked, scans = _compressed_data(data)
    progressive = "progressive" in picture.info
    if not scans or (progressive and not marked and not _refined(scans)):
        raise cut_short("JPEG")
    one, other = (_sketch(data[:end] + filler, full=progressive) for filler in _FILLERS)
    if one != other:
        raise cut_short("JPEG")
    if marked:
        return Sound(file)
    whole = BytesIO(data[:end] + _JPEG_END)
    return Sound(whole, ("the JPEG has no end mark, but its pixels are whole",))


def _compressed_data(data: bytes) -> tuple[int, bool, list[bytes]]:
    """Return where a JPEG's last scan ends, whether an end mark follows, and all scan headers."""
    scans: list[bytes] = []
    position = 2
    while match := _JPEG_MARKER.search(data, position):
        marker, position = match[1][0], match.end()
        if marker == 0xD9:
            return match.start(), True, scans
        length = int.from_bytes(data[position : position + 2])
        if marker == 0xDA:
            scans.append(data[position + 2 : position + length])
        position += length
    # Zeros are what a download leaves where it stopped in a file made at full length.
    return len(data.rstrip(b"\0\xff")), False, scans


def _refined(scans: list[bytes]) -> bool:
    """Tell whether a progressive JPEG's scans hold all bits of all 64 coefficients (T.81 G)."""
    complete: dict[int, set[int]] = defaultdict(set)
    for scan in scans:
        first, last, approximation = scan[-3:]
        final = range(first, last + 1) if approximation & 15 == 0 else ()
        for component in scan[1:-3:2]:
            complete[component].update(final)
    return all(len(coefficients) == 64 for coefficients in complete.values())


def _sketch(data: bytes, *, full: bool) -> bytes:
    """Decode at an eighth of the size, which takes every block's mean and little time."""
    with Image.open(BytesIO(data + _JPEG_END), formats=["JPEG"]) as picture:
        if not full:
            picture.draft(None, (1, 1))
        return picture.tobytes()


def _boxes(file: BinaryIO, picture: ImageFile) -> Sound:
    """Walk the top-level boxes of AVIF and HEIF (ISO/IEC 14496-12, 4.2)."""
    size = file.seek(0, 2)
    coding = None
    for kind, start, end in _spans(file, size):
        if end > size:
            raise cut_short(picture.format or "picture")
        if kind == b"meta":
            file.seek(start)
            coding = _nclx(file.read(min(end - start, _BLOCK)))
    return Sound(file, coding=coding)


def _spans(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of each top-level box; the last one may claim too much."""
    start = 0
    while start + 8 <= size:
        file.seek(start)
        length, kind, large = struct.unpack(">I4sQ", file.read(16).ljust(16, b"\0"))
        length = {0: size - start, 1: large}.get(length, length)
        yield kind, start, start + length
        start += max(length, 8)


def _nclx(meta: bytes) -> Coding | None:
    """Return the first colour box with numbers (12.1.5): writers begin with the main picture."""
    found = re.search(rb"colrnclx(..)(..)", meta, re.DOTALL)
    return Coding(int.from_bytes(found[1]), int.from_bytes(found[2])) if found else None


def _tiff(file: BinaryIO, picture: ImageFile) -> Sound:
    """Refuse strips and tiles beyond the end of the file before libtiff looks for them."""
    size = file.seek(0, 2)
    tags = picture.tag_v2 if isinstance(picture, TiffImagePlugin.TiffImageFile) else {}
    for offset in (*tags.get(273, ()), *tags.get(324, ())):
        if offset >= size:
            raise cut_short("TIFF")
    return Sound(file)


_CHECKS: dict[str, Callable[[BinaryIO, ImageFile], Sound]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "MPO": _jpeg,
    "AVIF": _boxes,
    "HEIF": _boxes,
    "TIFF": _tiff,
}
