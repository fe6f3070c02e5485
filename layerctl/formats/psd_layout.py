"""Where everything lies in a PSD or PSB: the sections, the image resources, the layers.

The file is kept as it is; what is found are offsets into it. Chapter names are those of Adobe's
"Photoshop File Formats Specification" (2019), which calls a PSB a large document.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from layerctl.errors import DocumentError
from layerctl.formats.psd_bytes import Reader, Section
from layerctl.formats.psd_parts import Record, read_blocks, read_record

LAYER_BLOCKS = (b"Lr16", b"Lr32", b"Layr")
"""Blocks that hold the layers of documents of more than 8 bits, in place of the layer info."""


@dataclass(frozen=True)
class Header:
    """The file header: `version` is 1 for a PSD and 2 for a PSB, `mode` a colour mode's number."""

    version: int
    channels: int
    height: int
    width: int
    depth: int
    mode: int


@dataclass(frozen=True)
class Resource:
    """An image resource's number, and where its data lie."""

    identity: int
    data: Section


@dataclass(frozen=True)
class Placed:
    """A layer record from `start` to `end`; its image data begin at `pixels`."""

    record: Record
    start: int
    end: int
    pixels: int

    @property
    def size(self) -> int:
        """Bytes of its image data, channel after channel."""
        return sum(channel.size for channel in self.record.channels)


@dataclass(frozen=True)
class Layout:
    """A file and where its parts lie.

    `around` are the sections around the layers, the layer info itself the last; there are none
    where there are no layers. `merged` is where the merged picture begins, its compression
    included.
    """

    data: bytes
    header: Header
    resources: tuple[Resource, ...]
    resource_section: Section
    around: tuple[Section, ...]
    placed: tuple[Placed, ...]
    merged: int

    @property
    def wide(self) -> bool:
        """Whether it is a PSB, whose lengths are wider."""
        return self.header.version == 2

    @property
    def count(self) -> int:
        """The layer count; negative where the first alpha channel is the merged transparency."""
        return _count(self.data, self.around[-1]) if self.around else 0

    @property
    def records(self) -> tuple[Record, ...]:
        """The layer records, bottom first."""
        return tuple(placed.record for placed in self.placed)

    def resource(self, identity: int) -> bytes | None:
        """Return the data of an image resource."""
        found = (r.data for r in self.resources if r.identity == identity)
        return next((self.data[data.start : data.end] for data in found), None)


def read_layout(path: Path) -> Layout:
    """Read a file and find its parts.

    Raises:
        DocumentError: It cannot be read, is no PSD, or is damaged.
    """
    try:
        if path.exists() and not path.is_file():
            raise DocumentError("it is no regular file")
        return parse(path.read_bytes())
    except FileNotFoundError as error:
        raise DocumentError("it does not exist") from error
    except OSError as error:
        raise DocumentError(f"it cannot be read: {error.strerror}") from error


def parse(data: bytes) -> Layout:
    """Find the parts of a PSD or PSB.

    Raises:
        DocumentError: It is no PSD, or one of its parts goes beyond what contains it.
    """
    reader = Reader(data, 0, len(data))
    if reader.peek(4) != b"8BPS":
        raise DocumentError("it is no Photoshop document, or its beginning is damaged")
    header = Header(*reader.take(">4xH6xHIIHH"))
    if header.version not in (1, 2):
        raise DocumentError(f"it is a Photoshop document of an unknown version, {header.version}")
    reader.section(4)
    resources = reader.section(4)
    outer = reader.section(4 * header.version)
    wide = header.version == 2
    info = _layer_info(reader.within(outer), wide=wide)
    return Layout(
        data=data,
        header=header,
        resources=tuple(_resources(reader.within(resources))),
        resource_section=resources,
        around=(outer, info) if info else (),
        placed=tuple(_placed(reader.within(info), wide=wide)) if info else (),
        merged=outer.end,
    )


def _resources(reader: Reader) -> Iterator[Resource]:
    while reader.left >= 12:
        _, identity, name = reader.take(">4sHB")
        reader.skip(name + (name + 1) % 2)
        data = reader.section(4)
        reader.skip(min(len(data) % 2, reader.left))
        yield Resource(identity, data)


def _layer_info(reader: Reader, *, wide: bool) -> Section | None:
    """Return the section that the layers are in, if there are any."""
    if not reader.left:
        return None
    info = reader.section(8 if wide else 4)
    if _count(reader.data, info):
        return info
    reader.counted()
    blocks = read_blocks(reader, wide=wide)
    found = (body for block, body in blocks if block.key in LAYER_BLOCKS)
    return next((body for body in found if _count(reader.data, body)), None)


def _count(data: bytes, info: Section) -> int:
    return int.from_bytes(data[info.start : min(info.start + 2, info.end)], signed=True)


def _placed(reader: Reader, *, wide: bool) -> Iterator[Placed]:
    """Yield the layer records with their places: first come all records, then all image data."""
    found = []
    (count,) = reader.take(">h")
    for _ in range(abs(count)):
        start = reader.at
        found.append((read_record(reader, wide=wide), start, reader.at))
    for record, start, end in found:
        placed = Placed(record, start, end, reader.at)
        reader.skip(placed.size)
        yield placed
