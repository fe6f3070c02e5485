"""What polished floors mirror: upside down below the foot, fading, over the shade."""

import numpy as np
import pytest
from reflections import Polish, draw_polish, mirrored, polished
from staging import Placed

POLISHED = Polish(0.3, 1.0, 0.001, 0.002, 0.0)
SATIN = Polish(0.2, 1.0, 0.005, 0.04, 0.0)
RED, BLUE = (1, 0, 0, 1), (0, 0, 1, 1)
FOOT = 40


def post(foot=FOOT, side=96):
    """A thing 24 pixels high whose upper half is red and whose lower half is blue."""
    pixels = np.zeros((side, side, 4), np.float32)
    pixels[foot - 24 : foot - 12, 40:56] = RED
    pixels[foot - 12 : foot, 40:56] = BLUE
    return pixels


def standing(pixels):
    return Placed(pixels, "standing")


@pytest.mark.parametrize("polish", [POLISHED, SATIN])
def test_what_a_floor_mirrors_lies_below_the_foot_and_fades(polish):
    image = mirrored(post(), polish)
    strength = image[..., 3].sum(axis=1)
    assert not strength[: FOOT - 3].any()
    assert (np.diff(strength[FOOT : FOOT + 24]) < 0).all()
    assert not strength[FOOT + 25 :].any()
    assert 0.8 * polish.strength < image[FOOT + 1, 48, 3] <= polish.strength


def test_a_mirror_image_is_upside_down():
    red, _, blue = mirrored(post(), POLISHED)[..., :3].sum(axis=1).T
    assert blue[FOOT + 4] > 10 * red[FOOT + 4]
    assert red[FOOT + 16] > 10 * blue[FOOT + 16]


def test_satin_blurs_more_with_distance():
    def spread(row):
        """Share of a row of the mirror image that lies beside the thing."""
        alpha = mirrored(post(), SATIN)[row, :, 3]
        return 1 - alpha[40:56].sum() / alpha.sum()

    assert spread(FOOT + 15) > 2 * spread(FOOT + 1) > 0


def test_what_hovers_is_mirrored_farther_down():
    hovering = Polish(0.3, 1.0, 0.001, 0.002, hover=0.25)
    rows = np.flatnonzero(mirrored(post(), hovering)[:, 48, 3] > 0.01)
    assert FOOT + 11 <= rows[0] <= FOOT + 13


def test_the_mirror_image_of_a_round_base_begins_under_each_of_its_columns():
    y, x = np.mgrid[:96, :96]
    end = 60 - (x - 48) ** 2 / 100
    pixels = np.where((np.abs(x - 48) < 15) & (y < end) & (y > 20), 1, 0)
    image = mirrored(np.repeat(pixels[..., None], 4, axis=2).astype(np.float32), POLISHED)
    assert image[60, 48, 3] > 0.2
    assert image[60, 36, 3] > 0.2


def test_what_stands_on_the_edge_of_the_frame_or_is_not_there_mirrors_nothing():
    nothing, ground = np.zeros((96, 96, 4), np.float32), np.ones((96, 96, 3), np.float32)
    for pixels in (post(foot=96), nothing):
        assert polished(nothing, (standing(pixels),), ground, POLISHED) is nothing


def test_a_reflection_lies_over_the_shade():
    shade = np.zeros((96, 96, 4), np.float32)
    shade[..., 3] = 0.5
    image = mirrored(post(), POLISHED)
    layer = polished(shade, (standing(post()),), np.ones((96, 96, 3), np.float32), POLISHED)
    assert np.allclose(layer[..., :3], image[..., :3])
    assert np.allclose(layer[..., 3], image[..., 3] + 0.5 * (1 - image[..., 3]))


def test_nearer_things_are_mirrored_over_farther_ones():
    near, far = post(), post()
    near[..., :3] = near[..., 3:]
    objects = standing(far), standing(near)
    nothing = np.zeros((96, 96, 4), np.float32)
    layer = polished(nothing, objects, np.zeros((96, 96, 3), np.float32), POLISHED)
    image = mirrored(near, POLISHED)
    under = mirrored(far, POLISHED) * (1 - image[..., 3:])
    assert np.allclose(layer, image + under, atol=1e-6)


def test_no_layer_tells_of_what_nobody_could_see():
    white = np.ones((96, 96, 3), np.float32)
    shade = np.zeros((96, 96, 4), np.float32)
    pale = np.repeat(post()[..., 3:], 4, axis=2)
    assert polished(shade, (standing(pale),), white, POLISHED) is shade
    assert polished(shade, (standing(pale),), 0 * white, POLISHED) is not shade


def test_only_what_stands_is_mirrored():
    nothing, ground = np.zeros((96, 96, 4), np.float32), np.ones((96, 96, 3), np.float32)
    for pose in ("hanging", "lying"):
        assert polished(nothing, (Placed(post(), pose),), ground, POLISHED) is nothing


def test_about_one_floor_in_six_mirrors_and_none_more_than_a_good_third():
    rng = np.random.default_rng(0)
    drawn = [draw_polish(rng, 0.1) for _ in range(600)]
    floors = [polish for polish in drawn if polish]
    assert 70 <= len(floors) <= 130
    assert all(0.1 <= polish.strength <= 0.35 and polish.hover == 0.1 for polish in floors)
    assert all(polish.dull > polish.sharp for polish in floors)
