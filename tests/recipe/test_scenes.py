"""The scene maker: layers are complete, exact, reproducible, and count what was asked for."""

from functools import cache

import numpy as np
import pytest
import sheet
import staging
import torch
from backdrops import BACKDROPS
from PIL import Image
from scenes import flatten, frames, make_scene
from sprites import Light, Sprite
from staging import Placed, by_depth, group, match, mean_colour
from stream import SHAPES, SIDE, SceneBatches, ahead

SEEDS = range(12)
SIZES = [(64, 64), (48, 80), (90, 52)]


@cache
def scene(seed, height=64, width=64):
    return make_scene(np.random.default_rng(seed), height, width)


def composite(layers):
    """Source-over in float64, premultiplied: (H, W, 4)."""
    canvas = np.zeros(layers[0].shape)
    for layer in layers.astype(np.float64):
        alpha = layer[..., 3:]
        canvas = np.concatenate([layer[..., :3] * alpha, alpha], axis=-1) + canvas * (1 - alpha)
    return canvas


def premultiplied(pixels):
    return np.concatenate([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], axis=-1)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_layers_compose_to_the_photo_but_for_sensor_noise_and_jpeg(seed):
    drawn = scene(seed)
    seen = composite(np.stack([layer.pixels for layer in drawn.layers]))
    assert np.abs(seen - premultiplied(flatten(drawn.layers))).max() < 1e-4
    assert np.abs(seen - premultiplied(drawn.photo)).mean() < 0.03


@pytest.mark.parametrize("seed", SEEDS)
def test_a_scene_is_a_backdrop_a_shadow_objects_and_text_in_this_order(seed):
    order = ["background", "shadow", "product", "text"]
    roles = [layer.role for layer in scene(seed).layers]
    assert roles == sorted(roles, key=order.index)
    assert all(roles.count(role) <= 1 for role in ("shadow", "text"))
    assert roles.count("background") == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_shadow_is_black_and_the_backdrop_opaque_but_in_cut_outs(seed):
    drawn = scene(seed)
    whole = bool((drawn.photo[..., 3] == 1).all())
    for layer in drawn.layers:
        if layer.role == "background":
            assert (layer.pixels[..., 3] == whole).all()
        if layer.role == "shadow":
            assert not layer.pixels[..., :3].any()


@pytest.fixture
def glossy(monkeypatch):
    """Make every floor mirror."""
    monkeypatch.setattr("reflections.GLOSSY_SHARE", 1)


def unshared(seed):
    return make_scene(np.random.default_rng(seed), 64, 64)


def mirrors(drawn):
    return any(layer.role == "shadow" and layer.pixels[..., :3].any() for layer in drawn.layers)


@pytest.mark.usefixtures("glossy")
def test_layers_with_a_reflection_still_compose_to_the_photo():
    reflecting = [drawn for drawn in map(unshared, range(60)) if mirrors(drawn)]
    assert 6 <= len(reflecting) <= 30
    for drawn in reflecting:
        seen = composite(np.stack([layer.pixels for layer in drawn.layers]))
        assert np.abs(seen - premultiplied(flatten(drawn.layers))).max() < 1e-4
        assert np.abs(seen - premultiplied(drawn.photo)).mean() < 0.03
        assert drawn.layers[1].role == "shadow"
        assert (drawn.photo[..., 3] == 1).all()


@pytest.mark.usefixtures("glossy")
def test_a_floor_that_mirrors_changes_nothing_else_of_a_scene(monkeypatch):
    glossy_scenes = [unshared(seed) for seed in range(30)]
    monkeypatch.setattr("reflections.GLOSSY_SHARE", 0)
    for seed, drawn in enumerate(glossy_scenes):
        matt = unshared(seed)
        assert not mirrors(matt)
        one, other = (
            [layer.pixels for layer in s.layers if layer.role != "shadow"] for s in (drawn, matt)
        )
        assert all((a == b).all() for a, b in zip(one, other, strict=True))


@pytest.mark.usefixtures("glossy")
def test_a_floor_mirrors_where_nothing_casts_a_shadow_too(monkeypatch):
    monkeypatch.setattr("scenes.SHADOW_SHARE", 0)
    assert any(mirrors(drawn) for drawn in map(unshared, range(30)))


def test_some_scenes_are_cut_outs_that_are_grey_where_they_are_clear():
    cut_outs = [s for s in map(scene, range(60)) if s.photo[..., 3].min() == 0]
    assert 3 <= len(cut_outs) <= 15
    for drawn in cut_outs:
        clear = drawn.photo[..., 3] == 0
        assert (drawn.photo[clear][:, :3] == 0.5).all()
        assert (frames(drawn, 4)[1][clear][:, 3] == 0).all()


