"""The layers of a PSD as people see them: a tree with numbers, names and kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from layerctl.formats.psd_parts import BOUNDING, GROUPS, REAL_USER_MASK, USER_MASK, Record

PIXELS, GROUP = "pixel", "group"

CONTENTS: Mapping[bytes, str] = {
    b"TySh": "text",
    b"tySh": "text",
    **dict.fromkeys((b"SoLd", b"SoLE", b"PlLd", b"plLd"), "smart object"),
    **dict.fromkeys((b"PxSc", b"PxSD"), "video or 3D"),
    b"brit": "brightness",
    b"levl": "levels",
    b"curv": "curves",
    b"expA": "exposure",
    b"vibA": "vibrance",
    b"hue ": "hue",
    b"hue2": "hue",
    b"blnc": "color balance",
    b"blwh": "black and white",
    b"phfl": "photo filter",
    b"mixr": "channel mixer",
    b"clrL": "color lookup",
    b"nvrt": "invert",
    b"post": "posterize",
    b"thrs": "threshold",
    b"grdm": "gradient map",
    b"selc": "selective color",
}
"""What a layer is that has such a block, if it is not made of pixels."""

FILLS = (b"SoCo", b"GdFl", b"PtFl", b"vscg")
VECTOR_MASKS = (b"vmsk", b"vsms")
EFFECTS = (b"lfx2", b"lfxs", b"lmfx", b"lrFX")

BLENDS: Mapping[bytes, str] = {
    b"pass": "pass through",
    b"norm": "normal",
    b"diss": "dissolve",
    b"dark": "darken",
    b"mul ": "multiply",
    b"idiv": "color burn",
    b"lbrn": "linear burn",
    b"dkCl": "darker color",
    b"lite": "lighten",
    b"scrn": "screen",
    b"div ": "color dodge",
    b"lddg": "linear dodge",
    b"lgCl": "lighter color",
    b"over": "overlay",
    b"sLit": "soft light",
    b"hLit": "hard light",
    b"vLit": "vivid light",
    b"lLit": "linear light",
    b"pLit": "pin light",
    b"hMix": "hard mix",
    b"diff": "difference",
    b"smud": "exclusion",
    b"fsub": "subtract",
    b"fdiv": "divide",
    b"hue ": "hue",
    b"sat ": "saturation",
    b"colr": "color",
    b"lum ": "luminosity",
}


@dataclass(frozen=True)
class Item:
    """A layer or group: its number, the index of its record from the bottom, what is in it."""

    number: str
    index: int
    record: Record
    children: tuple[Item, ...] | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return self.record.title()

    @property
    def kind(self) -> str:
        """In a word: "pixel", "group", "text", "shape", "fill", or an adjustment's name."""
        if self.children is not None:
            return GROUP
        for key, kind in CONTENTS.items():
            if self.record.block(key) is not None:
                return kind
        if self.record.block(*FILLS) is not None:
            return "fill" if self.record.block(*VECTOR_MASKS) is None else "shape"
        return PIXELS

    @property
    def blend(self) -> str:
        """The blend mode in words; that of a group stands in its divider."""
        divider = self.record.block(b"lsct", b"lsdk") or b""
        key = divider[8:12] or self.record.blend
        return BLENDS.get(key, key.decode("latin-1").strip())

    @property
    def traits(self) -> Iterator[str]:
        """What there is to it besides its pixels, a word or two each."""
        record = self.record
        if record.clipping:
            yield "clipped"
        if {channel.identity for channel in record.channels} & {USER_MASK, REAL_USER_MASK}:
            yield "mask"
        if record.block(*VECTOR_MASKS) is not None and self.kind != "shape":
            yield "vector mask"
        if record.block(*EFFECTS) is not None:
            yield "effects"
        if record.fill < 255:
            yield "fill opacity"


def tree(records: Sequence[Record]) -> tuple[Item, ...]:
    """Return the items at the top of the tree, bottom first.

    Groups lie in the file as a hidden divider, their layers, and the group's own record.
    Dividers without a partner are passed over.
    """
    levels: list[list[Item]] = [[]]
    for index, record in enumerate(records):
        if record.divider == BOUNDING:
            levels.append([])
        elif record.divider in GROUPS:
            inside = levels.pop() if len(levels) > 1 else []
            levels[-1].append(Item("", index, record, tuple(inside)))
        else:
            levels[-1].append(Item("", index, record))
    return tuple(_numbered([item for level in levels for item in level], ""))


def _numbered(items: Sequence[Item], prefix: str) -> Iterator[Item]:
    for place, item in enumerate(items, start=1):
        number = f"{prefix}{place}"
        inside = item.children
        if inside is not None:
            inside = tuple(_numbered(inside, f"{number}/"))
        yield replace(item, number=number, children=inside)


def walk(items: Sequence[Item]) -> Iterator[Item]:
    """Yield every item, a group before what is in it."""
    for item in items:
        yield item
        yield from walk(item.children or ())
