"""Shadows take the light that is missing on a plain backdrop, and what edges leave of it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from layerctl.backdrop import Backdrop
from layerctl.compositing import Stack, fit_alphas, solve
from layerctl.matting import look_around
from layerctl.shadow import cast_shadow, settle_shadow
from layerctl.sketch import Sketch

SIDE = 64
PAPER, THING, DENSITY = (230, 225, 220), (40, 90, 200), 60
GROUND = (True, True, False)
LINE = slice(None), 32
"""The column beside a thing that fills what is right of it."""


def lit(share):
    """Return the paper's colour with so much of its light."""
    return np.rint(np.array(PAPER) * share)


def shaded(beside, alpha=0):
    """Return a photo of a thing on shaded paper, a column of a colour beside it, and a stack.

    The thing has so much of that column.
    """
    photo = np.full((SIDE, SIDE, 4), 255, np.uint8)
    photo[..., :3] = lit(1 - DENSITY / 255)
    photo[:, 33:, :3] = THING
    photo[(*LINE, slice(3))] = beside
    alphas = np.zeros((3, SIDE, SIDE), np.uint8)
    alphas[0], alphas[1] = 255, DENSITY
    alphas[2, :, 33:], alphas[2, :, 32] = 255, alpha
    colours = np.zeros((3, SIDE, SIDE, 3), np.uint8)
    colours[0], colours[2] = PAPER, THING
    return photo, Stack(alphas, colours, (False, True, False))


def settled(photo, stack, ground=GROUND):
    return settle_shadow(photo, stack, look_around(stack.alphas, slice(0, SIDE), 3), ground)


def left(photo, stack, where=LINE):
    """Return how many levels the background is off the paper once the sum is exact."""
    fitted = replace(stack, alphas=fit_alphas(photo, stack.alphas, stack.black))
    return np.abs(solve(photo, fitted)[0][where].astype(int) - PAPER).max()


@pytest.mark.parametrize("light", [0.98, 0.85, 0.6])
def test_a_line_of_more_or_less_light_beside_a_thing_becomes_the_shadow_s(light):
    photo, stack = shaded(lit(light))
    assert left(photo, stack) > 15
    found = settled(photo, stack)
    assert left(photo, found) <= 2
    np.testing.assert_allclose(found.alphas[1][LINE], 255 * (1 - light), atol=2)


def test_things_keep_their_outline_and_all_layers_their_colours():
    photo, stack = shaded(lit(0.95))
    found = settled(photo, stack)
    np.testing.assert_array_equal(found.alphas[[0, 2]], stack.alphas[[0, 2]])
    np.testing.assert_array_equal(found.colours, stack.colours)


def test_far_from_things_a_shadow_stays_as_smooth_as_it_is():
    photo, stack = shaded(lit(0.95))
    photo[:, :20, :3] = lit(0.9)
    found = settled(photo, stack)
    np.testing.assert_array_equal(found.alphas[:, :, :20], stack.alphas[:, :, :20])


def test_a_pixel_that_is_mostly_the_thing_s_says_little_of_the_shadow():
    mixed = 0.9 * np.array(THING) + 0.1 * lit(1)
    photo, stack = shaded(mixed, alpha=230)
    assert np.abs(settled(photo, stack).alphas[1][LINE].astype(int) - DENSITY).max() <= 2


def test_a_line_brighter_than_the_paper_takes_all_of_the_shadow_and_no_more():
    photo, stack = shaded((255, 255, 255))
    assert not settled(photo, stack).alphas[1][LINE].any()


@pytest.mark.parametrize("black", [(False, False, False), (True, True, False)])
def test_without_one_shadow_nothing_changes(black):
    photo, stack = shaded(lit(0.95))
    stack = replace(stack, black=black)
    assert settled(photo, stack) is stack


def test_without_things_nothing_changes():
    photo, stack = shaded(lit(0.95))
    assert settled(photo, stack, ground=(True, True, True)) is stack


def test_on_a_nearly_black_backdrop_grain_makes_no_shadow():
    photo, stack = shaded(lit(1 - DENSITY / 255))
    rng = np.random.default_rng(0)
    photo[:, :33, :3] = rng.integers(0, 8, (SIDE, 33, 3))
    stack.colours[0] = 4
    found = settled(photo, stack)
    assert np.abs(found.alphas[1].astype(int) - DENSITY).max() <= 6


SIZE = 300, 400
THERE = np.s_[80:200, 160:240]
DRAWN = np.s_[215:235, 60:130]
PATCH = np.s_[215:235, 60:340]
AWAY = np.s_[220:230, 240:335]
"""Where a thing is, a shadow was drawn, it really is, and that is far from what was drawn."""


def measured(patch=PATCH, drawn=DRAWN, colour=None, light=0.75, paper=(0.9, 0.88, 0.85)):
    """Return the alpha of the shadow on paper before which a thing stands, as the photo says."""
    small = np.ones((*SIZE, 4), np.float32)
    small[..., :3] = np.array(paper)
    lit, mask = small[..., :3].copy(), np.zeros(SIZE, np.float32)
    mask[patch] = 1
    shade = light * np.array(paper if colour is None else colour)
    mask = cv2.GaussianBlur(mask, (0, 0), 2)[..., None]
    small[..., :3] += mask * (shade - small[..., :3])
    small[(*THERE, slice(3))] = (0.8, 0.1, 0.1)
    layers, shares = np.zeros((3, *SIZE, 4), np.float32), np.zeros((3, *SIZE), np.float32)
    layers[0, ..., :3], layers[0, ..., 3] = lit, 1
    layers[1, ..., 3][drawn] = 0.3
    shares[2][THERE] = layers[2, ..., 3][THERE] = 1
    shares[0], soft = 1 - shares[2], np.zeros(SIZE, bool)
    sketch = Sketch(small, layers, shares, Backdrop(lit, 0.001, plain=True), 1.0, soft)
    return cast_shadow(sketch, 1).layers[1, ..., 3]


NOWHERE = np.s_[0:0, 0:0]


def test_a_shadow_that_was_drawn_in_part_is_all_there():
    assert measured()[AWAY] == pytest.approx(0.25, abs=0.02)


def test_what_is_darker_at_a_thing_is_its_shadow_though_none_was_drawn():
    found = measured(patch=np.s_[195:230, 150:330], drawn=NOWHERE)
    assert found[205:225, 165:320] == pytest.approx(0.25, abs=0.02)


def test_what_is_darker_far_from_things_and_shadows_is_the_backdrop_s():
    assert not measured(patch=np.s_[250:270, 60:340], drawn=NOWHERE).any()


@pytest.mark.parametrize(
    "other",
    [
        {"colour": (0.9, 0.7, 0.5)},
        {"light": 0.2},
        {"paper": (0.15, 0.14, 0.13)},
    ],
)
def test_what_has_another_hue_or_is_far_too_dark_or_on_dark_paper_is_no_shadow(other):
    assert measured(**other)[AWAY].max() < 0.03


@pytest.mark.parametrize(("light", "alpha"), [(0.05, 0.0), (0.09, 0.125), (0.14, 0.25)])
def test_on_a_background_as_dark_as_night_there_is_no_shadow_though_one_was_drawn(light, alpha):
    found = measured(paper=(light, light, light), patch=DRAWN)
    assert found[220:230, 70:120] == pytest.approx(alpha, abs=0.03)
