"""What is around things, carried on behind them, where a picture is even there.

Few photos have a plain backdrop, but behind most products there is a wall, or something far out
of focus. Where that hardly changes nearby, it tells of a pixel whether something stands before it
as a plain backdrop does.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl import channels
from layerctl.backdrop import Backdrop, figure_odds
from layerctl.compositing import Floats
from layerctl.pyramid import spread

NEARBY = 0.02
"""Reach, as a share of the longest side, of what is nearby."""

AROUND = 0.06
"""Reach, as a share of the longest side, of the light and the hues that may be found nearby."""

ENOUGH = 0.05
"""Share of a neighbourhood that must be seen for it to tell anything."""

UNSEEN = 2.0
"""More than any light or hue, and with a minus less than any."""

TRACE, MARGIN = 0.1, 0.006
"""A pixel with less than the first of a thing, or of its chance, shows the surroundings, so far
from any other, as a share of the longest side.
"""

EVEN = 0.013
"""Deviation of colours, in [0, 1], up to which surroundings are even."""

FAR = 0.06
"""Distance, as a share of the longest side, beyond which nobody knows how they go on."""

POSSIBLE = 0.25
"""Chance of a thing from which another colour speaks for one, and up to which theirs speaks against
it: in a room colours change for other reasons, too, and things may have those of what is around.
"""


def unevenness(picture: Floats, seen: NDArray[np.bool_], reach: float = NEARBY) -> Floats:
    """Return how far colours nearby deviate from their mean (h, w), also near what is not seen.

    Args:
        picture: (h, w, 3) in [0, 1].
        seen: (h, w), what counts of it.
        reach: How far nearby is, as a share of the longest side.
    """
    side = 2 * round(reach * max(seen.shape)) + 1
    weight = seen.astype(np.float32)[..., None]
    share = cv2.blur(weight, (side, side))
    total = np.maximum(share, 1e-4)[..., None]
    mean = cv2.blur(picture * weight, (side, side)) / total
    squares = cv2.blur(np.square(picture - mean) * weight, (side, side)) / total
    deviation = np.sqrt(np.maximum(channels.total(squares)[..., None], 0))
    uneven: Floats = spread(deviation, share > ENOUGH)[..., 0]
    return uneven


def hues(colours: Floats) -> Floats:
    """Return the light of colours (..., 3), and how much redder and bluer than that they are."""
    light = channels.mean(colours)[..., None]
    tinted: Floats = np.concatenate([light, (colours - light)[..., ::2]], axis=-1)
    return tinted


@dataclass(frozen=True, eq=False)
class Palette:
    """The least and the most (h, w, 3) there is of light and hue nearby."""

    least: Floats
    most: Floats


def palette(picture: Floats, seen: NDArray[np.bool_], reach: float = AROUND) -> Palette:
    """Return what light and hues (h, w, 3) there are nearby, also near what is not seen.

    Args:
        picture: (h, w, 3) in [0, 1].
        seen: (h, w), what counts of it.
        reach: How far that is, as a share of the longest side.
    """
    tinted, kernel = hues(picture), np.ones((2 * round(reach * max(seen.shape)) + 1,) * 2)
    counts = seen[..., None]
    least = cv2.erode(np.where(counts, tinted, np.float32(UNSEEN)), kernel)
    most = cv2.dilate(np.where(counts, tinted, np.float32(-UNSEEN)), kernel)
    told = least[..., 0] < UNSEEN
    return Palette(spread(least, told), spread(most, told))


def surrounding_odds(picture: Floats, figure: Floats, chance: Floats) -> Floats:
    """Return what the surroundings say of each pixel, as `figure_odds`: 0 where they are uneven.

    Args:
        picture: (h, w, 3) RGB in [0, 1].
        figure: (h, w) in [0, 1], roughly where the things are.
        chance: (h, w) in [0, 1], how surely a pixel shows any.
    """
    around = _around(figure, chance)
    if around.mean() < ENOUGH:
        return np.zeros_like(figure)
    noise = unevenness(picture, around)
    behind = spread(np.where(around[..., None], picture, 0).astype(np.float32), around)
    odds = figure_odds(picture, Backdrop(behind, noise, plain=True), figure, chance)
    away = cv2.distanceTransform((~around).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    known = (noise < EVEN) & (away < FAR * max(figure.shape))
    credible = (odds > 0) == (chance > POSSIBLE)
    told: Floats = np.where(known & credible, odds, 0).astype(np.float32)
    return told


def _around(figure: Floats, chance: Floats) -> NDArray[np.bool_]:
    """Return where (h, w) the surroundings of things are seen, safely away from these."""
    side = 2 * round(MARGIN * max(figure.shape)) + 1
    traces = ((figure > TRACE) | (chance > TRACE)).astype(np.uint8)
    around: NDArray[np.bool_] = cv2.dilate(traces, np.ones((side, side), np.uint8)) == 0
    return around
