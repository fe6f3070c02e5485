"""Bytes that are read from front to end, and bytes that replace others."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from layerctl.errors import DocumentError


@dataclass(frozen=True)
class Section:
    """Bytes from `start` to `end`, whose number stands between `count` and `start`."""

    count: int
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Splice:
    """Bytes to put in the place of those from `start` to `end`."""

    start: int
    end: int
    new: bytes

    @property
    def growth(self) -> int:
        """By how many bytes the file gets longer."""
        return len(self.new) - (self.end - self.start)


class Reader:
    """A place in bytes that moves on as they are read, up to an end.

    Whatever would go beyond the end is a `DocumentError`.
    """

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data = data
        self.at = at
        self.end = end

    @property
    def left(self) -> int:
        """Bytes up to the end."""
        return self.end - self.at

    def skip(self, size: int) -> int:
        """Move on by so many bytes and return where they begin."""
        if not 0 <= size <= self.left:
            raise DocumentError("it is damaged: a part of it goes beyond its end")
        self.at += size
        return self.at - size

    def peek(self, size: int) -> bytes:
        """Return the next bytes, fewer at the end, and stay where we are."""
        return self.data[self.at : min(self.at + size, self.end)]

    def grab(self, size: int) -> bytes:
        """Return the next bytes and pass them."""
        start = self.skip(size)
        return self.data[start : self.at]

    def take(self, form: str) -> tuple[Any, ...]:
        """Return the next numbers, by a format of `struct`."""
        return struct.unpack_from(form, self.data, self.skip(struct.calcsize(form)))

    def section(self, width: int) -> Section:
        """Pass a section whose length stands in `width` bytes before it."""
        count = self.skip(width)
        start = self.skip(int.from_bytes(self.data[count : self.at]))
        return Section(count, start, self.at)

    def counted(self) -> bytes:
        """Return bytes together with the four that count them; nothing where nothing is left."""
        if not self.left:
            return b""
        section = self.section(4)
        return self.data[section.count : section.end]

    def within(self, section: Section) -> Reader:
        """Return a reader of a section."""
        return Reader(self.data, section.start, section.end)


def recounted(section: Section, growth: int) -> Splice:
    """Return the splice that tells a section's new length.

    Raises:
        DocumentError: The length does not fit its field.
    """
    width = section.start - section.count
    try:
        return Splice(section.count, section.start, (len(section) + growth).to_bytes(width))
    except OverflowError as error:
        raise DocumentError("it would be too large for a PSD; save it as a PSB first") from error


def spliced(data: bytes, splices: Iterable[Splice]) -> Iterator[memoryview]:
    """Yield the bytes with the splices in their places: what no splice names stays as it is."""
    whole, at = memoryview(data), 0
    for splice in sorted(splices, key=lambda splice: splice.start):
        yield whole[at : splice.start]
        yield memoryview(splice.new)
        at = splice.end
    yield whole[at:]
