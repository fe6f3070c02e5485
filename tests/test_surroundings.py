"""Surroundings that are even nearby tell what stands before them."""

import cv2
import numpy as np
import pytest

from layerctl.surroundings import hues, palette, surrounding_odds, unevenness

SIZE = 180, 240
STRAND = np.s_[20:50, 118:122]


def out_of_focus(seed=4):
    """A picture without anything sharp in it, far from one smooth surface."""
    rng = np.random.default_rng(seed)
    blobs = cv2.resize(rng.random((4, 5, 3), dtype=np.float32), SIZE[::-1])
    return 0.3 + 0.4 * cv2.GaussianBlur(blobs, (0, 0), 12)


def plant(picture):
    """A thing with a strand that is missing in the figure: the picture, the figure, the strand."""
    figure, strand = np.zeros(SIZE, np.float32), np.zeros(SIZE, bool)
    figure[50:130, 90:150], strand[STRAND] = 1, True
    shown = picture.copy()
    shown[(figure > 0) | strand] = (0.05, 0.9, 0.1)
    return shown, figure, strand


@pytest.mark.parametrize("chance", [0.1, 0.4])
def test_another_colour_is_a_thing_s_if_one_is_possible(chance):
    picture, figure, strand = plant(out_of_focus())
    likely = np.where(strand, np.float32(chance), figure)
    odds = surrounding_odds(picture, figure, likely)
    assert (np.median(odds[strand]) > 5) == (chance > 0.25)
    assert odds[strand].min() >= 0


@pytest.mark.parametrize("chance", [0.15, 0.4])
def test_their_own_colour_speaks_against_a_thing_unless_one_is_possible(chance):
    picture, figure, strand = plant(out_of_focus())
    beside = np.zeros(SIZE, bool)
    beside[70:110, 152:158] = True
    likely = np.where(strand, 0.4, np.where(beside, np.float32(chance), figure))
    odds = surrounding_odds(picture, figure, likely.astype(np.float32))
    assert (np.median(odds[beside]) < -3) == (chance < 0.25)


def test_uneven_surroundings_say_nothing():
    rng = np.random.default_rng(1)
    picture, figure, strand = plant(rng.random((*SIZE, 3), dtype=np.float32))
    assert not surrounding_odds(picture, figure, np.where(strand, 0.5, figure)).any()


def test_nobody_knows_how_surroundings_go_on_deep_behind_a_thing():
    picture, figure, strand = plant(out_of_focus())
    odds = surrounding_odds(picture, figure, np.where(strand, 0.5, figure))
    assert odds[55:60, 115:125].min() > 0
    assert not odds[85:95, 115:125].any()


def test_the_colours_of_what_is_not_seen_are_no_unevenness():
    picture = np.full((*SIZE, 3), 0.5, np.float32)
    picture[80:100, 100:140] = 0.9
    seen = np.ones(SIZE, bool)
    seen[80:100, 100:140] = False
    assert unevenness(picture, seen).max() < 1e-3
    assert unevenness(picture, np.ones(SIZE, bool))[90, 100] > 0.1


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (3, 2)])
@pytest.mark.parametrize("shown", [0, 1])
def test_any_size_has_surroundings(size, shown):
    figure = np.full(size, shown, np.float32)
    odds = surrounding_odds(np.full((*size, 3), 0.5, np.float32), figure, figure)
    assert odds.shape == size
    assert np.isfinite(odds).all()


def test_a_palette_holds_the_light_and_the_hues_of_what_is_seen_nearby():
    picture = np.full((100, 200, 3), (0.6, 0.5, 0.4), np.float32)
    picture[::3], picture[:, 100:] = (0.3, 0.2, 0.1), 0.9
    seen = np.ones((100, 200), bool)
    seen[40:60, 40:60] = False
    picture[~seen] = (0, 1, 0)
    found = palette(picture, seen)
    least, most = found.least, found.most
    brown = seen.copy()
    brown[:, 85:] = False
    np.testing.assert_allclose(least[brown], np.full((8100, 3), (0.2, 0.1, -0.1)), atol=1e-5)
    np.testing.assert_allclose(most[brown], np.full((8100, 3), (0.5, 0.1, -0.1)), atol=1e-5)
    np.testing.assert_allclose(most[~seen][:, 1:], np.full((400, 2), (0.1, -0.1)), atol=1e-5)
    np.testing.assert_allclose(least[:, 115:, 0], 0.9, atol=1e-5)


def test_hues_do_not_change_with_light_that_is_added():
    colours = np.random.default_rng(2).random((5, 3), dtype=np.float32) / 2
    lighter = hues(colours + 0.25) - hues(colours)
    np.testing.assert_allclose(lighter, np.full((5, 3), (0.25, 0, 0)), atol=1e-6)
