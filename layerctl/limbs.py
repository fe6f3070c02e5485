"""Legs, straps and stalks: what is too thin of a thing for a cut by colours to keep.

The border of a thin thing is long beside its area, so that a cut would rather do without. But where
the chance of a thing rises along a line and the picture has a line of its own there, it is seen.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl import channels
from layerctl.backdrop import Backdrop, share_of
from layerctl.compositing import Floats

Mask: TypeAlias = NDArray[np.bool_]

WIDE, FINE = 0.045, 0.035
"""Widths, as a share of the longest side, up to which chances and colours are of something thin."""

ROOM, PLAIN = (0.1, 0.3, 0.35), (0.06, 0.2, 0.25)
"""How far colours of a limb must be above or below those on both sides, how far chances must be
above, and its mean chance.

Lines on the ground have some chance, too; a plain backdrop has no lines.
"""

GAP = 0.006
"""Gap, as a share of the longest side, that may be between the parts of a thing."""

LONG = 0.03
"""How far, as a share of the longest side, a limb leads away: what is nearer the cut has seen."""


def find_limbs(picture: Floats, figure: Mask, chance: Floats, backdrop: Backdrop) -> Mask:
    """Return where (h, w) something thin hangs on a figure that is no part of it yet.

    Args:
        picture: (h, w, 3) RGB in [0, 1].
        figure: (h, w), what was cut out.
        chance: (h, w) in [0, 1], how surely a pixel shows any thing.
        backdrop: What stands behind it, as far as that is plain.
    """
    longest = max(figure.shape)
    apart, rise, likely = PLAIN if backdrop.plain else ROOM
    clear = np.maximum(apart, backdrop.tolerance) if backdrop.plain else apart
    rises = (_above(chance, WIDE * longest) > rise) & ~figure
    missed = np.zeros_like(figure)
    # What is between two dark lines is a light one: each by itself, or they would be one area.
    for image in (picture, 1 - picture):
        lines = rises & (channels.largest(_above(image, FINE * longest)) > clear)
        missed |= lines & (share_of(chance, _parts(lines, 0)) > likely)
    both = missed | figure
    hanging = missed & (share_of(figure, _parts(both, GAP) * both) > 0.5)
    away = cv2.distanceTransform((~figure).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    far = hanging & (away > LONG * longest)
    limbs: Mask = hanging & (share_of(far, _parts(hanging, GAP)) > 0)
    return limbs


def _above(image: Floats, width: float) -> Floats:
    """Return how far an image is above what is on both sides of it, at most so many pixels off."""
    above: Floats = cv2.morphologyEx(image, cv2.MORPH_TOPHAT, _square(width))
    return above


def _parts(mask: Mask, gap: float) -> NDArray[np.int32]:
    """Return the number (h, w) of the part that a pixel is in, across gaps of a share of a side."""
    joined = cv2.dilate(mask.astype(np.uint8), _square(gap * max(mask.shape)))
    parts: NDArray[np.int32] = cv2.connectedComponents(joined)[1]
    return parts


def _square(width: float) -> NDArray[np.uint8]:
    side = 2 * round(width / 2) + 1
    return np.ones((side, side), np.uint8)
