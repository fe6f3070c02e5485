"""What is seen of a surface goes on where it is not."""

import numpy as np
import pytest

from layerctl.completion import complete
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


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (5, 200), (9, 9)])
def test_of_too_little_to_look_through_what_is_seen_stays(shape):
    picture = np.full((*shape, 3), 0.5, np.float32)
    picture[: shape[0] // 2] = 0.25
    known = np.ones(shape, bool)
    known[-1, -1] = False
    whole = complete(picture, known)
    assert whole.shape == picture.shape
    assert np.allclose(whole[known], picture[known], atol=1e-6)
