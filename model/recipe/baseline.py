"""What layerctl is compared with: GrabCut with inpainting, and doing nothing."""

from __future__ import annotations

import cv2
import numpy as np
from parts import Parts, gather

from layerctl.compositing import Bytes

BORDER = 0.05
"""Share of each side, at its ends, that GrabCut takes for backdrop from the start."""

ITERATIONS = 5
RADIUS = 5
"""Reach of the inpainting, in pixels."""


def grab_cut(photo: Bytes) -> Parts:
    """Return the product by OpenCV's GrabCut (Rother et al., 2004), the backdrop by Telea's method.

    It starts from the full frame (H, W, 4) less a border and works at full size; the alpha has no
    soft edge. Where it finds nothing, the picture is all backdrop.
    """
    height, width = photo.shape[:2]
    colours = np.ascontiguousarray(photo[..., 2::-1])
    mask = np.zeros((height, width), np.uint8)
    left, top = round(BORDER * width), round(BORDER * height)
    frame = left, top, width - 2 * left, height - 2 * top
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(colours, mask, frame, *models, ITERATIONS, cv2.GC_INIT_WITH_RECT)
    inside = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    behind = cv2.inpaint(colours, inside, RADIUS, cv2.INPAINT_TELEA)
    product = np.dstack([photo[..., :3], inside * 255])
    return gather(behind[..., ::-1], [product])


def no_model(photo: Bytes) -> Parts:
    """Return the photo (H, W, 4) as nothing but a backdrop."""
    return gather(photo[..., :3], [])
