"""What is known of a picture, spread over what is not."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl.compositing import Floats


def spread(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """Return values (h, w, C) with the unknown pixels filled in smoothly from the known ones.

    Push-pull on an image pyramid (Gortler et al., The Lumigraph, 1996, section 3.4); all zero
    where nothing is known at all.
    """
    return _pull(values, known.astype(np.float32)[..., None])


def _pull(values: Floats, confidence: Floats) -> Floats:
    height, width = values.shape[:2]
    if height <= 2 and width <= 2:
        total = confidence.sum(axis=(0, 1))
        mean = (values * confidence).sum(axis=(0, 1)) / np.maximum(total, 1e-6)
        blend: Floats = values * confidence + mean * (1 - confidence)
        return blend
    half = ((width + 1) // 2, (height + 1) // 2)
    weight = _area(confidence, half)
    kept = values * confidence
    coarse = _area(kept, half) / np.maximum(weight, 1e-6)
    filled = _pull(coarse, np.minimum(1, 4 * weight))
    enlarged = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    kept += enlarged.reshape(values.shape) * (1 - confidence)
    return kept


def _area(image: Floats, size: tuple[int, int]) -> Floats:
    # OpenCV averages at most four channels at a time.
    some = np.split(image, range(4, image.shape[2], 4), axis=-1)
    averaged = [cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in some]
    return np.concatenate([part.reshape(*size[::-1], -1) for part in averaged], axis=-1)
