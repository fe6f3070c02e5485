"""Sums and extremes over channels are what NumPy says they are, to the bit."""

import numpy as np
import pytest

from layerctl import channels


@pytest.mark.parametrize("shape", [(40, 3), (7, 9, 3), (5, 4), (0, 3), (2, 3, 1)])
def test_channels_come_to_what_numpy_says(shape):
    pixels = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    for ours, theirs in (
        (channels.total(pixels), pixels.sum(axis=-1)),
        (channels.mean(pixels), pixels.mean(axis=-1)),
        (channels.length(pixels), np.linalg.norm(pixels, axis=-1)),
        (channels.largest(pixels), pixels.max(axis=-1)),
        (channels.smallest(pixels), pixels.min(axis=-1)),
    ):
        assert ours.dtype == np.float32
        assert np.array_equal(ours, theirs)


def test_pixels_stay_as_they_are():
    pixels = np.ones((4, 3), np.float32)
    channels.total(pixels)
    channels.largest(pixels)
    assert (pixels == 1).all()
