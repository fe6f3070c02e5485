import json
import re

import numpy as np
import pytest
from baseline import grab_cut, no_model
from evaluate import Exam, evaluate
from parts import flatten
from PIL import Image
from specimens import on_backdrops, product_alpha, scenes
from table import markdown

from layerctl.document import Decomposition, Document, Layer
from layerctl.photo import read_photo
from layerctl.preset import load_preset

SIZE = 48


def disc(x, y, radius, colour):
    down, across = np.mgrid[:SIZE, :SIZE]
    inside = np.hypot(across - x, down - y) < radius
    return (inside[..., None] * np.array((*colour, 255))).astype(np.uint8)


def backdrop():
    noise = np.random.default_rng(1).integers(0, 12, (SIZE, SIZE, 4))
    return (np.array([225, 228, 232, 255]) - noise * [1, 1, 1, 0]).astype(np.uint8)


LAYERS = [backdrop(), disc(18, 22, 9, (180, 30, 30)), disc(30, 26, 8, (20, 60, 160))]


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def data(tmp_path):
    """A photo, a cut-out with a soft shadow, and a scene in each of the two forms."""
    whole = flatten((SIZE, SIZE), LAYERS)
    save(tmp_path / "photos" / "shoe.png", whole)
    cutout = disc(24, 20, 9, (180, 30, 30))
    cutout[32:36, 12:36] = (0, 0, 0, 60)
    save(tmp_path / "cutouts" / "cup.png", cutout)
    for name, file in (("00", "flat.png"), ("art-1", "whole.png")):
        names = ["bg.png", "layer_0.png", "layer_1.png"]
        for layer, pixels in zip([*names, file], [*LAYERS, whole], strict=True):
            save(tmp_path / "scenes" / name / layer, pixels)
    meta = {"kind": "studio", "layers_bottom_to_top": [{"file": name} for name in names]}
    (tmp_path / "scenes" / "00" / "meta.json").write_text(json.dumps(meta))
    return tmp_path


def knowing(photo, _preset):
    """Takes every photo apart as the scenes are made; wrong about all others, but never inexact."""
    layers = LAYERS
    if not np.array_equal(flatten((SIZE, SIZE), layers), photo.pixels):
        layers = [photo.pixels]
    roles = ("background", "product", "product")
    children = tuple(Layer(role, role, pixels) for role, pixels in zip(roles, layers, strict=False))
    document = Document(photo.width, photo.height, children)
    return Decomposition(document, {"model": 0.1, "lift": 0.2})


def table(data, limit=None):
    return markdown(list(evaluate(Exam(data, knowing, load_preset("default"), limit))))


def test_the_table_has_a_part_for_everything_in_the_folder(data):
    text = table(data)
    for title in ("photos (1)", "cut-outs, RGBA (1)", "scenes, studio backdrop (1)"):
        assert f"| {title} | 0 (0.00%) | - | - |" in text
    for title in ("published decompositions (1)", "plain backdrops (3)", "gradients (2)"):
        assert f"{title}**" in text
    for stage in ("read", "model", "lift", "write", "together", "peak memory, MiB"):
        assert re.search(rf"^\| {stage} \| [\d.]+ \| - \| - \|$", text, re.MULTILINE)


def test_all_rows_are_as_wide_as_the_head(data):
    assert len({line.count("|") for line in table(data).splitlines()}) == 1


def test_who_knows_the_layers_has_full_marks_and_who_does_nothing_has_none(data):
    text = table(data, limit=1)
    scene = text.split("**scenes, studio backdrop (1)**")[1]
    assert re.search(r"soft IoU ↑ \| 1\.000 \| 0\.\d+ \| 0\.000 \|", scene)
    assert re.search(r"own layer ↑ \| 100% \| 0% \| 0% \|", scene)


def test_a_second_run_gives_the_same_scores(data):
    scores = [table(data).split("**seconds")[0] for _ in range(2)]
    assert scores[0] == scores[1]


def test_folders_that_are_missing_are_left_out_with_a_word(tmp_path, data, capsys):
    data.joinpath("photos").rename(tmp_path / "elsewhere")
    assert "seconds" not in table(data)
    assert "photos is not there" in capsys.readouterr().err


def test_an_empty_folder_gives_an_empty_table(tmp_path):
    assert "photos" not in table(tmp_path)


def test_a_scene_whose_layers_are_others_counts_for_exactness_only(data, capsys):
    save(data / "scenes" / "00" / "flat.png", LAYERS[0])
    text = table(data)
    assert "| scenes, studio backdrop (1) |" in text
    assert "**scenes, studio backdrop" not in text
    assert "exactness only" in capsys.readouterr().err


def test_a_cut_out_comes_on_five_backdrops_and_its_shadow_is_not_product(data):
    cutout = data / "cutouts" / "cup.png"
    specimens = list(on_backdrops(cutout))
    assert len({specimen.name for specimen in specimens}) == 5
    for specimen in specimens:
        union = specimen.truth.union
        assert union[20, 24] == 1
        assert not union[33].any()
        assert specimen.shadow[33, 20]
        assert not specimen.shadow[20].any()
        assert (specimen.photo.pixels[33, 20, :3] < specimen.truth.backdrop[33, 20] * 255).all()


def test_dark_and_translucent_together_make_a_shadow():
    pixels = np.array([[[0, 0, 0, 90], [0, 0, 0, 255], [200, 30, 30, 90], [200, 30, 30, 9]]])
    assert product_alpha(pixels.astype(np.uint8)).tolist() == [[0, 255, 90, 0]]


def test_lettering_is_no_product(data):
    meta = data / "scenes" / "00" / "meta.json"
    save(data / "scenes" / "00" / "02_text.png", LAYERS[2])
    meta.write_text(meta.read_text().replace("layer_1.png", "02_text.png"))
    assert next(scenes([meta.parent])).products == (0,)


def test_grab_cut_finds_a_plain_product_and_fills_the_hole(data):
    photo = read_photo(data / "photos" / "shoe.png").pixels
    parts = grab_cut(photo)
    inside = parts.union > 0
    assert inside[22, 18]
    assert not inside[4, 4]
    assert np.abs(parts.backdrop[22, 18] - LAYERS[0][22, 18, :3] / 255).max() < 0.15
    assert np.array_equal(np.rint(parts.backdrop[~inside] * 255), photo[..., :3][~inside])


def test_no_model_sees_a_backdrop_and_no_thing(data):
    photo = read_photo(data / "photos" / "shoe.png").pixels
    parts = no_model(photo)
    assert len(parts.alphas) == 0
    assert np.array_equal(np.rint(parts.backdrop * 255), photo[..., :3])
