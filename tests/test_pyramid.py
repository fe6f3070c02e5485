"""What is known fills what is not."""

import numpy as np

from layerctl.pyramid import spread


def test_spreading_keeps_what_is_known_and_fills_the_rest_between_it():
    rng = np.random.default_rng(8)
    values = rng.random((50, 70, 3), dtype=np.float32)
    known = rng.random((50, 70)) < 0.1
    filled = spread(values, known)
    assert np.allclose(filled[known], values[known], atol=1e-5)
    assert filled.min() >= values[known].min() - 1e-5
    assert filled.max() <= values[known].max() + 1e-5


def test_spreading_a_constant_gives_the_constant():
    values = np.full((33, 20, 1), 0.25, np.float32)
    known = np.zeros((33, 20), bool)
    known[3, 4] = True
    assert np.allclose(spread(values, known), 0.25, atol=1e-5)


def test_nothing_known_spreads_to_zero():
    assert not spread(np.ones((9, 9, 3), np.float32), np.zeros((9, 9), bool)).any()


def test_any_number_of_channels_is_spread_alike():
    rng = np.random.default_rng(1)
    known = rng.random((33, 55)) < 0.1
    values = rng.random((33, 55, 7), np.float32)
    apart = [spread(values[..., k : k + 1], known) for k in range(7)]
    np.testing.assert_allclose(spread(values, known), np.concatenate(apart, axis=-1), atol=1e-5)
