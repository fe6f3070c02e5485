"""What light and a lens add to a scene."""

import numpy as np
import pytest
from lens import LEAST_LIGHT, defocused, fall_off, lamps, photographed

SIZE = 48, 80


def noise(seed=0):
    return np.random.default_rng(seed).random((*SIZE, 3), np.float32)


@pytest.fixture(params=range(12))
def rng(request):
    return np.random.default_rng(request.param)


def test_a_photo_stays_a_picture_of_as_much_alpha(rng):
    alpha = rng.random((*SIZE, 1), np.float32)
    photo = np.concatenate([noise(), alpha], axis=-1)
    seen = photographed(rng, photo)
    assert seen.dtype == np.float32
    assert seen.shape == photo.shape
    assert np.array_equal(seen[..., 3:], alpha)
    assert seen.min() >= 0
    assert seen.max() <= 1


def test_what_is_quite_clear_stays_grey(rng):
    clear = np.full((*SIZE, 4), 0.5, np.float32)
    clear[..., 3] = 0
    assert np.array_equal(photographed(rng, clear), clear)


def test_light_falls_off_but_never_is_gone(rng):
    light = fall_off(rng, SIZE)
    assert light.min() >= LEAST_LIGHT - 1e-6
    assert light.max() <= 1
    assert np.abs(np.diff(light, axis=0)).max() < 0.25


def test_lamps_have_colours(rng):
    light = lamps(rng, SIZE)
    assert 0 <= light.min() < light.max() <= 1
    assert light.std(axis=-1).max() > 0.01


def test_focus_is_lost_away_from_a_line(rng):
    sharp = noise()
    seen = defocused(rng, sharp)
    assert seen.shape == sharp.shape
    assert seen.mean() == pytest.approx(sharp.mean(), abs=0.01)
    kept = np.abs(seen - sharp).max(axis=-1)
    assert kept.max() > 0.01
    assert seen.std() < sharp.std()
