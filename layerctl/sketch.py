"""A model's guess at a photo's layers, and what is made of it on the way to their full size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl.backdrop import Backdrop
from layerctl.compositing import Floats
from layerctl.document import Role

SEEN = 0.95
"""Share of a pixel from which it counts as showing one layer alone."""

WIDE = (5,)
"""Width in pixels of what shows a layer alone, far enough from its outline."""

NEARBY = 0.05
"""Reach, as a share of the longest side, within which a plain surface hardly changes."""


@dataclass(frozen=True)
class Guess:
    """What the model made of a photo, bottom first.

    `layers` is (N, h, w, 4) straight RGBA in [0, 1]; the bottom one is the background and counts
    as opaque. `solid` says of each layer whether it has an outline to cut along: strokes of text
    and other thin things have not. `chance` (h, w) in [0, 1] is how surely a pixel shows any thing,
    as far as the model knows that apart from what it draws: 1 otherwise. It is finer than the
    layers if it was seen from nearer.
    """

    layers: Floats
    roles: tuple[Role, ...]
    solid: tuple[bool, ...]
    chance: Floats

    @property
    def black(self) -> tuple[bool, ...]:
        """For each layer whether it is a shadow, whose colour is fixed."""
        return tuple(role == "shadow" for role in self.roles)

    @property
    def ground(self) -> tuple[bool, ...]:
        """For each layer whether it is the background or a shadow on it, without edges to keep."""
        return tuple(role in ("background", "shadow") for role in self.roles)

    @property
    def cut(self) -> tuple[bool, ...]:
        """For each layer whether it is cut along the photo's edges though only drawn, not known."""
        return tuple(s and not g for s, g in zip(self.solid, self.ground, strict=True))


@dataclass(frozen=True)
class Sketch:
    """A guess beside its photo, at the size at which edges and hidden colour are worked out.

    `small` (h, w, 4) is the photo and `layers` (K, h, w, 4) the model's, in [0, 1]; `shares`
    (K, h, w) says how much of each layer is seen. A pixel of the model's own is `coarse` of these
    wide, and 1 at least. `soft` (h, w) is where outlines are out of focus.
    """

    small: Floats
    layers: Floats
    shares: Floats
    backdrop: Backdrop
    coarse: float
    soft: NDArray[np.bool_]


def alone(share: Floats, widths: tuple[int, ...] = WIDE) -> NDArray[np.bool_]:
    """Return where a layer is seen and nothing else, safely away from its outline.

    A hard cut calls the soft pixels of an outline pure; they would bleed into what they border.
    Of parts too thin for the first of the widths, in pixels, the next ones take what they can.
    """
    pure = (share > SEEN).astype(np.uint8)
    found = np.zeros_like(pure)
    for width in widths:
        inner = cv2.erode(pure, np.ones((width, width), np.uint8))
        found |= inner & ~cv2.dilate(found, np.ones((9, 9), np.uint8))
    where: NDArray[np.bool_] = found > 0
    return where
