"""What is thin hangs on a thing where chances and colours agree that there is a line."""

import cv2
import numpy as np
import pytest

from layerctl.backdrop import Backdrop
from layerctl.limbs import find_limbs
from layerctl.matting import cut_out

ROOM = Backdrop(np.zeros((240, 320, 3), np.float32), noise=1.0, plain=False)
SEAT, LEGS = np.s_[60:120, 100:220], (np.s_[120:220, 110:114], np.s_[120:220, 134:138])


def draw_stool(leg=(0.25, 0.2, 0.15), *, chance=0.5):
    """Return a stool in a room, its seat alone, and the chance that a blurred look gives of it."""
    rng = np.random.default_rng(0)
    picture = np.full((240, 320, 3), (0.6, 0.55, 0.5), np.float32)
    picture[::16] -= 0.05
    seat, likely = np.zeros((240, 320), np.bool_), np.zeros((240, 320), np.float32)
    picture[SEAT], seat[SEAT] = (0.9, 0.6, 0.1), True
    for place in LEGS:
        picture[place], likely[place] = leg, 2.2 * chance
    likely = np.maximum(seat, cv2.GaussianBlur(likely, (0, 0), 3)).astype(np.float32)
    return picture + rng.normal(0, 0.01, picture.shape).astype(np.float32), seat, likely


@pytest.mark.parametrize("leg", [(0.25, 0.2, 0.15), (0.9, 0.9, 0.9), (0.6, 0.55, 0.1)])
def test_legs_darker_or_lighter_or_of_another_hue_are_found_but_not_what_is_between_them(leg):
    limbs = find_limbs(*draw_stool(leg), ROOM)
    assert all(limbs[130:215, place[1]].mean() > 0.95 for place in LEGS)
    assert not limbs[130:215, 118:130].any()
    assert limbs.sum() < 1.3 * 2 * 4 * 100


def test_no_line_is_a_leg_without_a_chance_and_no_chance_without_a_line():
    assert not find_limbs(*draw_stool(chance=0.15), ROOM).any()
    assert not find_limbs(*draw_stool(leg=(0.6, 0.55, 0.5)), ROOM).any()


@pytest.mark.parametrize(("rise", "found"), [(0.25, False), (0.35, True)])
def test_a_dark_line_on_the_floor_from_a_leg_is_none_if_it_hardly_has_a_chance(rise, found):
    picture, seat, chance = draw_stool()
    shadow = np.s_[208:213, 138:200]
    picture[shadow] -= 0.25
    chance[shadow] = np.maximum(chance[shadow], rise)
    limbs = find_limbs(picture, seat, chance, ROOM)
    assert bool(limbs[209:212, 160:195].mean() > 0.9) == found
    assert all(limbs[130:205, place[1]].mean() > 0.95 for place in LEGS)


def test_a_line_that_hangs_on_nothing_is_no_limb():
    picture, seat, chance = draw_stool()
    assert not find_limbs(picture, np.roll(seat, -40, axis=0), chance, ROOM).any()


def test_a_line_beside_a_figure_is_what_the_cut_has_seen_and_left():
    picture, seat, chance = draw_stool()
    beside = np.zeros_like(chance)
    beside[60:120, 222:226], picture[60:120, 222:226] = 0.6, 0.1
    likely = np.maximum(seat, beside).astype(np.float32)
    assert not find_limbs(picture, seat, likely, ROOM).any()


def test_a_model_that_tells_no_chances_has_no_limbs():
    picture, seat, _ = draw_stool()
    assert not find_limbs(picture, seat, np.ones_like(picture[..., 0]), ROOM).any()


def test_limbs_may_be_nearly_as_large_as_what_they_hang_on():
    picture, seat, chance = draw_stool()
    gem = np.zeros_like(seat)
    gem[96:120, 104:144] = True
    chance = np.where(seat & ~gem, 0, chance).astype(np.float32)
    limbs = find_limbs(picture, gem, chance, ROOM)
    assert all(limbs[130:215, place[1]].mean() > 0.95 for place in LEGS)
    gem[:110] = False
    assert not find_limbs(picture, gem, chance, ROOM).any()


@pytest.mark.parametrize(("noise", "found"), [(0.002, True), (0.03, False)])
def test_before_a_plain_backdrop_paler_lines_will_do_if_they_stand_out_of_its_noise(noise, found):
    picture, seat, chance = draw_stool(leg=(0.52, 0.47, 0.42), chance=0.37)
    picture[::16] += 0.05  # No lines on it.
    paper = np.full_like(picture, (0.6, 0.55, 0.5))
    assert not find_limbs(picture, seat, chance, ROOM).any()
    limbs = find_limbs(picture, seat, chance, Backdrop(paper, noise, plain=True))
    assert all(bool(limbs[130:215, place[1]].mean() > 0.9) == found for place in LEGS)


@pytest.mark.parametrize("plain", [False, True])
def test_a_stool_keeps_its_legs_unless_they_are_lost_in_the_noise_of_its_backdrop(plain):
    picture, seat, chance = draw_stool(leg=(0.5, 0.45, 0.4))
    backdrop = Backdrop(np.full_like(picture, (0.6, 0.55, 0.5)), noise=0.05, plain=plain)
    alpha = cut_out(picture, seat.astype(np.float32), chance, backdrop)
    assert alpha[65:115, 105:215].min() > 0.95
    assert bool(min(alpha[130:215, place[1]].mean() for place in LEGS) > 0.9) is not plain
