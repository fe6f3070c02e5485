"""The outline of a share follows the edges of a picture."""

import cv2
import numpy as np
import pytest

from layerctl.backdrop import Backdrop
from layerctl.compositing import Stack
from layerctl.matting import (
    HAZE,
    RADIUS,
    SMOOTHNESS,
    cut_out,
    edge_lines,
    follow_edges,
    settle_edges,
    sweep,
)


def test_edge_lines_are_the_guided_filter_of_the_paper():
    rng = np.random.default_rng(3)
    picture = cv2.GaussianBlur(rng.random((80, 120, 3), dtype=np.float32), (0, 0), 2)
    share = np.zeros((80, 120), np.float32)
    share[20:60, 30:90] = 1
    lines = edge_lines(picture, share)
    pixels = np.dstack([picture, np.ones_like(share)])
    filtered = cv2.ximgproc.guidedFilter(picture * 255, share, RADIUS, SMOOTHNESS * 255**2)
    wanted = np.clip((filtered - HAZE) / (1 - 2 * HAZE), 0, 1)
    assert np.allclose(follow_edges(pixels, lines), wanted, atol=1e-4)


@pytest.mark.parametrize(("chance", "kept"), [(1.0, True), (0.9, True), (0.8, False)])
def test_of_white_before_white_all_is_kept_if_the_model_is_sure_and_else_what_stands_out(
    chance, kept
):
    rng = np.random.default_rng(0)
    paper, figure = np.full((240, 320, 3), 0.94, np.float32), np.zeros((240, 320), np.float32)
    picture = paper.copy()
    picture[60:180, 60:200], figure[60:180, 60:200] = 0.92, chance
    picture[90:150, 80:180] = 0.97
    noisy = picture + rng.normal(0, 0.003, picture.shape).astype(np.float32)
    backdrop = Backdrop(paper, noise=0.005, plain=True)
    rough = cv2.GaussianBlur(figure, (0, 0), 3)
    alpha = cut_out(noisy, rough, rough, backdrop)
    assert alpha[95:145, 85:175].mean() > 0.95
    assert bool(alpha[62:178, 62:198].mean() > 0.95) is kept


def test_a_loop_is_open_though_a_thing_has_the_backdrops_colour_elsewhere():
    rows, columns = np.mgrid[:240, :320]
    away, rng = np.hypot(rows - 66, columns - 160), np.random.default_rng(0)
    thing = (np.hypot(rows - 140, columns - 160) < 66) | (away < 15)
    hole, label = away < 9, (abs(rows - 150) < 20) & (abs(columns - 160) < 20)
    light = np.broadcast_to(np.float32(0.95 - rows / 1200)[..., None], (240, 320, 3))
    picture = np.where((thing & ~hole)[..., None], np.float32(0.2), light)
    picture[label] = 0.9 + rng.uniform(-0.015, 0.015, (label.sum(), 1))
    rough, chance = thing.astype(np.float32), cv2.blur(thing.astype(np.float32), (5, 5))
    rough[hole], chance[hole] = 0.85, 0.95
    alpha = cut_out(picture, rough, chance, Backdrop(light, 0.0, plain=True))
    assert alpha[away < 7].max() < 0.1
    assert alpha[label].min() == 1


def test_a_comb_keeps_most_of_its_fine_teeth_in_a_picture_that_shows_them():
    picture = np.full((800, 1000, 3), (0.2, 0.5, 0.3), np.float32)
    figure, teeth = np.zeros((800, 1000), np.float32), np.zeros((800, 1000), np.bool_)
    teeth[400:480, 300:700] = np.arange(400) % 6 < 3
    picture[250:400, 300:700], figure[250:440, 300:700] = (0.8, 0.3, 0.2), 1
    picture[teeth] = 0.8, 0.3, 0.2
    rng = np.random.default_rng(0)
    noisy = picture + rng.normal(0, 0.01, picture.shape).astype(np.float32)
    rough = cv2.GaussianBlur(figure, (0, 0), 20)
    room = Backdrop(np.full_like(picture, 0.5), 0.1, plain=False)
    alpha = cut_out(noisy, rough, rough, room)[400:470, 300:700]
    assert (abs(alpha - teeth[400:470, 300:700]) > 0.5).mean() < 0.15


