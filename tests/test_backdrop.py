"""A plain backdrop is told from what stands in front of it, even where the model is wrong."""

import cv2
import numpy as np
import pytest

from layerctl.backdrop import (
    HELD,
    STANDS,
    Backdrop,
    clear_ground,
    figure_odds,
    fit_backdrop,
    shade,
)

SIZE = 180, 240
DOWN, ACROSS = np.meshgrid(*(np.linspace(0, 1, side) for side in SIZE), indexing="ij")


def gradient():
    light = 0.55 + 0.3 * ACROSS + 0.1 * np.sin(2 * DOWN)
    return (light[..., None] * (1.0, 0.95, 0.9)).astype(np.float32)


def box(top, bottom, left, right):
    mask = np.zeros(SIZE, np.float32)
    mask[top:bottom, left:right] = 1
    return mask


def odds_of(picture, backdrop, figure):
    return figure_odds(picture, backdrop, figure, np.ones(SIZE, np.float32))


def test_the_surface_goes_on_behind_what_hides_it():
    picture, thing = gradient(), box(50, 130, 70, 170)
    picture[thing > 0] = (0.1, 0.2, 0.7)
    backdrop = fit_backdrop(picture, 1 - thing)
    assert backdrop.plain
    assert np.abs(backdrop.colours - gradient()).max() < 0.02


def test_a_thing_that_the_guess_missed_does_not_bend_the_surface():
    picture, seen, missed = gradient(), box(50, 130, 70, 120), box(50, 130, 120, 170)
    picture[seen + missed > 0] = (0.1, 0.2, 0.7)
    backdrop = fit_backdrop(picture, 1 - seen)
    assert backdrop.plain
    assert np.abs(backdrop.colours - gradient()).max() < 0.02
    odds = odds_of(picture, backdrop, seen)
    assert odds[missed > 0].min() > 0
    assert odds[(seen + missed) == 0].max() < 0


def test_an_uneven_backdrop_is_not_plain():
    rng = np.random.default_rng(1)
    blocks = rng.random((9, 12, 3), dtype=np.float32)
    picture = cv2.resize(blocks, SIZE[::-1], interpolation=cv2.INTER_NEAREST)
    assert not fit_backdrop(picture, np.ones(SIZE, np.float32)).plain


def test_a_soft_shadow_is_no_thing_and_a_sharp_edge_is_one():
    dark = 0.4 * np.exp(-(((DOWN - 0.75) / 0.1) ** 2) - ((ACROSS - 0.5) / 0.2) ** 2)
    grey = box(30, 80, 60, 100)
    picture = gradient() * np.where(grey > 0, 0.6, 1 - dark)[..., None].astype(np.float32)
    backdrop = fit_backdrop(picture, np.float32(1 - grey - dark))
    odds = odds_of(picture, backdrop, np.zeros(SIZE, np.float32))
    assert odds[dark > 0.1].max() < 0
    assert odds[grey > 0].min() > 0


def test_the_blurred_edge_of_a_dark_thing_is_not_all_its_own():
    alpha = cv2.GaussianBlur(box(50, 130, 70, 170), (0, 0), 1.2)
    picture = gradient() * (1 - 0.95 * alpha[..., None])
    odds = odds_of(picture, fit_backdrop(picture, 1 - alpha), alpha)
    mixed, dark = (alpha > 0.1) & (alpha < 0.25), alpha > 0.99
    assert odds[mixed].max() < 1 < odds[dark].min()


def test_what_may_have_been_missed_of_a_thing_is_thin():
    figure, strap = box(50, 130, 70, 170), box(10, 50, 100, 104)
    cable = box(150, 153, 20, 120)
    table, rim, dust = box(150, 180, 130, 240), box(60, 63, 200, 240), box(20, 23, 200, 203)
    slab = box(70, 90, 2, 66)
    picture = gradient()
    picture[figure + strap + cable + table + rim + dust + slab > 0] = (0.1, 0.2, 0.7)
    odds = odds_of(picture, fit_backdrop(picture, 1 - figure), figure)
    sure = min(np.median(odds[thing > 0]) for thing in (strap, cable))
    assert max(odds[thing > 0].max() for thing in (table, rim, dust, slab)) < sure


