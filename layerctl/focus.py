"""Outlines out of focus, which are wider than others.

How much wider an edge gets when a picture is blurred once more tells how blurred it is already
(Zhuo and Sim, Defocus map estimation from a single image, Pattern Recognition 2011).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl import channels
from layerctl.compositing import Floats
from layerctl.pyramid import spread

DENOISED, BLURRED = 0.7, 1.5
"""Blurs, in pixels, against noise and to compare with."""

NEAR, APART = 9, 7
"""Widths in pixels of where an outline's edge may be, and of where it is steepest."""

FAINT = 0.015
"""Change of colour a pixel, in [0, 1], below which nothing is an edge."""

ALONG = 60
"""Reach in pixels of what edges have in common: the stronger one is, the more it says."""

SOFT, MOST = 2.0, 12.0
"""Blur, in pixels, from which an outline is out of focus, and the most that can be told."""

WIDE = 3.0
"""Half the width of a blurred edge, in blurs."""


def soft_outlines(picture: Floats, figure: Floats) -> NDArray[np.bool_]:
    """Return where (h, w) the outline of a figure is so much out of focus that both sides show.

    Args:
        picture: (h, w, 3) RGB in [0, 1].
        figure: (h, w) in [0, 1], cut out.
    """
    inside = (figure > 0.5).astype(np.uint8)
    rim = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((NEAR, NEAR), np.uint8)) > 0
    calm = cv2.GaussianBlur(picture, (0, 0), DENOISED)
    steep, flat = _steepness(calm), _steepness(cv2.GaussianBlur(calm, (0, 0), BLURRED))
    beside = cv2.dilate(steep * rim, np.ones((APART, APART), np.uint8))
    edge = rim & (steep > FAINT) & (steep >= beside)
    ratio = np.square(steep / np.maximum(flat, FAINT / 10))
    blur = np.minimum(BLURRED / np.sqrt(np.maximum(ratio - 1, 1e-3)), MOST)
    weight = np.where(edge, steep, 0).astype(np.float32)
    sums = cv2.blur(np.dstack([blur * weight, weight]), (2 * ALONG + 1, 2 * ALONG + 1))
    around = spread(sums[..., :1] / np.maximum(sums[..., 1:], 1e-9), edge)[..., 0]
    outline = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    away = cv2.distanceTransform(1 - outline, cv2.DIST_L2, cv2.DIST_MASK_5)
    soft: NDArray[np.bool_] = (around > SOFT) & (away < WIDE * around)
    return soft


def _steepness(picture: Floats) -> Floats:
    """Return how much colours (h, w, 3) change a pixel: (h, w)."""
    across, down = (cv2.Sobel(picture, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1)))
    steepness: Floats = np.sqrt(channels.total(np.square(across) + np.square(down)))
    return steepness
