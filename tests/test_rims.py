"""What edges leave on the backdrop goes to what stands before it."""

from dataclasses import replace

import numpy as np
import pytest

from layerctl.compositing import Stack, solve
from layerctl.matting import look_around
from layerctl.rims import Doubt, clear_rims, doubt_ground
from layerctl.surroundings import Palette, palette

SIDE = 64
NO_GRAIN = np.zeros((SIDE, SIDE), np.float32)
EDGE = slice(None), 32
"""The column beside a thing that fills what is right of it."""

PAPER, THING = (150, 140, 130), (40, 90, 200)
GROUND = (True, False)


def before_paper(beside, alpha=0):
    """Return a photo of a thing before paper, with one column of a colour beside it, and a stack.

    The thing has so much of that column.
    """
    photo = np.full((SIDE, SIDE, 4), 255, np.uint8)
    photo[:, :32, :3], photo[:, 33:, :3] = PAPER, THING
    photo[(*EDGE, slice(3))] = beside
    alphas = np.zeros((2, SIDE, SIDE), np.uint8)
    alphas[0], alphas[1, :, 33:], alphas[1, :, 32] = 255, 255, alpha
    colours = np.empty((2, SIDE, SIDE, 3), np.uint8)
    colours[0], colours[1] = PAPER, THING
    return photo, Stack(alphas, colours, (False, False))


def colours(least, most):
    """Return a palette that is the same everywhere."""
    return Palette(*(np.full((SIDE, SIDE, 3), bound, np.float32) for bound in (least, most)))


ALL, NONE = colours(-2, 2), colours(2, -2)


def cleared(photo, stack, ground=GROUND, doubt=0.03, *, own=NONE, plain=False):
    near = look_around(stack.alphas, slice(0, SIDE), 3)
    nearby = None if plain else ALL
    unsure = Doubt(np.full((SIDE, SIDE), doubt, np.float32), NO_GRAIN, nearby, own)
    return clear_rims(photo, stack, near, ground, unsure)


def left(photo, stack, column=EDGE):
    """Return how many levels the background is off the paper once the sum is exact."""
    ground = solve(photo, stack)[0]
    return np.abs(ground[column].astype(int) - PAPER).max()


def shown(photo, stack):
    colours, alphas = solve(photo, stack).astype(float), stack.alphas[1][..., None] / 255
    return alphas * colours[1] + (1 - alphas) * colours[0]


@pytest.mark.parametrize("beside", [(128, 118, 110), (168, 154, 138), (20, 10, 30)])
def test_a_line_beside_an_edge_becomes_the_thing_s(beside):
    photo, stack = before_paper(beside)
    assert left(photo, stack) > 15
    clear = cleared(photo, stack)
    assert left(photo, clear) <= 2
    assert clear.alphas[1][EDGE].any()
    assert np.abs(shown(photo, clear) - photo[..., :3]).max() <= 1


def test_what_the_thing_cannot_show_at_its_alpha_does_not_colour_the_backdrop():
    photo, stack = before_paper((0, 0, 0), alpha=200)
    assert left(photo, stack) > 100
    clear = cleared(photo, stack)
    assert left(photo, clear) <= 2
    assert clear.alphas[1][EDGE].min() > 250


def test_a_mixed_pixel_of_an_odd_colour_leaves_the_backdrop_as_it_is():
    photo, stack = before_paper((130, 80, 120), alpha=128)
    assert left(photo, stack) > 10
    clear = cleared(photo, stack)
    assert left(photo, clear) <= 2
    assert np.array_equal(clear.alphas, stack.alphas)


def test_what_the_backdrop_does_not_exclude_stays_on_it():
    photo, stack = before_paper((158, 146, 126))
    clear = cleared(photo, stack, doubt=0.1)
    assert np.array_equal(clear.alphas, stack.alphas)
    assert np.array_equal(clear.colours, stack.colours)


