"""What the channels of pixels come to: NumPy goes through a last axis of three one by one."""

from __future__ import annotations

from functools import reduce

import numpy as np

from layerctl.compositing import Floats


def total(pixels: Floats) -> Floats:
    """Return the sum (...) of the channels of pixels (..., C)."""
    summed: Floats = reduce(np.add, np.moveaxis(pixels, -1, 0))
    return summed


def mean(pixels: Floats) -> Floats:
    """Return the mean (...) of the channels of pixels (..., C)."""
    average: Floats = total(pixels) / pixels.shape[-1]
    return average


def length(pixels: Floats) -> Floats:
    """Return the length (...) of pixels (..., C) as vectors."""
    lengths: Floats = np.sqrt(total(np.square(pixels)))
    return lengths


def largest(pixels: Floats) -> Floats:
    """Return the largest (...) of the channels of pixels (..., C)."""
    most: Floats = reduce(np.maximum, np.moveaxis(pixels, -1, 0))
    return most


def smallest(pixels: Floats) -> Floats:
    """Return the smallest (...) of the channels of pixels (..., C)."""
    least: Floats = reduce(np.minimum, np.moveaxis(pixels, -1, 0))
    return least