@pytest.mark.parametrize(
    ("side", "drawn", "open_"), [(6, 0.5, False), (6, 0.1, True), (7, 0.5, True)]
)
def test_a_pore_is_filled_unless_nothing_was_drawn_there(side, drawn, open_):
    picture = np.full((540, 720, 3), (0.2, 0.5, 0.3), np.float32)
    rough, pore = np.zeros((540, 720), np.float32), np.s_[200 : 200 + side, 300 : 300 + side]
    hole = np.s_[197 : 203 + side, 297 : 303 + side]
    picture[100:400, 200:500], rough[100:400, 200:500] = (0.8, 0.3, 0.2), 1
    picture[pore], rough[hole] = (0.2, 0.5, 0.3), drawn
    rng = np.random.default_rng(0)
    noisy = picture + rng.normal(0, 0.005, picture.shape).astype(np.float32)
    room = Backdrop(np.full_like(picture, 0.5), 0.1, plain=False)
    chance = np.where(rough > 0, 0.8, 0).astype(np.float32)
    alpha = cut_out(noisy, rough, chance, room)[pore]
    assert bool(alpha.min() < 0.5) == open_


def test_what_stands_apart_is_no_part_of_a_thing_for_its_colour_alone():
    rng = np.random.default_rng(0)
    picture = np.full((240, 320, 3), (0.2, 0.5, 0.3), np.float32)
    figure, tone = np.zeros((240, 320), np.float32), (0.8, 0.3, 0.2)
    picture[60:180, 60:200], figure[60:180, 60:200] = tone, 1
    picture[100:130, 206:216] = tone
    noisy = picture + rng.normal(0, 0.01, picture.shape).astype(np.float32)
    backdrop = Backdrop(np.zeros_like(picture), noise=0.0, plain=False)
    rough = cv2.GaussianBlur(figure, (0, 0), 1)
    alpha = cut_out(noisy, rough, rough, backdrop)
    assert not alpha[100:130, 206:216].any()
    assert alpha[62:178, 62:198].min() > 0.95


@pytest.mark.parametrize("likely", [True, False])
def test_a_wall_of_a_thing_s_colour_beside_it_is_cut_out_only_where_a_thing_has_a_chance(likely):
    rng = np.random.default_rng(0)
    picture = np.full((240, 320, 3), (0.2, 0.5, 0.3), np.float32)
    figure = np.zeros((240, 320), np.float32)
    picture[60:180, 60:188], figure[60:180, 60:188] = (0.8, 0.3, 0.2), 1
    picture[100:140, 188:196] = (0.8, 0.3, 0.2)
    noisy = picture + rng.normal(0, 0.01, picture.shape).astype(np.float32)
    backdrop = Backdrop(np.zeros_like(picture), noise=0.0, plain=False)
    rough = cv2.GaussianBlur(figure, (0, 0), 1)
    alpha = cut_out(noisy, rough, np.maximum(rough, np.float32(0.5 * likely)), backdrop)
    assert alpha[105:135, 190:194].mean() == pytest.approx(float(likely), abs=0.05)
    assert alpha[65:175, 65:185].min() > 0.95