@pytest.mark.parametrize(
    ("own", "gained"),
    [
        (NONE, 0),
        (colours((0.5, -0.2, 0), (0.9, 0, 0.2)), 0),
        (colours((0.5, 0.1, -0.3), (1, 0.3, -0.1)), 0),
        (colours((0.9, -0.1, -0.1), (0.99, 0.1, 0.1)), 130),
        (colours((0.9, -0.1, -0.1), (1, 0.1, 0.1)), 255),
    ],
)
def test_a_faint_bright_line_before_white_is_not_made_a_hard_one_but_of_a_white_thing(own, gained):
    photo, stack = before_paper((255, 255, 255))
    white = np.full_like(stack.colours[0], 240)
    photo[:, :32, :3] = 240
    bright = replace(stack, colours=np.stack([white, stack.colours[1]]))
    clear = cleared(photo, bright, doubt=0.02, own=own)
    assert abs(int(clear.alphas[1][EDGE].max()) - gained) < 20


@pytest.mark.parametrize("hue", [(8, 0, -8), (-6, 3, 6)])
def test_a_plain_backdrop_keeps_its_hue_where_it_would_be_tinged(hue):
    mixed = np.rint(0.5 * np.array(PAPER) + 0.5 * np.array(THING)).astype(int)
    photo, stack = before_paper(mixed + np.array(hue), alpha=128)
    assert left(photo, cleared(photo, stack, doubt=0.1)) >= 6
    assert left(photo, cleared(photo, stack, doubt=0.1, plain=True)) <= 3


def test_a_black_backdrop_has_no_hue_to_keep():
    photo, stack = before_paper(np.array([40, 45, 100]), alpha=128)
    photo[:, :32, :3], stack.colours[0] = 6, 6
    plain, other = (cleared(photo, stack, doubt=0.1, plain=plain) for plain in (True, False))
    np.testing.assert_array_equal(plain.colours, other.colours)


def test_a_plain_backdrop_s_light_is_as_much_in_doubt_as_any_other_s():
    mixed = 0.5 * np.array(PAPER) + 0.5 * np.array(THING)
    photo, stack = before_paper(np.rint(mixed + 0.06 * np.array(PAPER)), alpha=128)
    plain, other = (cleared(photo, stack, doubt=0.1, plain=plain) for plain in (True, False))
    np.testing.assert_array_equal(plain.alphas, other.alphas)
    np.testing.assert_allclose(plain.colours.astype(int), other.colours, atol=2)


def test_far_from_all_things_nothing_changes():
    photo, stack = before_paper(PAPER)
    photo[:, 10, :3] = 0
    clear = cleared(photo, stack)
    assert not clear.alphas[1][:, :30].any()
    assert left(photo, clear, (slice(None), 10)) > 100


def test_a_line_in_a_shadow_is_told_from_the_backdrop_in_that_shadow():
    photo, stack = before_paper((75, 70, 65))
    photo[:, :32, :3] = np.array(PAPER) // 2
    alphas = np.stack([stack.alphas[0], np.full((SIDE, SIDE), 128, np.uint8), stack.alphas[1]])
    black = np.zeros_like(stack.colours[0])
    colours = np.stack([stack.colours[0], black, stack.colours[1]])
    shadowed = Stack(alphas, colours, (False, True, False))
    clear = cleared(photo, shadowed, (True, True, False))
    assert np.array_equal(clear.alphas, alphas)


def between_two(alphas_, colours_, pixel, doubt=0.05):
    """Return the alphas of two things that share one pixel before paper, as they are cleared."""
    photo, stack = before_paper(pixel, alpha=100)
    above = stack.alphas[1].copy()
    alphas, colours = np.stack([*stack.alphas, above]), np.stack([*stack.colours, stack.colours[1]])
    for k, (alpha, colour) in enumerate(zip(alphas_, colours_, strict=True), 1):
        alphas[k][EDGE], colours[k][EDGE] = alpha, colour
    clear = cleared(photo, Stack(alphas, colours, (False,) * 3), (True, False, False), doubt)
    return [int(alpha[EDGE].max()) for alpha in clear.alphas]


def test_between_two_things_the_lower_covers_what_would_be_a_glaring_backdrop():
    seen = between_two((60, 200), ((0, 0, 250), (10, 10, 250)), (0, 90, 0))
    assert seen == [255, 255, 200]


def test_between_two_things_the_backdrop_stays_where_it_shows_its_colour():
    colours = np.array((40, 90, 200)), np.array((200, 60, 40))
    mixed = 0.25 * np.array(PAPER) + 0.25 * colours[0] + 0.5 * colours[1]
    seen = between_two((128, 128), colours, np.rint(mixed))
    assert seen == [255, 128, 128]


