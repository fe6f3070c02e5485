"""What is seen of a surface goes on where it is not."""

import cv2
import numpy as np
import pytest

from layerctl.completion import complete, sharpen
from layerctl.pyramid import spread

TABLE, WALL = (0.7, 0.5, 0.3), (0.5, 0.7, 0.8)


def table_before_a_wall(height=240, width=320):
    picture = np.full((height, width, 3), WALL, np.float32)
    picture[150:] = TABLE
    return picture


def hidden(shape, rows=slice(90, 200), columns=slice(110, 210)):
    known = np.ones(shape[:2], bool)
    known[rows, columns] = False
    return known


def guess_at(picture, known):
    return np.where(known[..., None], picture, spread(picture, known))


def off(surface, picture, known):
    return float(np.abs(surface - picture)[~known].mean())


def test_the_edge_of_a_table_goes_on_behind_a_thing():
    picture = table_before_a_wall()
    known = hidden(picture.shape)
    guess = guess_at(picture, known)
    whole = complete(guess, known)
    assert off(whole, picture, known) < min(0.01, off(guess, picture, known) / 3)


def test_planks_go_on_behind_a_thing():
    picture = table_before_a_wall()
    for top in range(0, 240, 24):
        picture[top : top + 6] *= 0.6
    known = hidden(picture.shape)
    whole = complete(guess_at(picture, known), known)
    assert off(whole, picture, known) < off(guess_at(picture, known), picture, known) / 2


def test_the_ghost_of_a_thing_in_the_guess_does_not_stay():
    picture = table_before_a_wall()
    known = hidden(picture.shape, slice(40, 130))
    guess = guess_at(picture, known)
    guess[70:100, 140:180] += (-0.08, 0.0, -0.15)
    whole = complete(guess, known)
    assert off(whole, picture, known) < off(guess, picture, known) / 4


def test_what_is_seen_stays_as_it_is():
    rng = np.random.default_rng(0)
    picture = rng.random((120, 90, 3), dtype=np.float32)
    known = hidden(picture.shape, slice(30, 80), slice(20, 60))
    whole = complete(guess_at(picture, known), known)
    assert np.allclose(whole[known], picture[known], atol=1e-6)
    assert whole.min() >= 0
    assert whole.max() <= 1


def test_what_goes_on_is_the_same_again():
    picture = table_before_a_wall()
    known = hidden(picture.shape)
    guess = guess_at(picture, known)
    assert np.array_equal(complete(guess, known), complete(guess.copy(), known))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_with_nothing_to_fill_or_nothing_to_fill_it_with_a_surface_stays(share):
    picture = table_before_a_wall(60, 80)
    known = np.full((60, 80), bool(share))
    assert complete(picture, known) is picture


@pytest.mark.parametrize("rows", [1, 3, 9, 800])
@pytest.mark.parametrize("columns", [1, 5, 9])
def test_behind_a_speck_or_a_cord_too_fine_for_patches_the_surface_goes_on(rows, columns):
    picture = table_before_a_wall(800, 1000)
    known = hidden(picture.shape, slice(0, rows), slice(500, 500 + columns))
    guess = guess_at(picture, known)
    for whole in (complete(guess, known), sharpen(guess, known)):
        assert np.allclose(whole[known], picture[known], atol=1e-5)
        assert off(whole, picture, known) < 0.02


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (5, 200), (9, 9)])
def test_of_too_little_to_look_through_what_is_seen_stays(shape):
    picture = np.full((*shape, 3), 0.5, np.float32)
    picture[: shape[0] // 2] = 0.25
    known = np.ones(shape, bool)
    known[-1, -1] = False
    whole = complete(picture, known)
    assert whole.shape == picture.shape
    assert np.allclose(whole[known], picture[known], atol=1e-6)


def grained(seed=0):
    """Return a wall and a table whose grain is too fine for patches, ten times stronger below."""
    picture = table_before_a_wall(600, 800)
    grain = cv2.GaussianBlur(
        np.random.default_rng(seed).normal(size=(600, 800, 1)).astype(np.float32), (0, 0), 1
    )[..., None]
    strength = np.full((600, 1, 1), 0.02, np.float32)
    strength[150:] = 0.2
    known = hidden(picture.shape, slice(60, 300), slice(300, 500))
    return picture + strength * grain, known


def test_detail_goes_on_of_each_stuff_its_own():
    picture, known = grained()
    whole = complete(guess_at(picture, known), known)
    sharp = sharpen(whole, known)
    for rows in (slice(75, 130), slice(170, 285)):
        inside = np.s_[rows, 315:485]
        true = picture[inside].std(axis=(0, 1)).mean()
        assert whole[inside].std(axis=(0, 1)).mean() < 0.2 * true
        assert 0.5 * true < sharp[inside].std(axis=(0, 1)).mean() < 1.2 * true


def test_what_many_patches_have_blurred_comes_back():
    grain = np.random.default_rng(4).normal(size=(320, 480)).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 2)
    picture = np.clip(np.dstack([0.5 + 0.12 * grain / grain.std()] * 3), 0, 1)
    known = hidden(picture.shape, slice(110, 210), slice(180, 300))
    whole = complete(np.where(known[..., None], picture, np.float32(0.5)), known)
    assert whole[~known].std() < 0.3 * picture.std()
    assert 0.5 * picture.std() < sharpen(whole, known)[~known].std() < picture.std()


def test_detail_changes_neither_what_is_seen_nor_the_light():
    picture, known = grained()
    whole = complete(guess_at(picture, known), known)
    sharp = sharpen(whole, known)
    assert np.array_equal(sharp[known], np.clip(whole[known], 0, 1))
    assert np.abs((sharp - whole)[~known].mean(axis=0)).max() < 0.005


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_without_detail_to_move_or_a_place_for_it_a_surface_stays(share):
    picture, known = table_before_a_wall(), np.full((240, 320), bool(share))
    assert sharpen(picture, known) is picture


def test_of_too_little_to_look_through_nothing_is_sharpened():
    picture, known = table_before_a_wall(), np.zeros((240, 320), bool)
    known[:4] = True
    assert sharpen(picture, known) is picture
