"""Pictures looked at more than once: as they are, without what is around, and from near.

Small things that touch are a few entries of the fields each, and a product of many parts may seem
to be several; from near there is more of them to see, and on plain grey nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from layerctl_model.separator import Fields, Separator, look
from layerctl_model.things import (
    BACKGROUND,
    LEAST,
    PRODUCT,
    SURE,
    Asked,
    Things,
    chances,
    come_nearer,
    find_things,
    outline,
    sharpen,
    tell_apart,
)

GREY = 0.5
"""What is around things that are seen alone, neither light nor dark."""

MARGINS = 0.1, 0.2
"""What is seen around a thing on each side, as shares of its longer side, at one look and another.

A thing is parted if both agree: where the network is in doubt, a little farther it says otherwise.
"""

CHEAP, DEAR = 0.1, 0.16
"""Shares of pixels, as `SPLIT`, that have to be better explained from near by several things: for
two to stay two, and for one to become several. Between them the first look is right.
"""

GAP = 0.01
"""Distance, as a share of the longer side, up to which things touch."""

NEAREST = 0.3
"""Share of the picture's longer side that is looked at from near at least."""


RIM, NEARER = 0.05, 1.2
"""What is seen around all things on each side at a look for detail, as a share of their longer
side, and how much nearer that look has to be than one at the whole picture.
"""


@dataclass(frozen=True)
class Crop:
    """A part of a picture, in shares of its width and height."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0


View: TypeAlias = Callable[[Crop, int], Tensor]
"""Shows a part of a picture at a resolution: (4, h, w), straight RGBA in [0, 1]."""

Look: TypeAlias = Callable[[Crop, int, Tensor | None], Fields]
"""Tells the fields of a part of a picture, seen at a resolution.

Of all that it shows, or only of what is there in a mask (H, W) in [0, 1] of the whole picture.
"""

Near: TypeAlias = Callable[[Crop, Tensor], Fields]
"""Tells the fields of a part of a picture, seen from near, for what is there in a mask (H, W)."""


def look_with(separator: Separator, view: View) -> Look:
    """Return what looks at a picture with a separator; fields are on the CPU."""

    def look_at(crop: Crop, resolution: int, mask: Tensor | None) -> Fields:
        picture = view(crop, resolution)
        if mask is not None:
            picture = isolate(picture, _part(mask, crop))
        return look(separator, _signed(picture, separator)).cpu()

    return look_at


def isolate(picture: Tensor, mask: Tensor) -> Tensor:
    """Return what a mask (h, w) of any size has of a picture (4, H, W), the rest plain grey."""
    there = F.interpolate(mask[None, None], size=picture.shape[1:], mode="bilinear")[0].to(picture)
    return torch.cat([GREY + (picture[:3] - GREY) * there, picture[3:]])


def find_all(look: Look, resolutions: Sequence[int], size: tuple[int, int]) -> Things:
    """Return the things in a picture, as masks of (height, width).

    At the first resolution they are told apart, with and without what is around them, and from near
    as well; at all of them it is seen what pixels show.
    """
    first = resolutions[0]
    fields, *more = [look(Crop(), resolution, None) for resolution in resolutions]
    there = 1 - chances((fields, *more), size)[BACKGROUND]
    fields = _averaged(fields, look(Crop(), first, there))
    things = find_things(fields, size, more)

    def look_near(crop: Crop, mask: Tensor) -> Fields:
        return _averaged(look(crop, first, None), look(crop, first, mask))

    return look_closer(things, look_near)


def detailed(things: Things, separator: Separator, view: Callable[[Crop], Tensor]) -> Things:
    """Return things whose kinds end where a larger view of their picture, (4, h, w), shows it.

    With a nearer one as well, if they leave enough of the picture empty. It is looked at once: in a
    mirror there is no more detail.
    """

    def glance(crop: Crop) -> Fields:
        return separator(_signed(view(crop), separator)).cpu()

    kinds = sharpen(things.kinds, glance(Crop()))
    frame = _around(1 - kinds[BACKGROUND] > SURE)
    if frame is None:
        return replace(things, kinds=kinds)
    near = come_nearer(kinds, glance(frame.crop), frame.rows, frame.columns)
    return replace(things, kinds=kinds, near=near)


def _signed(picture: Tensor, separator: Separator) -> Tensor:
    """Return a picture (4, H, W) in [0, 1] as a separator sees it: (1, 4, H, W) in [-1, 1]."""
    return (2 * picture[None] - 1).to(separator.conv_in.weight)


def _part(mask: Tensor, crop: Crop) -> Tensor:
    """Return what a mask (H, W) of a whole picture says of a part of it."""
    height, width = mask.shape
    rows = slice(round(crop.top * height), round(crop.bottom * height))
    return mask[rows, round(crop.left * width) : round(crop.right * width)]


def _averaged(fields: Fields, without: Fields) -> Fields:
    """Return fields that answer as both do on average; what pixels show is as the first say."""
    return replace(fields.beside(without), kinds=fields.kinds)


def look_closer(things: Things, look: Near) -> Things:
    """Return things as they are from near: some that touch as one, some that are several as those.

    The first look is right where the closer ones are not sure of something else.
    """
    return _parted(_joined(things, look), look)


@dataclass(frozen=True)
class _Frame:
    """A part of a mask: rows and columns, and the height and width of all of it."""

    rows: slice
    columns: slice
    size: tuple[int, int]

    @property
    def crop(self) -> Crop:
        height, width = self.size
        rows, columns = self.rows, self.columns
        return Crop(
            columns.start / width, rows.start / height, columns.stop / width, rows.stop / height
        )

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """What is left of it, right, above and below."""
        height, width = self.size
        rows, columns = self.rows, self.columns
        return columns.start, width - columns.stop, rows.start, height - rows.stop


def _joined(things: Things, look: Near) -> Things:
    """Return things with those that touch as one that are one from near, at the largest's place."""
    shown = things.shares * things.kinds[PRODUCT]
    sizes = shown.sum(dim=(1, 2)).tolist()
    groups = sorted(_alike(shown, look), key=lambda group: max(group, key=lambda k: sizes[k]))
    if len(groups) == len(shown):
        return things
    return replace(
        things,
        shares=torch.stack([things.shares[group].sum(dim=0) for group in groups]),
        whole=torch.stack([things.whole[group].amax(dim=0) for group in groups]),
    )


