"""A layer of a PSD file is split, in place: the old file or the new one is there at any moment."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

from layerctl.address import find
from layerctl.batch import backup
from layerctl.batch.amendment import Change, finish, prepare, receipt_of, resume
from layerctl.batch.disk import sync
from layerctl.batch.scratch import scratch_in
from layerctl.document import Document, Layer, Node
from layerctl.errors import Busy, DocumentError, EnvironmentFault
from layerctl.formats import psd, psd_surgery
from layerctl.formats.psd_layers import pixels
from layerctl.formats.psd_layout import Layout, parse
from layerctl.formats.psd_tree import Item, tree, walk
from layerctl.photo.colour import rgb_profile
from layerctl.recursion.splitter import Count, Splitter, TakeApart

ICC_PROFILE = 1039
"""The image resource that holds the colour profile."""

UNCHANGED = ("st_dev", "st_ino", "st_size", "st_mtime_ns")
"""What tells that a file is the one that was read."""


@dataclass(frozen=True)
class Order:
    """What is asked for.

    `layer` is an address as `address.find` takes it. `out` is a file, or a folder that is there;
    None replaces the file itself, which stays beside it as a backup unless `backup` is False.
    `force` lets the result replace what is at `out`.
    """

    layer: str
    layers: Count = "auto"
    depth: int = 1
    least: float = 0.002
    compression: Literal["raw", "rle", "zip"] = "rle"
    out: Path | None = None
    backup: bool = True
    force: bool = False


@dataclass(frozen=True)
class Result:
    """What became of a file: where the result lies, and the nodes that its layer became.

    Without any nodes the split brought nothing: the file is as it was, and so is its copy if it was
    to go elsewhere (`copied`). `backup` is where the file is now that was replaced, if it was kept.
    """

    target: Path
    layer: Item
    parts: tuple[Node, ...]
    backup: Path | None = None
    copied: bool = False


def check(source: Path, order: Order) -> None:
    """Refuse now what `recurse` would refuse, before a model is loaded.

    Raises:
        Busy: Another run is at work on the file.
        DocumentError: The file or the layer cannot be split.
        EnvironmentFault: The result could not be written.
    """
    with _held(source) as held:
        _asked(held, order)


def recurse(source: Path, order: Order, take_apart: TakeApart) -> Result:
    """Split a layer of a PSD or PSB.

    Raises:
        Busy: Another run is at work on the file.
        DocumentError: The file or the layer cannot be split; nothing was written.
        EnvironmentFault: The result cannot be written; the file is as it was.
    """
    with _held(source) as held:
        layout, item, target = _asked(held, order)
        splitter = Splitter(take_apart, _canvas(layout), order.layers, order.depth, order.least)
        parts = splitter.split(_layer(layout, item))
        result = Result(target, item, parts, copied=not parts and target != held.path)
        return _written(result, layout, held, order) if parts or result.copied else result


def _asked(held: _Held, order: Order) -> tuple[Layout, Item, Path]:
    """Return the file's parts, the layer that is meant, and where the result goes."""
    layout = parse(held.data)
    item = pick(layout, order.layer)
    psd_surgery.check_splittable(layout, item)
    return layout, item, _target(held.path, order)


def pick(layout: Layout, address: str) -> Item:
    """Return the layer or group that is meant.

    Raises:
        DocumentError: Nothing is called so, or several are.
    """
    items = {item.number: item for item in walk(tree(layout.records))}
    return items[find(address, {number: item.name for number, item in items.items()})]


def _canvas(layout: Layout) -> Document:
    profile = rgb_profile(layout.resource(ICC_PROFILE))
    return Document(layout.header.width, layout.header.height, (), profile)


def _layer(layout: Layout, item: Item) -> Layer:
    left, top, _, _ = item.record.box
    return Layer(item.name, "product", pixels(layout, layout.placed[item.index]), left, top)


@dataclass(frozen=True)
class _Held:
    """A file as it was read, which no other run of ours is at work on."""

    path: Path
    data: bytes
    status: os.stat_result

    def check_unchanged(self) -> None:
        """Refuse to replace what another program has written or removed since."""
        try:
            status = self.path.stat()
        except FileNotFoundError as error:
            raise DocumentError("it was removed while it was split") from error
        if any(getattr(status, field) != getattr(self.status, field) for field in UNCHANGED):
            raise DocumentError("it was changed while it was split; nothing was written")


@contextmanager
def _held(path: Path) -> Iterator[_Held]:
    """Read a file and hold it alone; the kernel lets go if we are killed."""
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy("another run is at work on it") from error
        except OSError:
            # Some network file systems have no locks; that the file is still the same is checked.
            pass
        yield _Held(path.resolve(), file.read(), os.fstat(file.fileno()))


def _opened(path: Path) -> BinaryIO:
    try:
        if path.exists() and not path.is_file():
            raise DocumentError("it is no regular file")
        return path.open("rb")
    except FileNotFoundError as error:
        raise DocumentError("it does not exist") from error
    except OSError as error:
        raise DocumentError(f"it cannot be read: {error.strerror}") from error


def _target(path: Path, order: Order) -> Path:
    """Return where the result goes; refuse what could not be written or would be lost."""
    if order.out is None:
        for place in (path, path.parent):
            if not os.access(place, os.W_OK):
                raise EnvironmentFault(f"{place} is write-protected; name another with --out")
        return path
    try:
        target = order.out / path.name if order.out.is_dir() else order.out
        there = target.exists()
    except OSError as error:
        raise EnvironmentFault(f"cannot write to {order.out}: {error.strerror}") from error
    if there and target.samefile(path):
        raise DocumentError("--out names the file itself; leave it out to split in place")
    if there and not order.force:
        raise DocumentError(f"{target} is there already; --force replaces it")
    return target


def _written(result: Result, layout: Layout, held: _Held, order: Order) -> Result:
    """Write the file with the layer split, or its copy, and all that follows from it."""
    target, path = result.target, held.path
    compression = psd.COMPRESSIONS[order.compression]
    pieces: Iterable[bytes | memoryview] = [held.data]
    if result.parts:
        pieces = psd_surgery.graft(layout, result.layer, result.parts, compression)
    resume(target.parent)
    with scratch_in(target.parent, finish) as folder:
        fresh = folder / target.name
        with fresh.open("wb") as writer:
            writer.writelines(pieces)
        fresh.chmod(stat.S_IMODE(held.status.st_mode))
        sync(fresh)
        standing = receipt_of(path) if target == path else None
        if standing:
            change = Change(path, layout, result.layer.number, result.parts)
            prepare(change, standing, folder)
        held.check_unchanged()
        if target == path and order.backup:
            spare = folder / f"{path.name}{backup.ENDING}"
            result = replace(result, backup=backup.keep(path, spare))
        fresh.replace(target)
        sync(target.parent)
    return result
