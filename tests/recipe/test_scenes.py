"""The scene maker: layers are complete, exact, reproducible, and count what was asked for."""

from functools import cache

import numpy as np
import pytest
from scenes import flatten, frames, make_scene

SEEDS = range(12)
SIZES = [(64, 64), (48, 80), (90, 52)]


@cache
def scene(seed, height=64, width=64):
    return make_scene(np.random.default_rng(seed), height, width)


def composite(layers):
    canvas = np.zeros((*layers[0].shape[:2], 3))
    for layer in layers.astype(np.float64):
        canvas = layer[..., :3] * layer[..., 3:] + canvas * (1 - layer[..., 3:])
    return canvas


@pytest.mark.parametrize("seed", SEEDS)
def test_the_layers_compose_to_the_photo_but_for_sensor_noise_and_jpeg(seed):
    drawn = scene(seed)
    seen = composite(np.stack([layer.pixels for layer in drawn.layers]))
    assert np.abs(seen - flatten(drawn.layers)[..., :3]).max() < 1e-4
    assert np.abs(seen - drawn.photo[..., :3]).mean() < 0.03


@pytest.mark.parametrize("seed", SEEDS)
def test_a_scene_is_a_backdrop_a_shadow_objects_and_text_in_this_order(seed):
    order = ["background", "shadow", "product", "text"]
    roles = [layer.role for layer in scene(seed).layers]
    assert roles == sorted(roles, key=order.index)
    assert all(roles.count(role) <= 1 for role in ("shadow", "text"))
    assert roles.count("background") == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_the_backdrop_is_opaque_and_a_shadow_is_black(seed):
    for layer in scene(seed).layers:
        if layer.role == "background":
            assert (layer.pixels[..., 3] == 1).all()
        if layer.role == "shadow":
            assert not layer.pixels[..., :3].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_clear_parts_go_on_in_the_colour_of_their_layer(seed):
    for layer in scene(seed).layers:
        if layer.role in ("product", "text"):
            alpha, colour = layer.pixels[..., 3], layer.pixels[..., :3]
            shown = (colour * alpha[..., None]).sum(axis=(0, 1)) / alpha.sum()
            clear = colour[alpha == 0]
            assert np.abs(clear - shown).mean() < 0.35
            assert np.abs(np.diff(clear, axis=0)).mean() < 0.02


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 9])
def test_any_number_of_frames_composes_to_the_same_picture(count):
    for seed in SEEDS:
        drawn = scene(seed)
        stack = frames(drawn, count)
        assert stack.shape == (count + 1, 64, 64, 4)
        assert stack.dtype == np.float32
        assert (stack[0] == drawn.photo).all()
        assert np.abs(composite(stack[1:]) - flatten(drawn.layers)[..., :3]).max() < 1e-4


def test_text_merges_into_an_object_before_the_shadow_merges_into_the_backdrop():
    drawn = next(s for s in map(scene, range(200)) if {"shadow", "text"} <= roles_of(s))
    assert len(drawn.layers) >= 4
    three, two = frames(drawn, 3), frames(drawn, 2)
    assert (three[1] == drawn.layers[0].pixels).all()
    assert (three[2] == drawn.layers[1].pixels).all()
    assert (two[2] == three[3]).all()


def roles_of(drawn):
    return {layer.role for layer in drawn.layers}


def test_missing_layers_are_clear_and_grey():
    stack = frames(scene(0), 9)
    assert (stack[-1][..., 3] == 0).all()
    assert (stack[-1][..., :3] == 0.5).all()


@pytest.mark.parametrize("size", SIZES)
def test_the_same_seed_gives_the_same_bytes_at_any_size(size):
    for seed in range(4):
        first, second = (make_scene(np.random.default_rng(seed), *size) for _ in range(2))
        assert first.photo.shape == (*size, 4)
        assert first.photo.tobytes() == second.photo.tobytes()
        for one, other in zip(first.layers, second.layers, strict=True):
            assert one.pixels.tobytes() == other.pixels.tobytes()


def test_a_larger_picture_shows_the_same_scene():
    for seed in range(6):
        small, large = scene(seed, 48, 64), scene(seed, 192, 256)
        shrunk = flatten(large.layers).reshape(48, 4, 64, 4, 4).mean(axis=(1, 3))
        assert np.abs(flatten(small.layers) - shrunk)[..., :3].mean() < 0.05


def test_values_stay_in_range_and_finite_over_many_scenes():
    for seed in range(100, 130):
        for layer in scene(seed, 40, 56).layers:
            assert np.isfinite(layer.pixels).all()
            assert layer.pixels.dtype == np.float32
            assert layer.pixels.min() >= 0
            assert layer.pixels.max() <= 1


def test_scenes_differ_in_what_they_hold():
    roles = [tuple(layer.role for layer in scene(seed, 40, 56).layers) for seed in range(100, 150)]
    assert any("product" not in held for held in roles)
    assert any("shadow" not in held for held in roles)
    assert any("text" in held for held in roles)
    assert any(held.count("product") > 1 for held in roles)
