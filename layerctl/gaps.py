"""Gaps in things through which the backdrop shows: in a hook, under a strap, beside an arm.

The model looks too coarsely to see small ones, and what is light in one may be a white thing's in
another. So before a plain backdrop several signs have to agree: its hue and an even light, a
thing's edge all around, and a chance of a thing that falls there, if only a little. Elsewhere,
where colours tell nothing, the chance has to fall by half.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl import channels
from layerctl.compositing import Floats

Mask: TypeAlias = NDArray[np.bool_]
Box: TypeAlias = tuple[slice, slice]

FLAT = 0.06
"""Difference of neighbouring pixels, in [0, 1], up to which they may be the same patch's."""

HUE, GLOOM = 0.02, 0.25
"""Distance from the backdrop's hue, in [0, 1], and share of its light missing, up to which a pixel
may show it.
"""

STEADY = 0.025
"""Standard deviation of the light missing in a patch up to which it is even."""

STEEP = 0.1
"""Light missing, beyond the patch's own, from which a pixel near a patch is a thing's."""

CLOSED = 0.55
"""Share of what is around a patch that has to be a thing's."""

LIKELY, DIP = 0.85, 0.08
"""Chance of a thing up to which a patch is a gap, and by which it has to be less than on the things
around it.
"""

LEAST = 0.0001
"""Share of the canvas that a gap takes at least."""

EDGE, RING, AROUND = 2, 5, 15
"""Distances in pixels from a patch: where its edge is over, up to which things have to close it
in, and up to which their chances are compared with its own.
"""

NARROW = 0.02
"""Half width, as a share of the longest side, up to which a fall of the chance is a gap."""

FALLS = 0.4, 0.7
"""Shares of the chance on both sides of a gap between which it says ever less that there is one."""

LITTLE = 0.01
"""Chance of a thing that is none: its falls are no gaps."""


def open_gaps(figure: Floats, chance: Floats) -> Floats:
    """Return a figure without what was drawn where the chance of a thing falls between things.

    Args:
        figure: (h, w) in [0, 1], roughly where things are.
        chance: (h, w) in [0, 1], how surely a pixel shows any.
    """
    reach = round(NARROW * max(chance.shape))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    sides = cv2.morphologyEx(chance, cv2.MORPH_CLOSE, kernel)
    open_, closed = FALLS
    rest = (chance / np.maximum(sides, LITTLE) - open_) / (closed - open_)
    opened: Floats = np.minimum(figure, np.clip(rest, 0, 1))
    return opened


def find_gaps(
    picture: Floats, missing: Floats, off: Floats, stands: Mask, chance: Floats
) -> tuple[Mask, Mask]:
    """Return where (h, w) a plain backdrop shows through things, and the edges of these gaps.

    Args:
        picture: (h, w, 3) RGB in [0, 1].
        missing: (h, w) in [0, 1], the share of the backdrop's light that is missing.
        off: (h, w) in [0, 1], how far colours are from the backdrop's, so lit.
        stands: (h, w), where no shadow on the backdrop could be.
        chance: (h, w) in [0, 1], how surely a pixel shows a thing.
    """
    gaps, edges = np.zeros(chance.shape, np.bool_), np.zeros(chance.shape, np.bool_)
    for patch, box in _patches(picture, missing, off):
        if _is_gap(patch, missing[box], stands[box], chance[box]):
            gaps[box] |= patch
            edges[box] |= _widen(patch, EDGE)
    return gaps, edges & ~gaps


def _patches(picture: Floats, missing: Floats, off: Floats) -> Iterator[tuple[Mask, Box]]:
    """Yield the flat patches of the backdrop's hue, clear of the frame, with what is around each.

    A patch is (i, j), where in a box of the picture it is.
    """
    kernel = np.ones((3, 3), np.uint8)
    steps = channels.largest(cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, kernel))
    flat = (steps < FLAT) & (off < HUE) & (missing < GLOOM)
    core = cv2.morphologyEx(flat.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(core, connectivity=4)
    height, width = core.shape
    for label in range(1, len(boxes)):
        left, top, across, down, area = boxes[label].tolist()
        right, bottom = left + across, top + down
        clear = left > 0 and top > 0 and right < width and bottom < height
        if clear and area > LEAST * core.size:
            rows = slice(max(0, top - AROUND), bottom + AROUND)
            box = rows, slice(max(0, left - AROUND), right + AROUND)
            yield labels[box] == label, box


def _is_gap(patch: Mask, missing: Floats, stands: Mask, chance: Floats) -> bool:
    """Return whether a patch (i, j) is a gap, by what it shows and what is around it."""
    light, likely = missing[patch], float(chance[patch].mean())
    if likely > LIKELY or light.std() > STEADY:
        return False
    thing = stands | (missing > light.mean() + STEEP)
    ring = _widen(patch, RING) & ~_widen(patch, EDGE)
    around = thing & _widen(patch, AROUND)
    if not ring.any() or thing[ring].mean() < CLOSED:
        return False
    return bool(chance[around].mean() > likely + DIP)


def _widen(mask: Mask, reach: int) -> Mask:
    """Return a mask (h, w) with what is within reach of it, in pixels."""
    wide: Mask = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1,) * 2)) > 0
    return wide