def _alike(shown: Tensor, look: Near) -> list[list[int]]:
    """Return which things, of what shows of each (K, H, W), are one from near."""
    label = list(range(len(shown)))
    for one, other in combinations(label, 2):
        if label[one] == label[other] or not _touch(shown[one], shown[other]):
            continue
        together = shown[one] + shown[other]
        frames = _frames(together > SURE)
        if frames and len(_ask(together, frames[0], look, CHEAP)[0].queries) == 1:
            label = [label[one] if k == label[other] else k for k in label]
    return [[k for k, mine in enumerate(label) if mine == own] for own in sorted(set(label))]


def _touch(one: Tensor, other: Tensor) -> bool:
    """Whether what shows of two things, (H, W) each, is next to each other somewhere."""
    reach = round(GAP * max(one.shape))
    near = F.max_pool2d(one[None], 2 * reach + 1, stride=1, padding=reach)[0]
    return bool(((near > SURE) & (other > SURE)).any())


def _parted(things: Things, look: Near) -> Things:
    """Return things with those that are several from near in their parts, in the same place."""
    parts = [_parts(things, k, look) for k in range(len(things.shares))]
    if not parts:
        return things
    shares, whole = (torch.cat(masks) for masks in zip(*parts, strict=True))
    return replace(things, shares=shares, whole=whole)


def _parts(things: Things, k: int, look: Near) -> tuple[Tensor, Tensor]:
    """Return the shares and the whole of what thing k is from near, itself if that is one."""
    alone = things.shares[k : k + 1], things.whole[k : k + 1]
    shown = things.shares[k] * things.kinds[PRODUCT]
    frames = _frames(shown > SURE)
    if len(frames) < len(MARGINS):
        return alone
    for frame in frames:
        asked, fields = _ask(shown, frame, look, DEAR)
        if len(asked.queries) < 2:
            return alone
    shares, whole = outline(asked, fields, shown[frame.rows, frame.columns])
    # What is outside, where next to nothing shows, goes to the part that is nearest to the edge.
    shares = F.pad(shares[None], frame.margins, mode="replicate")[0] * things.shares[k]
    return shares, F.pad(whole, frame.margins)


def _ask(shown: Tensor, frame: _Frame, look: Near, price: float) -> tuple[Asked, Fields]:
    """Return what is asked for where a thing shows (H, W), and what answers, both from near."""
    fields, part = look(frame.crop, shown), shown[frame.rows, frame.columns]
    there = F.interpolate(part[None, None], size=fields.kinds.shape[2:], mode="bilinear")[0, 0]
    return tell_apart(fields, there, LEAST * shown.numel() / part.numel(), price), fields


def _frames(mask: Tensor) -> list[_Frame]:
    """Return a mask (H, W) with each of the margins, but where it fills the picture already."""
    if mask.sum() < 2 * LEAST * mask.numel():
        return []  # its parts would be too small for things
    spans = _spans(mask)
    length, longest = max(end - start for start, end in spans), max(mask.shape)
    sides = [max((1 + 2 * margin) * length, NEAREST * longest) for margin in MARGINS]
    size = mask.shape[0], mask.shape[1]
    return [_frame(spans, (round(side),) * 2, size) for side in sides if side <= longest]


def _around(mask: Tensor) -> _Frame | None:
    """Return what of a picture is around a mask (H, W), if that is much less than all."""
    if not mask.any():
        return None
    spans, longest = _spans(mask), max(mask.shape)
    rim = 2 * RIM * max(end - start for start, end in spans)
    sides = [round(max(end - start + rim, NEAREST * longest)) for start, end in spans]
    if max(sides) * NEARER > longest:
        return None
    return _frame(spans, sides, (mask.shape[0], mask.shape[1]))


def _spans(mask: Tensor) -> list[tuple[int, int]]:
    """Return the first and the end of the rows and of the columns that a mask (H, W) is in."""
    return [(int(line.min()), int(line.max()) + 1) for line in mask.nonzero().T]


def _frame(spans: Sequence[tuple[int, int]], sides: Sequence[int], size: tuple[int, int]) -> _Frame:
    """Return a height and a width of what is around rows and columns, as far as there is room."""
    rows, columns = (
        _span(*span, side, whole) for span, side, whole in zip(spans, sides, size, strict=True)
    )
    return _Frame(rows, columns, size)


def _span(start: int, end: int, side: int, whole: int) -> slice:
    """Return a part of a line around another one, as long as `side` if there is so much of it."""
    side = min(side, whole)
    first = min(max((start + end - side) // 2, 0), whole - side)
    return slice(first, first + side)
