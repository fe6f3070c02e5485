"""Layer records and the blocks in them, as they lie in a PSD or PSB.

What is not needed is kept as bytes, so that a record encodes to the very bytes it was read from.
Field names are those of "Layer and Mask Information" in Adobe's "Photoshop File Formats
Specification" (2019).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from layerctl.document import Box
from layerctl.formats.psd_bytes import Reader, Section

SIGNATURES = (b"8BIM", b"8B64")
"""What additional layer information begins with."""

WIDE = frozenset(
    (
        *(b"LMsk", b"Lr16", b"Lr32", b"Layr", b"Mt16", b"Mt32", b"Mtrn", b"Alph", b"FMsk"),
        *(b"lnk2", b"lnk3", b"lnkE", b"FEid", b"FXid", b"PxSD", b"pths", b"extd", b"extn"),
        *(b"cinf", b"artd"),
    )
)
"""Keys of blocks that a PSB counts in eight bytes instead of four."""

LONGEST_PADDING = 3
"""Zeros that may follow a block: writers round to 1, 2 or 4 bytes."""

ALPHA, USER_MASK, REAL_USER_MASK = -1, -2, -3
"""Channel identities below that of the first colour, 0."""

TRANSPARENCY_LOCKED, HIDDEN, MEANT, NO_PIXELS = 1, 2, 8, 16
"""Bits of a record's flags; `MEANT` says that `NO_PIXELS` has a meaning."""

BOUNDING, GROUPS = 3, (1, 2)
"""Types of section dividers: below a group's lowest layer; an open and a closed group."""


@dataclass(frozen=True)
class Block:
    """A block of additional layer information; `raw` is all of it, padding included."""

    key: bytes
    data: bytes
    raw: bytes


@dataclass(frozen=True)
class Channel:
    """A channel's identity, and the bytes of its image data, compression included."""

    identity: int
    size: int


@dataclass(frozen=True)
class Record:
    """A layer record; `box` is left, top, right, bottom.

    `mask`, `ranges` and `name` are bytes with the length that precedes them; `tail` is what comes
    after the last block that could be read.
    """

    box: Box
    channels: tuple[Channel, ...]
    signature: bytes
    blend: bytes
    opacity: int
    clipping: int
    flags: int
    filler: int
    mask: bytes
    ranges: bytes
    name: bytes
    blocks: tuple[Block, ...]
    tail: bytes

    @property
    def visible(self) -> bool:
        """Whether the layer is switched on."""
        return not self.flags & HIDDEN

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        left, top, right, bottom = self.box
        return max(right - left, 0), max(bottom - top, 0)

    @property
    def divider(self) -> int:
        """The type of its section divider, 0 for a layer that is none."""
        return int.from_bytes((self.block(b"lsct", b"lsdk") or b"")[:4])

    @property
    def fill(self) -> int:
        """The fill opacity, 0 to 255, which leaves effects as they are."""
        return (self.block(b"iOpa") or b"\xff")[0]

    def block(self, *keys: bytes) -> bytes | None:
        """Return the data of the first block with one of these keys."""
        return next((block.data for block in self.blocks if block.key in keys), None)

    def title(self) -> str:
        """Return the layer's name: the Unicode one, else the old one, taken for Mac Roman."""
        unicode = self.block(b"luni")
        if unicode is not None and len(unicode) >= 4:
            units = 2 * int.from_bytes(unicode[:4])
            return unicode[4 : 4 + units].decode("utf-16-be", "replace").rstrip("\0")
        return self.name[1 : 1 + self.name[0]].decode("macroman") if self.name else ""


def read_record(reader: Reader, *, wide: bool) -> Record:
    """Read a layer record, of a PSB if `wide`."""
    top, left, bottom, right, count = reader.take(">4iH")
    channels = tuple(Channel(*reader.take(">hQ" if wide else ">hI")) for _ in range(count))
    signature, blend, opacity, clipping, flags, filler = reader.take(">4s4s4B")
    extra = reader.within(reader.section(4))
    mask, ranges = extra.counted(), extra.counted()
    name = extra.grab(min(extra.left, _padded_name(extra.peek(1))))
    blocks = tuple(block for block, _ in read_blocks(extra, wide=wide))
    return Record(
        box=(left, top, right, bottom),
        channels=channels,
        signature=signature,
        blend=blend,
        opacity=opacity,
        clipping=clipping,
        flags=flags,
        filler=filler,
        mask=mask,
        ranges=ranges,
        name=name,
        blocks=blocks,
        tail=extra.grab(extra.left),
    )


def _padded_name(length: bytes) -> int:
    """Return the bytes of a Pascal string, its length byte included, rounded up to 4."""
    return (sum(length) // 4 + 1) * 4


def read_blocks(reader: Reader, *, wide: bool) -> Iterator[tuple[Block, Section]]:
    """Yield blocks, and where the data of each lie, until there is something else."""
    while reader.left >= 12 and reader.peek(4) in SIGNATURES:
        start = reader.at
        signature, key = reader.take(">4s4s")
        large = signature == b"8B64" or (wide and key in WIDE)
        body = reader.section(8 if large else 4)
        reader.skip(_padding(reader))
        data = reader.data[body.start : body.end]
        yield Block(key, data, reader.data[start : reader.at]), body


def _padding(reader: Reader) -> int:
    """Return the number of zeros up to the next block or the end; 0 if neither follows zeros."""
    for size in range(LONGEST_PADDING + 1):
        ahead = reader.peek(size + 4)
        if not any(ahead[:size]) and (size == reader.left or ahead[size:] in SIGNATURES):
            return size
    return 0


def encode_record(record: Record, *, wide: bool) -> bytes:
    """Return the bytes of a layer record, for a PSB if `wide`."""
    left, top, right, bottom = record.box
    extra = b"".join(
        (
            *(record.mask, record.ranges, record.name),
            *(block.raw for block in record.blocks),
            record.tail,
        )
    )
    form = ">hQ" if wide else ">hI"
    look = (record.blend, record.opacity, record.clipping, record.flags, record.filler)
    return b"".join(
        (
            struct.pack(">4iH", top, left, bottom, right, len(record.channels)),
            *(struct.pack(form, channel.identity, channel.size) for channel in record.channels),
            struct.pack(">4s4s4BI", record.signature, *look, len(extra)),
            extra,
        )
    )


def block(key: bytes, data: bytes) -> Block:
    """Return a new block, its data rounded up to four bytes as Photoshop does."""
    padded = data + bytes(-len(data) % 4)
    return Block(key, padded, SIGNATURES[0] + key + len(padded).to_bytes(4) + padded)