def test_nothing_was_missed_where_a_thing_is_out_of_the_question():
    figure, strap = box(50, 130, 70, 170), box(10, 50, 100, 104)
    picture = gradient()
    picture[figure + strap > 0] = (0.1, 0.2, 0.7)
    backdrop = fit_backdrop(picture, 1 - figure)
    for chance, missed in ((0.1, True), (0.01, False)):
        there = np.maximum(figure, np.float32(chance))
        odds = figure_odds(picture, backdrop, figure, there)
        assert (np.median(odds[strap > 0]) > 5) == missed


NIGHT = (0.02, 0.04, 0.12)


@pytest.mark.parametrize(
    ("backdrop", "colour", "chance", "stands"),
    [
        (NIGHT, (0.05, 0.1, 0.3), 0.05, False),  # a cloud of its own light
        (NIGHT, (0.05, 0.1, 0.3), 0.5, True),  # that may well be a thing
        (NIGHT, (0.15, 0.15, 0.15), 0.05, True),  # another colour
        ((0.3, 0.35, 0.5), (0.5, 0.58, 0.83), 0.05, True),  # in full light white stands before grey
    ],
)
def test_more_of_a_dark_backdrop_s_own_light_is_no_thing(backdrop, colour, chance, stands):
    figure, cloud = box(40, 140, 100, 200), box(80, 100, 75, 100)
    picture = np.full((*SIZE, 3), backdrop, np.float32)
    shown = Backdrop(picture.copy(), noise=0.003, plain=True)
    picture[figure > 0], picture[cloud > 0] = (0.5, 0.45, 0.4), colour
    odds = figure_odds(picture, shown, figure, np.maximum(figure, np.float32(chance)))
    assert odds[figure > 0].min() > 0
    assert bool(odds[cloud > 0].min() >= STANDS) is stands


@pytest.mark.parametrize(("chance", "kept"), [(0.9, True), (0.2, False)])
def test_what_was_drawn_in_a_shadow_s_colours_is_kept_if_it_is_likely(chance, kept):
    paper = np.full((120, 160, 3), 0.9, np.float32)
    picture, (figure, likely) = paper.copy(), np.zeros((2, 120, 160), np.float32)
    picture[30:90, 30:90], picture[30:90, 90:105] = 0.1, 0.65
    figure[30:90, 30:105], likely[30:90, 30:90], likely[30:90, 90:105] = 1, 1, chance
    backdrop = Backdrop(paper, noise=0.003, plain=True)
    cleared = clear_ground(picture, backdrop, figure, likely)
    assert cleared[30:90, 30:90].min() == 1
    assert (cleared[30:90, 90:105] == kept).all()
    odds = figure_odds(picture, backdrop, figure, likely)
    assert bool(odds[30:90, 90:105].min() > HELD) is kept


GREY, PINK = (0.85, 0.85, 0.85), (0.95, 0.6, 0.5)


def opened(colour, size, chance, *, edge=None):
    """Return what is left of a dark thing, over a slit in it and all of it: (slit, around, left).

    The slit shows the backdrop, and so does what is around it, less an edge.
    """
    picture = np.full((*SIZE, 3), colour, np.float32)
    figure, likely = box(30, 150, 40, 200), 0.97 * box(30, 150, 40, 200)
    picture[figure > 0] = (0.1, 0.2, 0.15)
    slit = np.s_[80 : 80 + size[0], 120 : 120 + size[1]]
    around = np.s_[77 : 83 + size[0], 117 : 123 + size[1]]
    if edge is not None:
        picture[around] = np.float32(colour) - edge
    picture[slit], likely[around] = colour, chance
    backdrop = Backdrop(np.full((*SIZE, 3), colour, np.float32), noise=0.001, plain=True)
    left = clear_ground(picture, backdrop, figure, likely)
    return left[slit].mean(), left[around].mean(), left


