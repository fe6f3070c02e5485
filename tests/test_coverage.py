"""What the background does not show has to be in front of it."""

import numpy as np
import pytest

from layerctl.coverage import complete, uncovered

ROLES = ("background", "product", "product")
SIDE = 96


def layer(colour, alpha):
    pixels = np.empty((SIDE, SIDE, 4), np.float32)
    pixels[..., :3], pixels[..., 3] = colour, alpha
    return pixels


def box(top, bottom, left, right):
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[top:bottom, left:right] = 1
    return mask


WALL = layer((0.7, 0.75, 0.8), 1)
LEFT, RIGHT = box(30, 70, 10, 40), box(30, 70, 55, 85)
RED, BLUE = (0.8, 0.1, 0.1), (0.1, 0.2, 0.7)


def pictured(*things):
    picture = WALL.copy()
    for colour, mask in things:
        picture[mask > 0, :3] = colour
    return picture


def test_a_thing_found_but_for_its_rim_becomes_whole():
    most = layer(RED, LEFT * box(0, 66, 0, SIDE))
    whole = complete(np.stack([WALL, most]), ROLES[:2], pictured((RED, LEFT)), 0.002, 6)
    assert len(whole) == 2
    np.testing.assert_allclose(whole[1, ..., 3], LEFT, atol=1e-6)
    np.testing.assert_allclose(
        whole[1][LEFT > 0, :3], np.full((int(LEFT.sum()), 3), RED), atol=1e-6
    )


def test_nothing_grows_over_what_surely_is_no_thing():
    most = layer(RED, LEFT * box(0, 66, 0, SIDE))
    stack, picture = np.stack([WALL, most]), pictured((RED, LEFT), (BLUE, RIGHT))
    whole = complete(stack, ROLES[:2], picture, 0.002, 6, possible=1 - RIGHT)
    assert len(whole) == 2
    np.testing.assert_allclose(whole[1, ..., 3], LEFT, atol=1e-6)


def test_what_is_missing_goes_to_the_nearest_thing():
    picture = pictured((RED, LEFT), (BLUE, RIGHT))
    parts = [layer(RED, LEFT * box(0, 66, 0, SIDE)), layer(BLUE, RIGHT * box(0, 66, 0, SIDE))]
    whole = complete(np.stack([WALL, *parts]), ROLES, picture, 0.002, 6)
    np.testing.assert_allclose(whole[1:, ..., 3], np.stack([LEFT, RIGHT]), atol=1e-6)


def test_a_thing_grows_no_farther_than_it_can_have_been_missed():
    found = layer(RED, LEFT * box(0, 40, 0, SIDE))
    whole = complete(np.stack([WALL, found]), ROLES[:2], pictured((RED, LEFT)), 0.002, 6)
    assert 42 < np.flatnonzero(whole[1, ..., 3].any(axis=1))[-1] < 50


def test_a_thing_that_no_layer_shows_becomes_a_product():
    whole = complete(WALL[None], ROLES[:1], pictured((RED, LEFT)), 0.002, 6)
    np.testing.assert_allclose(whole[1, ..., 3], LEFT, atol=1e-6)


def test_a_speck_is_no_product():
    speck = pictured((RED, box(10, 12, 10, 12)))
    assert len(complete(WALL[None], ROLES[:1], speck, 0.002, 6)) == 1


def test_layers_that_explain_their_picture_stay_as_they_are():
    layers = np.stack([WALL, layer(RED, LEFT), layer(BLUE, RIGHT)])
    whole = complete(layers, ROLES, pictured((RED, LEFT), (BLUE, RIGHT)), 0.002, 6)
    assert np.array_equal(whole[..., 3], layers[..., 3])


@pytest.mark.parametrize("light", [0.87, 0.95, 1.0])
def test_a_faint_shadow_covers_nothing(light):
    picture = WALL.copy()
    picture[LEFT > 0, :3] *= np.float32(light)
    assert not uncovered(WALL[None], ROLES[:1], picture).any()


def test_what_is_half_transparent_stays_so_if_the_layers_explain_it():
    veil = layer(RED, 0.4 * LEFT)
    picture = WALL.copy()
    picture[..., :3] += veil[..., 3:] * (veil[..., :3] - picture[..., :3])
    whole = complete(np.stack([WALL, veil]), ROLES[:2], picture, 0.002, 6)
    np.testing.assert_allclose(whole[1], veil, atol=1e-6)


def test_a_background_that_was_redrawn_roughly_everywhere_covers_nothing():
    rough = WALL.copy()
    rough[..., :3] += np.random.default_rng(0).normal(0, 0.05, (SIDE, SIDE, 1)).astype(np.float32)
    assert uncovered(rough[None], ROLES[:1], WALL).mean() < 0.1


LINE = box(6, 10, 10, 14) + box(6, 10, 16, 20) + box(6, 10, 22, 26)


def test_letters_that_no_layer_shows_become_one_layer_of_their_own():
    picture = pictured((RED, LEFT), (BLUE, LINE))
    whole = complete(np.stack([WALL, layer(RED, LEFT)]), ROLES[:2], picture, 0.002, 6)
    np.testing.assert_allclose(whole[1:, ..., 3], np.stack([LEFT, LINE]), atol=1e-6)


def test_what_is_alone_and_hardly_differs_is_left_to_the_background():
    picture = pictured((RED, LEFT), ((0.62, 0.68, 0.88), LINE))
    whole = complete(np.stack([WALL, layer(RED, LEFT)]), ROLES[:2], picture, 0.002, 6)
    np.testing.assert_allclose(whole[1:, ..., 3], LEFT[None], atol=1e-6)


def test_there_are_never_more_layers_than_asked_for():
    picture = pictured((RED, LEFT), (BLUE, LINE))
    whole = complete(np.stack([WALL, layer(RED, LEFT)]), ROLES[:2], picture, 0.002, 2)
    assert len(whole) == 2
