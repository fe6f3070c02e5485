"""Shadows take the light that edges leave beside things on a plain backdrop."""

from dataclasses import replace

import numpy as np
import pytest

from layerctl.compositing import Stack, fit_alphas, solve
from layerctl.matting import look_around
from layerctl.shadow import settle_shadow

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
