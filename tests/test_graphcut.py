"""A cut goes by the odds that were known before, by colours, and by the picture's edges."""

from itertools import product

import numpy as np
import pytest

from layerctl.graphcut import (
    MOST,
    SPAN,
    _as_levels,
    _contrasts,
    _cut_once,
    _likelihood,
    _odds_alone,
    cut,
)

RED, GREEN, GREY = (0.8, 0.3, 0.2), (0.2, 0.5, 0.3), (0.5, 0.5, 0.5)


def scene():
    """A red thing on green, 120 x 160, and odds that are certain but for a band at its outline."""
    picture, odds = np.full((120, 160, 3), GREEN, np.float32), np.full((120, 160), -4, np.float32)
    picture[40:80, 50:110] = RED
    odds[30:90, 40:120] = 0
    odds[50:70, 60:100] = 4
    return picture, odds


def noisy(picture):
    return picture + np.random.default_rng(0).normal(0, 0.01, picture.shape).astype(np.float32)


def test_where_nothing_is_known_the_outline_is_that_of_the_colours():
    picture, odds = scene()
    inside = cut(noisy(picture), odds, odds)
    thing = np.zeros_like(inside)
    thing[40:80, 50:110] = True
    corners = np.ix_((40, 79), (50, 109))
    inside[corners] = True
    assert np.array_equal(inside, thing)


def test_what_is_known_more_coarsely_leaves_the_outline_as_fine_as_the_picture():
    picture, odds = scene()
    picture[55:57, 95:120] = GREEN
    inside = cut(noisy(picture), odds[::3, ::3].copy(), odds[::3, ::3].copy())
    thing = np.zeros_like(inside)
    thing[40:80, 50:110] = True
    thing[55:57, 99:110] = False
    assert (inside != thing).mean() < 0.0005


@pytest.mark.parametrize("known", [2.0, -2.0])
def test_of_a_colour_that_both_sides_have_it_is_as_was_seen(known):
    picture, odds = scene()
    picture[5:20, 5:105] = picture[55:65, 70:90] = GREY
    picture[34:40, 70:90] = GREY
    apart = odds.copy()
    apart[34:40, 70:90] = known
    inside = cut(noisy(picture), odds, apart)
    assert inside[35:39, 72:88].mean() == float(known > 0)


@pytest.mark.parametrize(("known", "kept"), [(-2.0, True), (-30.0, False)])
def test_a_colour_of_things_alone_outweighs_what_is_only_likely(known, kept):
    picture, odds = scene()
    apart = odds.copy()
    apart[40:80, 104:110] = known
    inside = cut(noisy(picture), odds, apart)
    assert inside[42:78, 105:109].mean() == float(kept)


def test_what_is_certain_stays_whatever_its_colour():
    picture, odds = scene()
    picture[55:65, 70:90] = GREEN
    picture[5:15, 5:25] = RED
    inside = cut(noisy(picture), odds, odds)
    assert inside[50:70, 60:100].all()
    assert not inside[:25].any()


def test_single_pixels_of_another_side_s_colour_are_noise():
    picture, odds = scene()
    picture[44, 54:106:3] = GREEN
    inside = cut(noisy(picture), odds, odds)
    assert inside[41:79, 51:109].all()


def test_a_hardly_different_guess_is_cut_alike():
    picture, odds = scene()
    picture = noisy(picture)
    picture[:, 80:] = np.random.default_rng(1).random((120, 80, 3), np.float32)
    ragged = odds + np.random.default_rng(2).normal(0, 1e-4, odds.shape).astype(np.float32)
    assert (cut(picture, odds, odds) != cut(picture, ragged, ragged)).mean() < 0.002


def test_colours_hardly_apart_are_two_if_each_is_pure():
    picture, odds = scene()
    picture[:], picture[40:80, 50:110] = 0.5, 0.54
    apart = odds.copy()
    apart[40:80, 104:110] = -2
    assert cut(picture, odds, apart)[42:78, 105:109].all()


@pytest.mark.parametrize("known", [0.6, -0.6])
def test_where_a_picture_shows_nothing_little_odds_count(known):
    picture, odds = np.full((120, 160, 3), GREY, np.float32), scene()[1]
    apart = odds.copy()
    apart[30:90, 40:120] = known
    apart[50:70, 60:100] = 4
    inside = cut(picture, odds, apart)
    assert inside[32:88, 42:58].mean() == float(known > 0)


def test_the_first_contrast_is_that_of_the_colours_that_differ_most():
    levels = np.zeros((8, 8, 3), np.uint8)
    levels[:, 4:, 0], levels[::2, :, 1] = 200, 20
    first, second = (np.ptp(_contrasts(levels)[..., k].astype(int)) for k in range(2))
    assert (first, second) == (round(200 / 3**0.5), round(20 / 3**0.5))


def test_levels_tell_the_odds_that_they_stand_for():
    odds = np.linspace(-MOST, MOST, 13, dtype=np.float32).reshape(1, 13)
    picture = np.dstack([np.zeros((1, 13, 2), np.uint8), _as_levels(odds)])
    behind, things = (_likelihood(picture, _odds_alone(128 + side * SPAN)) for side in (-1, 1))
    assert np.allclose(things - behind, odds, atol=MOST / SPAN / 2 + 1e-3)


def test_one_cut_is_the_best_of_all_by_the_energy_of_grabcut():
    rng, labels = np.random.default_rng(5), np.full((3, 4), 2, np.uint8)
    for _ in range(40):
        levels = rng.integers(0, 60, (3, 4, 3)).astype(np.uint8)
        odds = rng.uniform(-24, 24, (3, 4)).astype(np.float32)
        inside = _cut_once(levels, odds, labels).reshape(1, -1)
        assert energy(levels, odds, inside)[0] < energy(levels, odds, ALL).min() + 0.01


ALL = np.array(list(product((False, True), repeat=12)))
"""All cuts (4096, 12) of a picture of 3 x 4."""


def energy(levels, odds, sides):
    """What GrabCut's paper charges for cuts (N, 12): its formulas 8 and 11, with gamma 50."""
    picture = np.dstack([_contrasts(levels), _as_levels(odds)]).reshape(12, 3).astype(float)
    known = (picture[:, 2] - 128) * MOST / SPAN
    pairs = [
        (4 * y + x, 4 * (y + down) + x + across, np.hypot(down, across))
        for y, x in np.ndindex(3, 4)
        for down, across in ((0, 1), (1, 0), (1, 1), (1, -1))
        if y + down < 3 and 0 <= x + across < 4
    ]
    apart = [np.square(picture[one] - picture[other]).sum() for one, other, _ in pairs]
    beta = 1 / (2 * np.mean(apart))
    cost = ~sides @ known
    for (one, other, far), away in zip(pairs, apart, strict=True):
        cost += 50 / far * np.exp(-beta * away) * (sides[:, one] != sides[:, other])
    return cost
