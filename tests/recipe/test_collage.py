"""Exact scenes of photographs: what is put together is known, and something of it is hidden."""

import numpy as np
import pytest
from collage import SEEN, alone, read_collection, stack
from masks import masks_of
from PIL import Image

SIDE = 160


@pytest.fixture
def collection(tmp_path):
    cutouts, backdrops = tmp_path / "cutouts", tmp_path / "backdrops"
    cutouts.mkdir()
    backdrops.mkdir()
    for number, colour in enumerate(((200, 30, 30), (30, 160, 60), (40, 60, 220))):
        cutout = np.zeros((90, 120, 4), np.uint8)
        cutout[20:70, 10 : 80 + 10 * number] = (*colour, 255)
        Image.fromarray(cutout).save(cutouts / f"{number}.png")
    Image.fromarray(np.full((200, 300, 3), 180, np.uint8)).save(backdrops / "wall.png")
    return read_collection(cutouts, backdrops)


@pytest.mark.parametrize("count", [2, 3])
def test_in_a_stack_all_things_show_and_one_of_them_in_part(collection, count):
    for seed in range(4):
        scene = stack(np.random.default_rng(seed), collection, count, SIDE)
        assert scene.photo.shape == (SIDE, SIDE, 4)
        *_, seen, whole = (part.float() for part in masks_of(scene))
        shown = (seen.sum(dim=(1, 2)) / whole.sum(dim=(1, 2)))[:count]
        assert SEEN[0] - 0.02 < shown.min() < SEEN[1] + 0.02
        assert shown[-1] > 0.98


def test_the_backdrop_is_what_its_picture_shows_and_things_have_their_colours(collection):
    scene = alone(np.random.default_rng(0), collection, 0, SIDE)
    *_, thing = scene.layers
    there = thing.pixels[..., 3] > 0.99
    np.testing.assert_allclose(scene.photo[there][:, :3].mean(axis=0) * 255, (200, 30, 30), atol=1)
    np.testing.assert_allclose(scene.photo[thing.pixels[..., 3] == 0][:, :3] * 255, 180, atol=1)


def test_a_thing_is_as_large_as_it_is_to_be_whatever_the_size_of_its_picture(collection):
    widths = []
    for number in range(3):
        scene = alone(np.random.default_rng(1), collection, number, SIDE)
        widths.append((scene.layers[1].pixels[..., 3] > 0.5).any(axis=0).sum())
    assert max(widths) - min(widths) <= 2


def test_a_folder_without_pictures_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no picture"):
        read_collection(tmp_path, tmp_path)


def test_a_folder_with_too_few_cut_outs_for_a_stack_is_named(tmp_path):
    Image.new("RGBA", (9, 9), "red").save(tmp_path / "one.png")
    with pytest.raises(ValueError, match=r"a stack takes 3 cut-outs, and there are fewer"):
        read_collection(tmp_path, tmp_path)
