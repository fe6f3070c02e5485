"""Straight lines go on behind things, and only those."""

import cv2
import numpy as np
import pytest

from layerctl.lines import continue_lines
from layerctl.pyramid import spread

SIZE = 360, 480
HIDDEN = np.s_[120:240, 160:320]


def room(size=SIZE, slope=0.0, board=0.25):
    """A wall above a floor, and between them a board that is lighter by so much and may rise."""
    height, width = size
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    below = (rows - height / 2 + slope * (columns - width / 2)) / height
    board = board * np.clip(180 * (0.014 - np.abs(below)), 0, 1)
    light = np.where(below < 0, 0.55, 0.45) + board
    return light[..., None] * np.array((1, 0.95, 0.9), np.float32)


def behind(picture, hidden=HIDDEN):
    """Return a picture with what is hidden filled in smoothly, and where it is known."""
    known = np.ones(picture.shape[:2], bool)
    known[hidden] = False
    return spread(picture, known), known


def off(surface, picture, known):
    return np.abs(surface - picture)[~known].mean()


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("slope", [0.0, -0.13, 0.3])
def test_a_board_goes_on_behind_a_thing(slope, scale):
    picture = room((SIZE[0] * scale, SIZE[1] * scale), slope)
    smooth, known = behind(picture, tuple(slice(scale * s.start, scale * s.stop) for s in HIDDEN))
    continued = continue_lines(smooth, smooth, known)
    assert off(continued, picture, known) < 0.7 * off(smooth, picture, known)
    middle = continued[:, continued.shape[1] // 2].mean(axis=-1)
    assert abs(int(middle.argmax()) - picture.shape[0] // 2) <= 4 * scale
    np.testing.assert_array_equal(continued[known], smooth[known])


def test_lines_that_cross_both_go_on():
    picture = room()
    picture[:, 235:245] -= 0.2
    smooth, known = behind(picture)
    continued = continue_lines(smooth, smooth, known)
    upright = continued[150, 200:280].mean(axis=-1)
    assert upright[36:44].max() < upright[[10, 70]].min() - 0.1
    assert continued[178:183, 200].mean() > continued[[150, 210], 200].mean() + 0.1


@pytest.mark.parametrize("side", [np.s_[:, :160], np.s_[:, 320:]])
def test_a_line_that_comes_out_nowhere_ends_there(side):
    picture = np.full((*SIZE, 3), 0.5, np.float32)
    picture[side] = room()[side]
    smooth, known = behind(picture)
    assert continue_lines(smooth, smooth, known) is smooth


@pytest.mark.parametrize(("left", "right"), [(0.3, 0.7), (0.8, 0.56)])
def test_a_dark_line_and_a_light_one_are_two_and_so_are_a_strong_one_and_a_faint(left, right):
    picture = np.full((*SIZE, 3), 0.5, np.float32)
    picture[178:182, :240], picture[178:182, 240:] = left, right
    smooth, known = behind(picture)
    assert continue_lines(smooth, smooth, known) is smooth


def test_lines_that_do_not_meet_are_two():
    picture = room()
    picture[:, 240:] = np.roll(picture[:, 240:], 60, axis=0)
    smooth, known = behind(picture)
    assert continue_lines(smooth, smooth, known) is smooth


def test_what_is_between_the_ends_of_a_line_and_seen_ends_it():
    picture = room()
    picture[:, 230:290] = 0.5
    smooth, known = behind(picture)
    known[:, 250:265] = True
    assert continue_lines(smooth, smooth, known) is smooth


@pytest.mark.parametrize("seed", range(4))
def test_texture_has_no_lines(seed):
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 0.5, (*SIZE, 3)).astype(np.float32), (0, 0), 2)
    smooth, known = behind(np.clip(0.5 + grain, 0, 1))
    assert continue_lines(smooth, smooth, known) is smooth


@pytest.mark.parametrize(("radius", "column"), [(25, 142), (10, 155), (20, 160)])
def test_a_soft_blot_on_either_side_is_no_line(radius, column):
    picture = np.full((*SIZE, 3), 0.6, np.float32)
    for middle in (column, SIZE[1] - column):
        cv2.circle(picture, (middle, 180), radius, (0.3, 0.3, 0.3), -1)
    smooth, known = behind(cv2.GaussianBlur(picture, (0, 0), 8))
    assert continue_lines(smooth, smooth, known) is smooth


def test_patches_bridge_what_is_narrow():
    picture = room()
    smooth, known = behind(picture, np.s_[:, 236:243])
    assert continue_lines(smooth, smooth, known) is smooth


def test_an_even_surface_has_no_lines():
    smooth, known = behind(np.full((*SIZE, 3), 0.5, np.float32))
    assert continue_lines(smooth, smooth, known) is smooth


def test_a_line_is_drawn_on_what_was_made_up_of_texture():
    picture = room()
    smooth, known = behind(picture)
    grain = np.random.default_rng(5).normal(0, 0.03, picture.shape).astype(np.float32)
    textured = np.where(known[..., None], picture, np.clip(smooth + grain, 0, 1))
    continued = continue_lines(textured, smooth, known)
    assert continued[175:185, 240].mean() > 0.58 > textured[175:185, 240].mean()
    away = np.s_[130:150, 200:280]
    np.testing.assert_array_equal(continued[away], textured[away])


def test_where_light_changes_softly_there_is_no_line():
    picture = np.full((*SIZE, 3), 0.5, np.float32)
    picture += 0.4 * np.tanh((np.arange(SIZE[0], dtype=np.float32) - 180) / 30)[:, None, None]
    smooth, known = behind(picture)
    assert continue_lines(smooth, smooth, known) is smooth


@pytest.mark.parametrize(("count", "goes_on"), [(1, False), (9, True)])
def test_one_hair_may_be_chance_and_ruled_paper_is_not(count, goes_on):
    picture = np.full((*SIZE, 3), 0.5, np.float32)
    picture[np.arange(count) * 11 + 140] = 0.8
    smooth, known = behind(picture)
    continued = continue_lines(smooth, smooth, known)
    assert (continued is smooth) != goes_on
    assert (continued[140:229:11, 240].min() > 0.57) == goes_on


@pytest.mark.parametrize("seed", range(3))
def test_beside_a_line_marks_that_point_at_each_other_by_chance_do_not_meet(seed):
    rng, picture = np.random.default_rng(seed), room()
    for column in (*rng.uniform(140, 160, 20), *rng.uniform(320, 340, 20)):
        row, angle = rng.choice([rng.uniform(120, 150), rng.uniform(210, 240)]), rng.uniform(0, 180)
        mark = cv2.ellipse2Poly((int(column), int(row)), (20, 2), int(angle), 0, 360, 30)
        cv2.fillPoly(picture, [mark], (0.3, 0.28, 0.26))
    smooth, known = behind(picture)
    continued = continue_lines(smooth, smooth, known)
    changed = np.abs(continued - smooth).max(axis=-1) > 0.02
    assert changed[170:190].any()
    assert not changed[:160].any()
    assert not changed[200:].any()


@pytest.mark.parametrize("apart", [10, 14, 18])
def test_a_line_does_not_go_on_in_its_neighbour(apart):
    picture = np.full((*SIZE, 3), 0.5, np.float32)
    picture[174:186, :240], picture[174 + apart : 186 + apart, 240:] = 0.7, 0.7
    smooth, known = behind(cv2.GaussianBlur(picture, (0, 0), 2))
    assert continue_lines(smooth, smooth, known) is smooth
