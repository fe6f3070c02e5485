"""A layer of a PSD becomes a group of layers, and every byte that is not its own stays.

The group's record is the layer's: name, place, opacity, blend mode, visibility, colour, mask,
effects, blending options, identity, and blocks that nobody knows. It only gives up its pixels and
gets a divider. Masks, effects and what is clipped to the layer see in the group the same picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import count

from psd_tools.constants import ColorMode, Compression, Tag

from layerctl.document import Node
from layerctl.errors import DocumentError
from layerctl.formats import psd_records as records
from layerctl.formats.psd_bytes import Splice, recounted, spliced
from layerctl.formats.psd_layers import NOTHING, check_whole, mode_of
from layerctl.formats.psd_layout import Layout, Placed
from layerctl.formats.psd_parts import (
    ALPHA,
    MEANT,
    NO_PIXELS,
    REAL_USER_MASK,
    TRANSPARENCY_LOCKED,
    USER_MASK,
    Block,
    Channel,
    Record,
    block,
    encode_record,
)
from layerctl.formats.psd_tree import GROUP, PIXELS, Item

CHANNELS = {ColorMode.GRAYSCALE: records.GREY, ColorMode.RGB: records.RGB}
"""Colour modes whose layers can be split, and the channels of a layer in each."""

FILL_MODES = frozenset(
    (b"idiv", b"lbrn", b"div ", b"lddg", b"vLit", b"lLit", b"hMix", b"diff"),
)
"""Blend modes for which a fill opacity is not the same as an opacity."""

RASTERIZABLE = ("text", "smart object", "video or 3D", "shape", "fill")
"""Kinds of layers that Photoshop can make pixels of."""

PIXEL_LOCKS = 0b11
"""Locks of transparency and of pixels, neither of which a group has."""

ID_SEED = 1044
"""The image resource that holds a number above which new layers are numbered."""

LARGEST_ID = 2**31 - 1
"""Beyond, readers may take an identity for negative; then those that no layer has must do."""

FILLERS = {1026: bytes(2), 1072: b"\1"}
"""Image resources with an entry for each record, and a new one: not linked; an enabled group."""

MOST_RECORDS = 32_767
"""Layer records, dividers included, that a file can count."""


def check_splittable(layout: Layout, item: Item) -> None:
    """Refuse a layer that no group of pixel layers can stand for.

    Raises:
        DocumentError: A sentence that says why, and what to do first.
    """
    head = layout.header
    if head.depth != 8 or head.mode not in CHANNELS:
        raise DocumentError(f"its pixels are {mode_of(layout)}; convert a copy to 8-bit RGB first")
    if reason := _unfit(layout, item):
        raise DocumentError(f"the layer '{item.name}' ({item.number}) {reason}")
    check_whole(layout)


def _unfit(layout: Layout, item: Item) -> str:
    if item.kind == GROUP:
        return "is a group; name one of the layers in it"
    if item.kind != PIXELS:
        return _contents(item.kind)
    if item.record.clipping:
        return "is clipped to another, and groups cannot be; release or merge it first"
    if item.record.fill < 255 and item.record.blend in FILL_MODES:
        return f"has a fill opacity and blends by {item.blend}; set its fill to 100% first"
    identities = [channel.identity for channel in item.record.channels]
    known = CHANNELS[ColorMode(layout.header.mode)]
    if not set(known) - {ALPHA} <= set(identities) <= {*known, USER_MASK, REAL_USER_MASK}:
        return "has other channels than the document's colours, alpha and masks"
    return ""


def _contents(kind: str) -> str:
    if kind in RASTERIZABLE:
        return f"is a {kind} layer; rasterize a copy of it first"
    return f"is an adjustment ({kind}), which has no pixels to split"


def graft(
    layout: Layout, item: Item, children: Iterable[Node], compression: Compression
) -> Iterator[memoryview]:
    """Yield the bytes of the file with a group of `children` in the place of a layer.

    Args:
        layout: The file; of 8-bit RGB, or of 8-bit grey, where the children's red is taken.
        item: The layer; it may be all that `check_splittable` lets through.
        children: Layers and groups, bottom first, in the coordinates of the canvas.
        compression: How to pack their pixels.

    Raises:
        DocumentError: The file would be larger than its format allows.
    """
    channels = CHANNELS[ColorMode(layout.header.mode)]
    encoding = records.Encoding(compression, layout.header.version, channels)
    fresh = [records.divider(encoding), *records.layers(tuple(children), encoding)]
    _number(fresh, layout)
    placed = layout.placed[item.index]
    group = _as_group(placed.record, channels)
    splices = _inserted(layout, placed, group, [_encoded(record, encoding) for record in fresh])
    splices += _entries(layout, item.index, len(fresh))
    if not layout.wide and len(layout.data) + sum(s.growth for s in splices) > records.PSD_BYTES:
        raise DocumentError("it would be too large for a PSD; save it as a PSB first")
    return spliced(layout.data, splices)


def _number(fresh: list[records.Record], layout: Layout) -> None:
    """Give new records identities that no layer has or ever had, if the file has any at all."""
    known = [record.block(b"lyid") for record in layout.records]
    used = {int.from_bytes(identity[:4]) for identity in known if identity}
    if used:
        last = max(*used, int.from_bytes((layout.resource(ID_SEED) or b"")[:4]))
        first = last + 1 if last + len(fresh) <= LARGEST_ID else 1
        free = (identity for identity in count(first) if identity not in used)
        for (record, _), identity in zip(fresh, free, strict=False):
            record.tagged_blocks.set_data(Tag.LAYER_ID, identity)


def _encoded(made: records.Record, encoding: records.Encoding) -> tuple[bytes, bytes]:
    """Return the bytes of a new record and of its channel image data."""
    record, channels = made
    head, data = BytesIO(), BytesIO()
    for info, channel in zip(record.channel_info, channels, strict=True):
        info.length = channel.write(data)
    record.write(head, version=encoding.version)
    return head.getvalue(), data.getvalue()


def _as_group(record: Record, channels: tuple[int, ...]) -> Record:
    """Return a layer's record as that of an open group, isolated by its blend mode."""
    masks = tuple(channel for channel in record.channels if channel.identity <= USER_MASK)
    divider = block(b"lsct", (1).to_bytes(4) + record.signature + record.blend)
    others = [b for b in record.blocks if b.key not in (b"lsct", b"lsdk")]
    return replace(
        record,
        box=(0, 0, 0, 0),
        channels=(*(Channel(identity, NOTHING) for identity in channels), *masks),
        flags=record.flags & ~TRANSPARENCY_LOCKED | MEANT | NO_PIXELS,
        blocks=(*map(_of_a_group, others), divider),
    )