def block(top, left, side=20):
    pixels = np.zeros((64, 64, 4), np.float32)
    pixels[top : top + side, left : left + side] = 1
    return Placed(pixels, "hanging")


def test_what_covers_comes_later_and_the_rest_is_ordered_by_foot_then_from_the_left():
    far, near = block(5, 40), block(40, 5)
    assert by_depth((near, far)) == (far, near)
    left, right = block(20, 5), block(20, 40)
    assert by_depth((right, left)) == (left, right)
    under, over = block(30, 30), block(15, 20)
    assert by_depth((under, over)) == (under, over)


def test_products_of_a_scene_are_ordered_by_depth():
    for seed in SEEDS:
        products = [layer.pixels for layer in scene(seed).layers if layer.role == "product"]
        objects = tuple(Placed(premultiplied(pixels), "hanging") for pixels in products)
        assert by_depth(objects) == objects


def test_a_thing_takes_on_the_colour_of_another_and_keeps_its_pattern():
    sprite = Sprite.blank(64, Light((0, 0, 1), 0.5, (1, 1, 1)))
    sprite.pixels[16:48, 16:48] = (0.3, 0.4, 0.5, 1)
    sprite.pixels[16:48, 16:24, :3] += np.float32(0.1)
    match(sprite, np.array([0.6, 0.2, 0.1], np.float32), 1.0)
    assert mean_colour(sprite.pixels) == pytest.approx([0.6, 0.2, 0.1], abs=1e-4)
    assert sprite.pixels[30, 20, :3] - sprite.pixels[30, 40, :3] == pytest.approx(0.1, abs=1e-4)
    assert not sprite.pixels[:16].any()


def test_some_heaps_are_a_large_thing_with_small_ones_on_it(monkeypatch):
    shares = []
    for on_top in (0, staging.ON_TOP, 1):
        monkeypatch.setattr("staging.ON_TOP", on_top)
        rng = np.random.default_rng(0)
        sizes = np.array([group(rng, 3)[0] for _ in range(400)])
        shares.append((sizes[:, 1:].max(axis=1) < 0.5 * sizes[:, 0]).mean())
    assert shares[0] < shares[1] < shares[2]


def test_a_group_of_none_has_no_sizes_and_no_places():
    sizes, centres = group(np.random.default_rng(0), 0)
    assert sizes.shape == (0,)
    assert centres.shape == (0, 2)


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
        assert np.abs(composite(stack[1:]) - premultiplied(flatten(drawn.layers))).max() < 1e-4


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
        seen = premultiplied(flatten(large.layers))
        shrunk = seen.reshape(48, 4, 64, 4, 4).mean(axis=(1, 3))
        assert np.abs(premultiplied(flatten(small.layers)) - shrunk).mean() < 0.05


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


@pytest.mark.parametrize("make", [make for make, _ in BACKDROPS])
def test_every_backdrop_is_finite_and_the_same_again(make):
    for seed in range(8):
        first, second = (make(np.random.default_rng(seed), (48, 64)) for _ in range(2))
        assert first.colour.shape == (48, 64, 3)
        assert np.isfinite(first.colour).all()
        assert (first.colour == second.colour).all()
        assert first.horizon is None or 0 < first.horizon < 1


@pytest.mark.parametrize("side", [128, 256])
def test_pictures_of_a_batch_have_about_as_many_tokens_whatever_their_shape(side):
    for height, width in SHAPES:
        assert height * side // 8 % 16 == width * side // 8 % 16 == 0
        assert 0.9 < height * width / 64 <= 1


def test_a_batch_holds_scenes_of_one_shape_between_minus_one_and_one():
    first, second = (next(iter(SceneBatches(2, 5))) for _ in range(2))
    batch, _, channels, height, width = first.shape
    assert (batch, channels) == (2, 4)
    assert [height * 8 // SIDE, width * 8 // SIDE] in [list(shape) for shape in SHAPES]
    assert first.abs().max() <= 1
    assert torch.equal(first, second)


def test_what_is_made_ahead_comes_in_order_and_so_do_its_mistakes():
    def numbers():
        yield from range(5)
        raise OSError("the disk is gone")

    made = ahead(numbers(), 2)
    assert [next(made) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(OSError, match="disk"):
        next(made)


def test_the_sheet_shows_a_row_for_each_scene(monkeypatch, tmp_path):
    path = tmp_path / "sheet.png"
    for options, size in (([], (7 * 32, 2 * 32)), (["--photos"], (8 * 32, 32))):
        argv = ["sheet", str(path), "--scenes", "2", "--side", "32", *options]
        monkeypatch.setattr("sys.argv", argv)
        sheet.main()
        with Image.open(path) as drawn:
            assert drawn.size == size
