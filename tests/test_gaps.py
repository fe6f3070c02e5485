"""The backdrop shows through gaps in things, some of which the model is too coarse to see."""

import cv2
import numpy as np
import pytest

from layerctl.backdrop import Backdrop, clear_ground, figure_odds
from layerctl.gaps import find_gaps, open_gaps
from layerctl.matting import cut_out

SIZE, LIGHT = (180, 240), 0.9
THING, GAP = np.s_[40:140, 60:180], np.s_[80:100, 110:130]


def draw(light, *, hue=(1.0, 1.0, 1.0), chance=0.6, thing=(0.2, 0.15, 0.3)):
    """Return a dark thing with a patch in it, where it is, and what a coarse look says of it."""
    picture, there = np.full((*SIZE, 3), LIGHT, np.float32), np.zeros(SIZE, np.float32)
    picture[THING], there[THING] = thing, 1
    picture[GAP] = light * np.float32(hue)
    likely = 0.97 * there
    likely[GAP] = chance
    return picture, there, cv2.GaussianBlur(likely, (0, 0), 3)


def gaps_of(picture, chance):
    light = picture.mean(axis=-1) / LIGHT
    off = np.linalg.norm(picture - light[..., None] * np.float32(LIGHT), axis=-1)
    return find_gaps(picture, 1 - light, off, (off > 0.04) | (light < 0.3), chance)[0]


@pytest.mark.parametrize("light", [LIGHT, 0.95 * LIGHT, 0.8 * LIGHT])
def test_a_gap_is_open_in_a_shadow_as_well(light):
    picture, there, chance = draw(light)
    assert gaps_of(picture, chance)[84:96, 114:126].all()
    backdrop = Backdrop(np.full((*SIZE, 3), LIGHT, np.float32), noise=0.002, plain=True)
    cleared = clear_ground(picture, backdrop, there, chance)
    assert cleared[84:96, 114:126].max() == 0
    assert cleared[GAP].max() <= 0.5
    assert figure_odds(picture, backdrop, cleared, chance)[84:96, 114:126].max() < -3
    figure = cut_out(picture, there, chance, backdrop)
    assert figure[82:98, 112:128].max() == 0
    assert figure[42:76, 62:178].min() == 1


def test_what_the_model_is_as_sure_of_as_of_the_thing_around_it_is_a_part_of_that():
    picture, _, chance = draw(LIGHT, chance=0.95)
    assert not gaps_of(picture, chance).any()


def test_what_the_model_doubts_as_much_as_what_is_around_it_is_a_part_of_that():
    picture, there, _ = draw(LIGHT)
    for chance in (0.8 * there, 0.5 * there):
        assert not gaps_of(picture, chance).any()


def test_a_patch_that_no_edge_closes_in_is_no_gap():
    picture, _, chance = draw(LIGHT, thing=(0.82, 0.82, 0.82))
    assert not gaps_of(picture, chance).any()


def test_a_part_of_another_hue_or_too_dark_is_no_gap():
    for picture, _, chance in (draw(LIGHT, hue=(1, 0.9, 0.9)), draw(0.6 * LIGHT)):
        assert not gaps_of(picture, chance).any()


@pytest.mark.parametrize(("side", "open_"), [(8, False), (20, True)])
def test_a_speck_is_no_gap(side, open_):
    picture, there, _ = draw(0.2)
    picture, chance = (cv2.resize(image, (960, 720)) for image in (picture, 0.97 * there))
    patch = np.s_[350 : 350 + side, 470 : 470 + side]
    picture[patch], chance[patch] = LIGHT, 0.6
    assert gaps_of(picture, chance)[patch].any() == open_


def test_uneven_light_is_a_things_shape():
    picture, _, chance = draw(LIGHT)
    picture[GAP] *= np.linspace(0.8, 1, 20, dtype=np.float32)[:, None, None]
    assert not gaps_of(picture, chance).any()


def test_open_ground_is_no_gap():
    picture, _, chance = draw(0.2)
    assert not gaps_of(picture, chance)[:40].any()


def doubted(width, chance):
    """Return a chance that falls in a bar so wide between two sure things, and where these are."""
    likely, there = np.zeros(SIZE, np.float32), np.zeros(SIZE, np.float32)
    there[THING], likely[THING] = 1, 0.9
    likely[:, 120 - width // 2 : 120 + width // 2] *= chance / 0.9
    return there, likely


@pytest.mark.parametrize(
    ("width", "chance", "left"), [(6, 0.3, 0), (6, 0.8, 1), (6, 0.5, 0.5), (60, 0.3, 1)]
)
def test_in_a_room_the_chance_has_to_fall_by_half_between_things_near_each_other(
    width, chance, left
):
    there, likely = doubted(width, chance)
    opened = open_gaps(there, likely)
    assert opened[90, 120] == pytest.approx(left, abs=0.05)
    assert opened[60:120, 62:80].min() == 1
    assert opened.max(initial=0, where=there == 0) == 0


def test_a_model_that_tells_no_chances_sees_no_gaps():
    there, _ = doubted(6, 0.3)
    assert np.array_equal(open_gaps(there, np.ones_like(there)), there)


def test_in_a_room_a_gap_that_the_model_drew_over_is_open():
    rng = np.random.default_rng(0)
    picture = rng.uniform(0.4, 0.9, (*SIZE, 3)).astype(np.float32)
    there, chance = doubted(8, 0.3)
    picture[THING] = (0.2, 0.1, 0.3)
    picture[:, 116:124] = rng.uniform(0.4, 0.9, (SIZE[0], 8, 3))
    room = Backdrop(np.zeros_like(picture), noise=1.0, plain=False)
    figure = cut_out(picture, there, chance, room)
    assert figure[60:120, 118:122].max() == 0
    assert figure[60:120, 64:112].min() == 1