def _of_a_group(found: Block) -> Block:
    """Return a block of a layer as a group has it."""
    if found.key == b"lnsr":
        return block(b"lnsr", b"lset")
    locks = int.from_bytes(found.data[:4])
    if found.key == b"lspf" and locks & PIXEL_LOCKS:
        return block(b"lspf", (locks & ~PIXEL_LOCKS).to_bytes(4) + found.data[4:])
    return found


def _inserted(
    layout: Layout, placed: Placed, group: Record, below: list[tuple[bytes, bytes]]
) -> list[Splice]:
    """Return what puts a group and the records below it in a layer's place."""
    heads = b"".join(head for head, _ in below) + encode_record(group, wide=layout.wide)
    data = b"".join(data for _, data in below) + _group_data(layout, placed, group)
    splices = [
        _counted(layout, len(below)),
        Splice(placed.start, placed.end, heads),
        Splice(placed.pixels, placed.pixels + placed.size, data),
    ]
    splices.append(_padded(layout, sum(splice.growth for splice in splices)))
    growth = sum(splice.growth for splice in splices)
    return splices + [recounted(section, growth) for section in layout.around]


def _group_data(layout: Layout, placed: Placed, group: Record) -> bytes:
    """Return the image data of a group's channels: nothing, and its masks as they are."""
    at, masks = placed.pixels, []
    for channel in placed.record.channels:
        if channel.identity <= USER_MASK:
            masks.append(layout.data[at : at + channel.size])
        at += channel.size
    return bytes(NOTHING * (len(group.channels) - len(masks))) + b"".join(masks)


def _counted(layout: Layout, number: int) -> Splice:
    """Return what raises the layer count; its sign stays."""
    if abs(layout.count) + number > MOST_RECORDS:
        raise DocumentError(f"it would have more than {MOST_RECORDS:,} layers")
    start = layout.around[-1].start
    total = layout.count + (number if layout.count > 0 else -number)
    return Splice(start, start + 2, total.to_bytes(2, signed=True))


def _padded(layout: Layout, growth: int) -> Splice:
    """Return what rounds the layer info up to four bytes; what lies there but zeros stays."""
    last, section = layout.placed[-1], layout.around[-1]
    end = last.pixels + last.size
    tail = layout.data[end : section.end].rstrip(b"\0")
    size = end - section.start + growth + len(tail)
    return Splice(end, section.end, tail + bytes(-size % 4))


def _entries(layout: Layout, index: int, number: int) -> list[Splice]:
    """Return what keeps resources in step that have an entry for each layer record.

    A resource whose entries say the same without it stays as it is.
    """
    splices: list[Splice] = []
    for resource in layout.resources:
        filler = FILLERS.get(resource.identity)
        if filler:
            start, end = resource.data.start, resource.data.end
            old, at = layout.data[start:end], index * len(filler)
            new = old[:at] + filler * number + old[at:]
            if not new.startswith(old):
                padded = Splice(start, end + len(old) % 2, new + bytes(len(new) % 2))
                splices += [recounted(resource.data, len(new) - len(old)), padded]
    growth = sum(splice.growth for splice in splices)
    return [*splices, recounted(layout.resource_section, growth)] if splices else []
