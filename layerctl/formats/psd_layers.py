"""What is in a PSD, anybody's: pixels of layers, nodes of a document, rows of a tree."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psd_tools.compression import PSDDecompressionWarning, decompress
from psd_tools.constants import ColorMode, Compression

from layerctl.document import Blend, Box, Group, Layer, Node, Pixels, Role
from layerctl.errors import DocumentError
from layerctl.formats.psd_layout import Layout, Placed
from layerctl.formats.psd_parts import ALPHA
from layerctl.formats.psd_tree import GROUP, PIXELS, Item, tree, walk

PLAIN_BLENDS: Mapping[str, Blend] = {
    "normal": "normal",
    "pass through": "normal",
    "multiply": "multiply",
}

SAMPLES: Mapping[int, str] = {8: "u1", 16: ">u2", 32: ">f4"}
"""How a channel's samples are stored, by bits."""

STRANGE: Mapping[str, str] = {
    "mask": "has a mask",
    "vector mask": "has a mask",
    "clipped": "is clipped to another",
    "effects": "has effects",
    "fill opacity": "has a fill opacity",
}
"""What a layer may have that a `Document` has not, and how that is said."""

NOTHING = 2
"""Bytes of the image data of a channel without pixels: the compression alone."""

BROKEN = (
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What psd-tools lets through on damaged files, its older versions more than the newer."""


@dataclass(frozen=True)
class Row:
    """One line of a layer tree.

    `opacity` is in [0, 1]; `coverage` is the share of the canvas that is not transparent in the
    layer, None where there are no pixels; `traits` are words such as "mask" and "clipped".
    """

    number: str
    name: str
    kind: str
    box: Box
    blend: str
    opacity: float
    visible: bool
    coverage: float | None
    traits: tuple[str, ...]


def nodes(layout: Layout) -> tuple[Node, ...]:
    """Return the layers and groups of an 8-bit RGB file, bottom first.

    Raises:
        DocumentError: A layer holds what a `Document` cannot, or is damaged.
    """
    check_plain(layout)
    items = tree(layout.records)
    return tuple(_node(layout, item, bottom=not place) for place, item in enumerate(items))


def check_plain(layout: Layout) -> None:
    """Refuse everything but 8-bit RGB."""
    head = layout.header
    if (head.mode, head.depth) != (ColorMode.RGB, 8):
        raise DocumentError(f"its pixels are {mode_of(layout)}; layers are read from 8-bit RGB")


def mode_of(layout: Layout) -> str:
    """Return the colour mode and the depth in words: "CMYK of 8 bits"."""
    head = layout.header
    known = head.mode in set(ColorMode)
    mode = ColorMode(head.mode).name if known else f"the colour mode {head.mode}"
    return f"{mode} of {head.depth} bits"


def pixels(layout: Layout, placed: Placed) -> Pixels:
    """Return the pixels of an 8-bit RGB or grey layer: (h, w, 4) straight RGBA, without its mask.

    Raises:
        DocumentError: A channel is damaged.
    """
    width, height = placed.record.size
    if not (width and height):
        return np.zeros((1, 1, 4), np.uint8)
    grey = layout.header.mode == ColorMode.GRAYSCALE
    planes = [(number, channel(layout, placed, number)) for number in range(1 if grey else 3)]
    planes.append((3, channel(layout, placed, ALPHA)))
    found = np.zeros((height, width, 4), np.uint8)
    found[..., 3] = 255
    for index, plane in planes:
        if plane is not None:
            found[..., index] = plane
    if grey:
        found[..., 1:3] = found[..., :1]
    return found


def channel(layout: Layout, placed: Placed, identity: int) -> NDArray[Any] | None:
    """Return a channel of a layer, (h, w); None where it has none, or no pixels.

    Raises:
        DocumentError: It cannot be unpacked.
    """
    (width, height), at = placed.record.size, placed.pixels
    for known in placed.record.channels:
        if known.identity == identity and known.size > NOTHING and width and height:
            kind = int.from_bytes(layout.data[at : at + 2])
            return _plane(layout, layout.data[at + 2 : at + known.size], kind, (height, width))
        at += known.size
    return None


def _plane(layout: Layout, packed: bytes, kind: int, shape: tuple[int, int]) -> NDArray[Any]:
    (height, width), head = shape, layout.header
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PSDDecompressionWarning)
            codec = Compression(kind)
            data = decompress(packed, codec, width, height, head.depth, head.version)
        return np.frombuffer(data, SAMPLES[head.depth]).reshape(shape)
    except (PSDDecompressionWarning, *BROKEN) as error:
        raise DocumentError("it is damaged: a channel cannot be unpacked") from error


def merged(layout: Layout) -> Pixels:
    """Return the merged picture of an 8-bit RGB file, no longer matted with white.

    Raises:
        DocumentError: It is damaged, or not 8-bit RGB.
    """
    check_plain(layout)
    check_whole(layout)
    head, start = layout.header, layout.merged
    packed, kind = layout.data[start + 2 :], int.from_bytes(layout.data[start : start + 2])
    stacked = _plane(layout, packed, kind, (head.height * head.channels, head.width))
    planes = stacked.reshape(head.channels, head.height, head.width)
    found = np.full((head.height, head.width, 4), 255, np.uint8)
    transparent = head.channels > 3 and layout.count < 0
    for index in range(4 if transparent else 3):
        found[..., index] = planes[index]
    return _off_white(found) if transparent else found


def check_whole(layout: Layout) -> None:
    """Refuse a merged picture that ends early, which RLE decoding would fill up with black."""
    head, start = layout.header, layout.merged
    kind = int.from_bytes(layout.data[start : start + 2])
    rows = head.height * head.channels
    least = rows * ((head.width * head.depth + 7) // 8) if kind == Compression.RAW else 1
    if kind == Compression.RLE:
        width = 2 * head.version
        table = layout.data[start + 2 : start + 2 + rows * width]
        lengths = np.frombuffer(table[: len(table) // width * width], f">u{width}")
        least = rows * width + int(lengths.sum(dtype=np.int64))
    if len(layout.data) - start - 2 < least:
        raise DocumentError("it is damaged: the merged picture ends early")


def rows(layout: Layout) -> tuple[Row, ...]:
    """Return a row for every layer and group, bottom first, numbered as in a `Document`."""
    return tuple(_row(layout, item) for item in walk(tree(layout.records)))


def _row(layout: Layout, item: Item) -> Row:
    record = item.record
    return Row(
        number=item.number,
        name=item.name,
        kind=item.kind,
        box=_box(item),
        blend=item.blend,
        opacity=record.opacity / 255,
        visible=record.visible,
        coverage=_coverage(layout, item),
        traits=tuple(item.traits),
    )


def _box(item: Item) -> Box:
    """Return a layer's box; that of a group is around what is in it."""
    boxes = [box for child in item.children or () if any(box := _box(child))]
    if not boxes:
        return item.record.box
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _coverage(layout: Layout, item: Item) -> float | None:
    """Return the share of the canvas that a layer's pixels are on; they need not be readable."""
    placed = layout.placed[item.index]
    painted = [c for c in placed.record.channels if c.identity >= ALPHA and c.size > NOTHING]
    if item.kind == GROUP or not painted:
        return None
    left, top, right, bottom = placed.record.box
    width, height = layout.header.width, layout.header.height
    x0, x1 = max(left, 0), min(right, width)
    y0, y1 = max(top, 0), min(bottom, height)
    inside = max(x1 - x0, 0) * max(y1 - y0, 0)
    alpha = channel(layout, placed, ALPHA)
    if alpha is not None and inside:
        inside = int(np.count_nonzero(alpha[y0 - top : y1 - top, x0 - left : x1 - left]))
    return inside / (width * height)


def _node(layout: Layout, item: Item, *, bottom: bool = False) -> Node:
    """Return a layer or group; refuse what a `Document` cannot hold."""
    blend = PLAIN_BLENDS.get(item.blend)
    strange = _strange(item)
    if blend is None or strange:
        reason = strange or f"blends by {item.blend}"
        raise DocumentError(f"the layer '{item.name}' {reason}, which layerctl cannot read")
    shared: dict[str, Any] = {
        "name": item.name,
        "opacity": item.record.opacity / 255,
        "blend": blend,
        "visible": item.record.visible,
    }
    if item.children is not None:
        return Group(children=tuple(_node(layout, child) for child in item.children), **shared)
    role: Role = "shadow" if blend == "multiply" else "background" if bottom else "product"
    placed = layout.placed[item.index]
    left, top, _, _ = item.record.box
    return Layer(role=role, pixels=pixels(layout, placed), left=left, top=top, **shared)


def _strange(item: Item) -> str | None:
    """Return what there is to a layer beside its pixels, if anything."""
    if item.kind not in (PIXELS, GROUP):
        return f"is of the kind '{item.kind}'"
    return next((reason for trait, reason in STRANGE.items() if trait in item.traits), None)


def _off_white(found: Pixels) -> Pixels:
    for band in found:
        alpha = band[:, 3:].astype(np.float32)
        colour = (band[:, :3] - (255 - alpha)) * (255 / np.maximum(alpha, 1))
        band[:, :3] = np.rint(np.clip(colour, 0, 255))
    return found
