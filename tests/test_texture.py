"""What is out of sight gets the texture of what is seen, and nothing else."""

import cv2
import numpy as np
import pytest

from layerctl.texture import likeness, weave

HEIGHT, WIDTH = 200, 260
MIDDLE = slice(70, 130), slice(90, 170)


def grain(strength=0.1, shape=(HEIGHT, WIDTH, 3)):
    noise = np.random.default_rng(5).normal(0.5, strength, shape)
    return np.clip(noise, 0, 1).astype(np.float32)


def hidden(surface, colour=None):
    """A surface with its middle out of sight, filled smoothly."""
    known = np.ones(surface.shape[:2], bool)
    known[MIDDLE] = False
    filled = surface.copy()
    filled[MIDDLE] = surface.mean(axis=(0, 1)) if colour is None else colour
    return filled, known


def test_grain_goes_on_behind_things():
    surface = grain()
    woven = weave(*hidden(surface))
    assert woven[MIDDLE].std() == pytest.approx(surface.std(), rel=0.15)
    assert woven[MIDDLE].mean() == pytest.approx(surface.mean(), abs=0.02)


def test_what_is_known_stays():
    surface, known = hidden(grain())
    np.testing.assert_array_equal(weave(surface, known)[known], surface[known])


@pytest.mark.parametrize("period", [6, 10, 12, 17])
def test_stripes_meet_where_they_come_out(period):
    rows, _ = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    stripes = np.repeat((0.5 + 0.2 * np.sin(rows * 2 * np.pi / period))[..., None], 3, axis=2)
    filled, known = hidden(stripes)
    smooth = np.abs(filled - stripes)[MIDDLE].mean()
    assert np.abs(weave(filled, known) - stripes)[MIDDLE].mean() < 0.5 * smooth


def test_the_light_is_that_of_the_fill():
    surface, known = hidden(grain(0.05), colour=(0.3, 0.4, 0.5))
    woven = weave(surface, known)[MIDDLE][20:-20, 20:-20]
    np.testing.assert_allclose(woven.mean(axis=(0, 1)), (0.3, 0.4, 0.5), atol=0.04)


def test_each_ground_keeps_its_own_texture():
    surface = grain(0.12)
    surface[:, WIDTH // 2 :] = 0.8 + (surface[:, WIDTH // 2 :] - 0.5) / 8
    filled, known = hidden(surface)
    filled[MIDDLE][:, :40], filled[MIDDLE][:, 40:] = 0.5, 0.8
    left, right = (weave(filled, known)[MIDDLE][:, side] for side in (slice(25), slice(55, None)))
    assert right.std() < 0.04
    assert left.std() > right.std()


def test_objects_are_not_borrowed():
    ground = np.full((HEIGHT, WIDTH, 3), 0.7, np.float32)
    for column in range(20, WIDTH, 60):
        cv2.circle(ground, (column, 30), 18, (0.1, 0.2, 0.6), -1)
    filled, known = hidden(ground, colour=0.7)
    np.testing.assert_allclose(weave(filled, known)[MIDDLE], 0.7, atol=0.02)


def test_an_odd_spot_is_not_borrowed():
    surface = grain(0.03)
    surface[20:40, 20:40] = 0
    filled, known = hidden(surface, colour=0.5)
    assert weave(filled, known)[MIDDLE].min() > 0.3


def test_a_surface_that_has_its_texture_keeps_it():
    surface = grain()
    filled, known = hidden(surface)
    filled[MIDDLE] = surface[MIDDLE]
    assert np.abs(weave(filled, known) - filled).mean() < 0.01


@pytest.mark.parametrize(("levels", "woven"), [(0.4, False), (0.8, True)])
def test_grain_that_nobody_sees_is_not_looked_for(levels, woven):
    surface, known = hidden(grain(levels / 255))
    assert (weave(surface, known) is not surface) == woven


def test_planks_go_on_straight_across():
    rng = np.random.default_rng(8)
    planks = np.repeat(rng.uniform(0.3, 0.7, 34), 6)[:HEIGHT, None, None]
    surface = (planks + rng.normal(0, 0.02, (HEIGHT, WIDTH, 3))).astype(np.float32)
    filled, known = hidden(surface)
    smooth = np.abs(filled - surface)[MIDDLE].mean()
    assert np.abs(weave(filled, known) - surface)[MIDDLE].mean() < 0.75 * smooth


def test_where_nothing_can_be_borrowed_all_stays():
    surface, known = grain(shape=(256, 256, 3)), np.zeros((256, 256), bool)
    known[:, :18] = True
    surface[~known], surface[:, 140:] = 0.3, 0.6
    np.testing.assert_allclose(weave(surface, known)[:, 60:], surface[:, 60:], atol=0.01)


def test_a_speck_in_a_long_picture_is_no_trouble():
    surface, known = grain(shape=(40, 4096, 3)), np.ones((40, 4096), bool)
    known[20, 2000] = False
    np.testing.assert_array_equal(weave(surface, known), surface)


@pytest.mark.parametrize("seen", [True, False])
def test_without_anything_to_borrow_or_to_fill_nothing_changes(seen):
    surface = grain()
    known = np.full(surface.shape[:2], seen)
    assert weave(surface, known) is surface


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (300, 2), (3, 500)])
def test_the_smallest_pictures_are_no_trouble(shape):
    surface, known = grain(shape=(*shape, 3)), np.ones(shape, bool)
    known[shape[0] // 2 :, shape[1] // 2 :] = False
    woven = weave(surface, known)
    assert woven.shape == surface.shape
    assert np.isfinite(woven).all()


def test_grain_all_over_is_one_texture_and_two_grounds_are_not():
    surface = grain()
    assert likeness(*hidden(surface)) > 0.9
    surface[:, WIDTH // 2 :] = 0.8 + (surface[:, WIDTH // 2 :] - 0.5) / 8
    assert likeness(*hidden(surface)) < 0.5


def test_a_texture_under_falling_light_is_one():
    surface = grain()
    light = np.geomspace(0.04, 1, WIDTH, dtype=np.float32)[:, None]
    middle = np.ones((HEIGHT, WIDTH), bool)
    middle[MIDDLE] = False
    assert likeness(surface * light, middle) > 0.9


def test_where_all_is_known_there_is_one_texture():
    assert likeness(grain(), np.ones((HEIGHT, WIDTH), bool)) == 1
