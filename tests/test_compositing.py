"""Whatever the photo and the first guess, the solved stack shows the photo."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerctl.compositing import Stack, bands, fit_alphas, over, solve, straight, weights
from layerctl.document import Document, Layer, trimmed


def random_case(seed, *, opaque, layers=4, size=(13, 17)):
    rng = np.random.default_rng(seed)
    photo = rng.integers(0, 256, (*size, 4), dtype=np.uint8)
    if opaque:
        photo[..., 3] = 255
    alphas = rng.integers(0, 256, (layers, *size), dtype=np.uint8)
    extreme = rng.random(alphas.shape)
    alphas[extreme < 0.3] = 0
    alphas[extreme > 0.7] = 255
    colours = rng.integers(0, 256, (layers, *size, 3), dtype=np.uint8)
    black = (False, *(bool(flag) for flag in rng.random(layers - 1) < 0.4))
    return photo, alphas, colours, black


def document(photo, alphas, colours, black):
    layers = [
        trimmed(
            Layer(
                str(k),
                "shadow" if black[k] else "product",
                np.dstack([colours[k], alphas[k]]),
                blend="multiply" if black[k] else "normal",
            )
        )
        for k in range(len(alphas))
    ]
    return Document(photo.shape[1], photo.shape[0], tuple(layers))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), opaque=st.booleans(), layers=st.integers(1, 6))
def test_a_solved_stack_is_at_most_one_level_from_the_photo(seed, opaque, layers):
    photo, guess, colours, black = random_case(seed, opaque=opaque, layers=layers)
    alphas = fit_alphas(photo, guess, black)
    solved = solve(photo, Stack(alphas, colours, black))
    flat = document(photo, alphas, solved, black).flatten().astype(int)
    difference = np.abs(flat - photo)
    assert difference[..., 3].max() <= 1
    assert difference[photo[..., 3] > 0].max(initial=0) <= 1


def test_black_layers_stay_black():
    photo, guess, colours, _ = random_case(1, opaque=True)
    black = (False, True, False, True)
    solved = solve(photo, Stack(fit_alphas(photo, guess, black), colours, black))
    assert not solved[1].any()
    assert not solved[3].any()


def test_hidden_colours_are_left_as_they_were():
    photo, alphas, colours, black = random_case(2, opaque=True)
    alphas[-1] = 255
    black = (*black[:-1], False)
    solved = solve(photo, Stack(fit_alphas(photo, alphas, black), colours, black))
    assert np.array_equal(solved[0], colours[0])
    assert np.array_equal(solved[-1], photo[..., :3])


def test_alphas_that_fit_already_are_kept():
    photo, alphas, _, _ = random_case(3, opaque=True)
    alphas[0] = 255
    assert np.array_equal(fit_alphas(photo, alphas, (False,) * 4), alphas)


def test_the_weights_of_a_stack_over_an_opaque_layer_sum_to_one():
    alphas = np.random.default_rng(4).random((5, 7, 9), dtype=np.float32)
    alphas[0] = 1
    assert np.allclose(weights(alphas).sum(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize("multiply", [False, True])
def test_black_looks_the_same_on_multiply_and_on_normal(multiply):
    rng = np.random.default_rng(5)
    shadow = np.zeros((6, 6, 4), np.uint8)
    shadow[..., 3] = rng.integers(0, 256, (6, 6))
    normal = rng.random((6, 6, 4), dtype=np.float32)
    normal[..., :3] *= normal[..., 3:]
    other = normal.copy()
    over(normal, shadow)
    over(other, shadow, multiply=multiply)
    assert np.allclose(normal, other, atol=1e-6)


def test_a_premultiplied_canvas_becomes_the_bytes_it_came_from():
    pixels = np.random.default_rng(6).integers(0, 256, (20, 20, 4), dtype=np.uint8)
    pixels[pixels[..., 3] == 0] = 0
    canvas = np.zeros((20, 20, 4), np.float32)
    over(canvas, pixels)
    assert np.array_equal(straight(canvas), pixels)


@pytest.mark.parametrize("shape", [(1, 1), (3, 1_000_000), (5000, 300)])
def test_bands_cover_every_row_once(shape):
    rows = [row for band in bands(shape) for row in range(band.start, band.stop)]
    assert rows == list(range(shape[0]))