@pytest.mark.parametrize(("chance", "kept"), [(0.95, True), (0.85, False)])
def test_in_a_room_a_thing_of_its_colours_stays_whole_if_the_model_is_sure(chance, kept):
    rng = np.random.default_rng(0)
    picture = np.full((240, 320, 3), 0.5, np.float32)
    picture[::8] = 0.35
    figure = np.zeros((240, 320), np.float32)
    picture[60:180, 60:200], figure[60:180, 60:200] = (0.8, 0.3, 0.2), 1
    picture[140:180, 90:130] = 0.5
    noisy = picture + rng.normal(0, 0.01, picture.shape).astype(np.float32)
    backdrop = Backdrop(np.zeros_like(picture), noise=0.0, plain=False)
    rough = cv2.GaussianBlur(figure, (0, 0), 1)
    alpha = cut_out(noisy, rough, chance * rough, backdrop)
    assert bool(alpha[145:175, 95:125].mean() > 0.95) is kept
    assert alpha[65:135, 65:195].min() > 0.95


@pytest.mark.parametrize(("chance", "found"), [(0.06, True), (0.01, False)])
def test_the_end_of_a_thing_that_was_not_drawn_is_found_unless_it_is_out_of_the_question(
    chance, found
):
    rng = np.random.default_rng(1)
    picture = rng.uniform(0.5, 1, (240, 320, 3)).astype(np.float32)
    picture[60:180, 80:220] = (0.2, 0.1, 0.3)
    figure = np.zeros((240, 320), np.float32)
    figure[60:180, 80:210] = 1
    likely = 0.97 * figure
    likely[60:180, 210:220] = chance
    room = Backdrop(np.zeros_like(picture), noise=1.0, plain=False)
    shown = cut_out(picture, figure, likely, room)[70:170, 212:218]
    assert shown.mean() == (1 if found else 0)


def with_crumb(side, *, sure=0.3):
    """A figure with a crumb of so many pixels a side, the chance of a thing, and where it is."""
    figure, chance = np.zeros((300, 400), np.float32), np.full((300, 400), 0.05, np.float32)
    figure[80:220, 60:200] = chance[80:220, 60:200] = 1
    crumb = np.zeros(figure.shape, bool)
    crumb[100 : 100 + side, 300 : 300 + side] = True
    figure[crumb], chance[crumb] = 1, sure
    return cv2.blur(figure, (3, 3)), chance, crumb


def test_a_crumb_that_nobody_is_sure_of_is_swept_away_with_its_soft_rim():
    figure, chance, _ = with_crumb(5)
    swept = sweep(figure, chance, np.zeros_like(figure))
    assert not swept[:, 250:].any()
    np.testing.assert_array_equal(swept[:, :250], figure[:, :250])


@pytest.mark.parametrize(("side", "sure", "text"), [(5, 0.95, 0), (5, 0.3, 1), (8, 0.3, 0)])
def test_what_is_sure_or_a_letter_or_no_crumb_stays(side, sure, text):
    figure, chance, crumb = with_crumb(side, sure=sure)
    swept = sweep(figure, chance, np.where(crumb, np.float32(text), 0))
    np.testing.assert_array_equal(swept, figure)


@pytest.mark.parametrize(("grain", "frayed"), [(0.0, True), (0.1, False)])
def test_an_outline_before_a_background_with_grain_does_not_fray(grain, frayed):
    rng, size = np.random.default_rng(0), (60, 80)
    photo = np.full((*size, 4), 255, np.uint8)
    photo[..., :3] = np.clip(120 + rng.normal(0, 25, (*size, 1)), 0, 255)
    photo[:, 40:, :3] = (230, 230, 225)
    stack = Stack(
        np.stack(
            [np.full(size, 255, np.uint8), np.where(np.arange(80) < 40, 0, 255 * np.ones(size))]
        ).astype(np.uint8),
        np.stack(
            [np.full((*size, 3), 120, np.uint8), np.full((*size, 3), (230, 230, 225), np.uint8)]
        ),
        (False, False),
    )
    outlines = np.zeros((2, *size), np.bool_)
    outlines[1, :, 36:44] = True
    alphas = settle_edges(photo, stack, outlines, np.full(size, grain, np.float32))[1]
    assert bool(alphas[:, 36:40].max() > 60) == frayed
    assert alphas[:, 40:].min() > 240
