"""Things cut out of pictures as products; small pictures made here stand for renderings."""

import numpy as np
import pytest
import staging
from gather_emoji import gather
from PIL import Image
from sprites import Light, Sprite
from stock import FOLDER, cut_out, read_cut_out, stock

SIDE = 96
LAMP = Light((0.3, -0.5, 0.8), 0.6, (1, 1, 1))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, size in (("mugs/one.png", (40, 60)), ("two.webp", (200, 90))):
        pixels = np.zeros((*size, 4), np.uint8)
        pixels[5:-5, 8:-8] = (200, 120, 40, 255)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name, lossless=True)
    (tmp_path / "licence.txt").touch()
    monkeypatch.setenv(FOLDER, str(tmp_path))
    return tmp_path


def painted(seed, light=LAMP):
    sprite = Sprite.blank(SIDE, light)
    cut_out(np.random.default_rng(seed), sprite)
    return sprite.pixels


def test_without_a_folder_nothing_is_in_stock_and_all_is_drawn(monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    assert stock() == ()
    assert staging.makers_here() is staging.MAKERS


def test_all_pictures_under_the_folder_are_in_stock(folder):
    assert stock() == ((folder / "two.webp",), (folder / "mugs" / "one.png",))
    assert staging.makers_here()[-1][0] is cut_out


def test_a_folder_of_few_pictures_is_drawn_from_as_often_as_one_of_many(folder):
    tall = Image.open(folder / "two.webp")
    for number in range(9):
        tall.save(folder / f"more {number}.webp", lossless=True)
    upright = 0
    for seed in range(100):
        shown = painted(seed)[..., 3] > 0.5
        upright += bool(shown.any(axis=1).sum() > shown.any(axis=0).sum())
    assert 35 <= upright <= 65


def test_a_folder_without_pictures_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(FileNotFoundError, match=tmp_path.name):
        stock()


def test_a_picture_is_trimmed_to_what_it_shows(folder):
    assert read_cut_out(folder / "mugs" / "one.png").shape == (30, 44, 4)


@pytest.mark.usefixtures("folder")
def test_things_are_premultiplied_fill_their_patch_and_come_out_the_same_again():
    for seed in range(24):
        pixels = painted(seed)
        assert pixels.tobytes() == painted(seed).tobytes()
        assert pixels.min() >= 0
        assert (pixels[..., :3] <= pixels[..., 3:] + 1e-5).all()
        shown = pixels[..., 3] > 0.5
        longest = max(shown.any(axis=0).sum(), shown.any(axis=1).sum())
        assert longest == pytest.approx(0.95 * SIDE, abs=2)


@pytest.mark.usefixtures("folder")
def test_a_thing_is_no_darker_on_the_side_of_the_lamp():
    for seed in range(12):
        left = painted(seed, Light((-0.9, 0, 0.4), 0.6, (1, 1, 1)))
        shown = left[..., 3] > 0.99
        columns = np.flatnonzero(shown.any(axis=0))
        rows = np.flatnonzero(shown.any(axis=1))
        row = left[rows[len(rows) // 2], columns[2:-2], :3].sum(axis=1)
        assert (np.diff(row) <= 1e-4).all()


@pytest.mark.usefixtures("folder")
def test_the_tinge_of_the_light_falls_on_things():
    lamp = Light((0.3, -0.5, 0.8), 0.6, (0.5, 1, 1))
    plain, tinged = painted(4), painted(4, lamp)
    inside = plain[..., 3] > 0.99
    assert tinged[inside, 0] == pytest.approx(plain[inside, 0] / 2, abs=1e-5)


def test_things_are_gathered_from_a_set_of_emoji_but_no_faces_and_no_signs(tmp_path):
    names = ("1f50b.webp", "2602-fe0f.png", "1f600.webp", "1f1e9-1f1ea.webp", "licence.txt")
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    assert gather(tmp_path, tmp_path / "out" / "drawn") == 2
    found = {path.name: path.read_bytes() for path in (tmp_path / "out" / "drawn").iterdir()}
    assert found == {name: name.encode() for name in names[:2]}
