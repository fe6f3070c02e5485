"""Things looked at once more, each filling the picture: what seemed to be one may be several.

Small things that touch are a few entries of the fields each; from near they are as large as things
that the network tells apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from layerctl_model.separator import Fields
from layerctl_model.things import LEAST, PRODUCT, SURE, Things, find_things, outline, tell_apart

MARGINS = 0.1, 0.2
"""What is seen around a thing on each side, as shares of its longer side, at one look and another.

Both must find it to be several: where the network is in doubt, a little farther it says otherwise.
"""

NEAREST, FARTHEST = 0.3, 0.85
"""Shares of the picture's longer side that are looked at from near at least, and at most."""


@dataclass(frozen=True)
class Box:
    """A part of a picture, in shares of its width and height."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0


Look: TypeAlias = Callable[[Box, int], Fields]
"""Tells the fields of a part of a picture, seen at a resolution."""


def find_all(look: Look, resolutions: Sequence[int], size: tuple[int, int]) -> Things:
    """Return the things in a picture, as masks of (height, width).

    At the first resolution they are told apart, from near as well; at all of them it is seen what
    pixels show.
    """
    fields, *more = [look(Box(), resolution) for resolution in resolutions]
    things = find_things(fields, size, more)
    return look_closer(things, lambda box: look(box, resolutions[0]))


def look_closer(things: Things, look: Callable[[Box], Fields]) -> Things:
    """Return things with those that are several from near in their parts, in the same place."""
    parts = [_parts(things, k, look) for k in range(len(things.shares))]
    if not parts:
        return things
    shares, whole = (torch.cat(masks) for masks in zip(*parts, strict=True))
    return replace(things, shares=shares, whole=whole)


@dataclass(frozen=True)
class _Frame:
    """A part of a mask: rows and columns, and the height and width of all of it."""

    rows: slice
    columns: slice
    size: tuple[int, int]

    @property
    def box(self) -> Box:
        height, width = self.size
        rows, columns = self.rows, self.columns
        return Box(
            columns.start / width, rows.start / height, columns.stop / width, rows.stop / height
        )

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """What is left of it, right, above and below."""
        height, width = self.size
        rows, columns = self.rows, self.columns
        return columns.start, width - columns.stop, rows.start, height - rows.stop


def _parts(things: Things, k: int, look: Callable[[Box], Fields]) -> tuple[Tensor, Tensor]:
    """Return the shares and the whole of what thing k is from near, itself if that is one."""
    alone = things.shares[k : k + 1], things.whole[k : k + 1]
    shown = things.shares[k] * things.kinds[PRODUCT]
    parts = alone
    for frame in _frames(shown > SURE):
        fields, part = look(frame.box), shown[frame.rows, frame.columns]
        there = F.interpolate(part[None, None], size=fields.kinds.shape[2:], mode="bilinear")[0, 0]
        asked = tell_apart(fields, there, LEAST * shown.numel() / part.numel())
        if len(asked.queries) < 2:
            return alone
        shares, whole = outline(asked, fields, part)
        # What is outside, where next to nothing shows, goes to the part nearest to the edge.
        shares = F.pad(shares[None], frame.margins, mode="replicate")[0] * things.shares[k]
        parts = shares, F.pad(whole, frame.margins)
    return parts


def _frames(mask: Tensor) -> list[_Frame]:
    """Return a mask (H, W) with each of the margins; none if there is nothing to see from near."""
    if mask.sum() < 2 * LEAST * mask.numel():
        return []  # its parts would be too small for things
    spans = [(int(line.min()), int(line.max()) + 1) for line in mask.nonzero().T]
    length, longest = max(end - start for start, end in spans), max(mask.shape)
    sides = [max((1 + 2 * margin) * length, NEAREST * longest) for margin in MARGINS]
    if max(sides) > FARTHEST * longest:
        return []
    return [_frame(spans, round(side), (mask.shape[0], mask.shape[1])) for side in sides]


def _frame(spans: Sequence[tuple[int, int]], side: int, size: tuple[int, int]) -> _Frame:
    """Return a square around what spans rows and columns, as far as there is room for one."""
    rows, columns = (_span(*span, side, whole) for span, whole in zip(spans, size, strict=True))
    return _Frame(rows, columns, size)


def _span(start: int, end: int, side: int, whole: int) -> slice:
    """Return a part of a line around another one, as long as `side` if there is so much of it."""
    side = min(side, whole)
    first = min(max((start + end - side) // 2, 0), whole - side)
    return slice(first, first + side)