@pytest.mark.parametrize(
    ("colour", "size", "chance", "open_"),
    [
        (GREY, (60, 8), 0.6, True),
        (GREY, (60, 8), 0.88, False),
        (GREY, (4, 3), 0.6, False),
        (PINK, (60, 8), 0.88, True),
        (PINK, (60, 8), 0.95, False),
        (PINK, (4, 3), 0.88, True),
    ],
)
def test_a_slit_in_a_thing_shows_a_vivid_backdrop_more_surely_than_a_grey_one(
    colour, size, chance, open_
):
    slit, _, left = opened(colour, size, chance)
    assert slit == (0 if open_ else 1)
    assert left[40:70, 50:110].min() == 1


@pytest.mark.parametrize(
    ("colour", "edge", "open_"), [(PINK, 0.015, True), (PINK, 0.08, False), (GREY, 0.015, False)]
)
def test_beside_a_slit_a_vivid_backdrop_may_look_a_little_different(colour, edge, open_):
    slit, around, left = opened(colour, (60, 8), 0.6, edge=edge)
    assert slit == 0
    assert (around == 0) == open_
    assert left[40:70, 50:110].min() == 1


@pytest.mark.parametrize(("colour", "open_"), [(PINK, True), (GREY, False)])
def test_a_slit_is_open_where_a_vivid_backdrop_is_rough(colour, open_):
    backdrop = Backdrop(np.full((*SIZE, 3), colour, np.float32), noise=0.001, plain=True)
    picture, slit = backdrop.colours.copy(), np.s_[60:120, 120:128]
    figure, likely = box(30, 150, 40, 200), 0.97 * box(30, 150, 40, 200)
    picture[30:150, 40:200], likely[slit] = (0.1, 0.2, 0.15), 0.6
    grain = np.random.default_rng(0).choice(np.float32([-1, 1]), (60, 8, 1))
    picture[slit] = colour + backdrop.tolerance * grain
    assert (clear_ground(picture, backdrop, figure, likely)[slit].max() == 0) == open_


def test_a_thing_in_a_vivid_backdrop_s_own_colour_has_no_more_holes_than_before_a_grey_one():
    picture = np.full((*SIZE, 3), PINK, np.float32)
    figure, likely = box(30, 150, 40, 200), 0.97 * box(30, 150, 40, 200)
    picture[40:140, 50:190] = (0.1, 0.2, 0.15)
    backdrop = Backdrop(np.full((*SIZE, 3), PINK, np.float32), noise=0.001, plain=True)
    likely[60:120, 120:128], picture[60:120, 120:128] = 0.88, PINK
    assert clear_ground(picture, backdrop, figure, likely)[60:120, 120:128].min() == 1


def test_a_wisp_in_the_backdrop_is_nothing_that_was_missed_but_a_strand_is():
    figure, line = box(50, 130, 30, 90), box(18, 22, 110, 220)
    share = cv2.GaussianBlur(line, (0, 0), 3)
    share /= share.max()
    for mask, missed in ((line, True), (share, False)):
        picture = gradient() + mask[..., None] * np.float32((-0.12, 0, 0.05))
        picture[figure > 0] = (0.1, 0.2, 0.7)
        odds = odds_of(picture, fit_backdrop(picture, 1 - figure), figure)
        assert (np.median(odds[mask > 0.9]) > 5) == missed


def test_a_shadow_takes_light_and_leaves_the_colour():
    missing, off = shade(0.7 * gradient(), gradient())
    assert np.allclose(missing, 0.3, atol=1e-5)
    assert np.abs(off).max() < 1e-5


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (3, 2)])
def test_any_size_has_a_backdrop(size):
    picture = np.full((*size, 3), 0.5, np.float32)
    backdrop = fit_backdrop(picture, np.ones(size, np.float32))
    assert backdrop.plain
    assert np.allclose(backdrop.colours, 0.5, atol=1e-3)


def test_where_nothing_is_called_ground_nothing_is_plain():
    assert not fit_backdrop(gradient(), np.zeros(SIZE, np.float32)).plain