def test_without_things_there_are_no_rims():
    photo, stack = before_paper(PAPER)
    alone = Stack(stack.alphas[:1], stack.colours[:1], (False,))
    assert cleared(photo, alone, (True,)) is alone


def test_an_even_backdrop_is_surer_than_a_rough_one_and_that_is_told_nearby():
    rng = np.random.default_rng(0)
    observed = np.full((SIDE, 2 * SIDE, 3), 0.5, np.float32)
    observed[:, SIDE:] += rng.normal(0, 0.05, (SIDE, SIDE, 3))
    seen = np.ones((SIDE, 2 * SIDE), bool)
    seen[20:40, 10:30] = False
    for plain in (True, False):
        assert doubt_ground(observed, seen, NONE, plain=plain).plain is plain
    doubt = doubt_ground(observed, seen, NONE, plain=False)
    assert doubt.colour[:, : SIDE - 8] == pytest.approx(0.02, abs=1e-3)
    assert doubt.colour[:, SIDE + 8 :].min() > 0.12


def test_grain_is_what_differs_from_pixel_to_pixel_no_shade():
    observed = np.full((400, 400, 3), 0.5, np.float32)
    observed += np.linspace(0, 0.4, 400, dtype=np.float32)[:, None]
    observed[:, 200:] += np.random.default_rng(0).normal(0, 0.05, (400, 200, 3))
    grain = doubt_ground(observed, np.ones((400, 400), bool), NONE, plain=False).grain
    assert grain[:, :190].max() < 0.01
    assert grain[:, 210:] == pytest.approx(0.05 * 3**0.5, abs=0.06)
    assert grain[:, 210:].mean() > 0.06


def before_planks(beside, alpha=0):
    """Return a photo of a thing before planks, dark and light brown, with a column beside it.

    Also the stack, which knows them, and what of light and hue they have nearby.
    """
    photo, stack = before_paper((0, 0, 0), alpha)
    planks = np.full((SIDE, SIDE, 3), (170, 130, 80), np.uint8)
    planks[::2] = (110, 80, 45)
    photo[:, :33, :3] = planks[:, :33]
    photo[(*EDGE, slice(3))] = beside
    seen = np.zeros((SIDE, SIDE), bool)
    seen[:, :30] = True
    nearby = palette(photo[..., :3] / np.float32(255), seen)
    return photo, replace(stack, colours=np.stack([planks, stack.colours[1]])), nearby


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize(
    ("beside", "strange"),
    [
        ((150, 150, 150), True),
        ((120, 88, 50), False),
        ((60, 44, 25), True),
        ((230, 176, 108), True),
        ((140, 106, 64), False),
        ((107, 77, 42), False),
        ((130, 122, 100), True),
    ],
)
def test_what_planks_have_nowhere_nearby_is_the_thing_s(beside, strange, plain):
    photo, stack, nearby = before_planks(beside)
    near = look_around(stack.alphas, slice(0, SIDE), 3)
    unsure = Doubt(np.full((SIDE, SIDE), 1, np.float32), NO_GRAIN, None if plain else nearby, NONE)
    clear = clear_rims(photo, stack, near, GROUND, unsure)
    gained = clear.alphas[1][EDGE][1::2]
    assert gained.all() == gained.any() == (strange and not plain)
    assert np.abs(shown(photo, clear) - photo[..., :3]).max() <= 1


def test_what_is_strange_is_told_in_full_light():
    shadowed = np.array((60, 44, 25)), np.array((75, 75, 75))
    for beside, strange in zip(shadowed, (False, True), strict=True):
        photo, stack, nearby = before_planks(beside)
        alphas = np.stack([stack.alphas[0], np.full((SIDE, SIDE), 128, np.uint8), stack.alphas[1]])
        colours = np.stack([stack.colours[0], 0 * stack.colours[0], stack.colours[1]])
        near = look_around(alphas, slice(0, SIDE), 3)
        unsure = Doubt(np.full((SIDE, SIDE), 1, np.float32), NO_GRAIN, nearby, NONE)
        dim = Stack(alphas, colours, (False, True, False))
        clear = clear_rims(photo, dim, near, (True, True, False), unsure)
        assert clear.alphas[2][EDGE].any() == strange
