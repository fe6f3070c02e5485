import struct

import numpy as np
import pytest
from PIL import Image

from layerctl.document import Document, Layer
from layerctl.errors import DocumentError
from layerctl.formats import png


@pytest.mark.parametrize("canvas", ["full", "trimmed"])
def test_a_stack_comes_back_as_it_was(document, tmp_path, export, same, canvas):
    png.write(document, tmp_path, export(canvas=canvas))
    same(png.read(tmp_path), document)


def test_roles_and_groups_come_back(document, tmp_path, export):
    png.write(document, tmp_path, export())
    found = png.read(tmp_path)
    assert [layer.role for _, layer in found.walk()] == [layer.role for _, layer in document.walk()]
    assert found.at("3/2").name == "inner"


def test_files_are_numbered_from_the_bottom_and_named(document, tmp_path, export):
    names = [file.name for file in png.write(document, tmp_path, export())]
    assert names[:2] == ["00-background.png", "01-shadow.png"]
    assert names[3:] == ["02-01-00-a_b_-c.png", "03-faint.png", "04-off.png"]
    assert names == sorted(file.name for file in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("产品 🎁", "00-产品-🎁.png"),
        ("../../etc/passwd", "00-_.._etc_passwd.png"),
        ("tab\tand\nbreak", "00-tab_and_break.png"),
        ("  ", "00-layer.png"),
        ("..", "00-layer.png"),
        ("half a pair \ud83c", "00-half-a-pair.png"),
        ("é" * 300, "00-" + "é" * 60 + ".png"),
    ],
)
def test_any_name_becomes_a_legal_file_name(name, file):
    assert png.file_name((0,), name) == file


def test_full_canvas_pictures_composed_in_order_give_the_document(tmp_path, export, drawn):
    document = drawn(5)
    steady = Document(80, 60, document.children[:3])
    canvas = Image.new("RGBA", (80, 60))
    for file in png.write(steady, tmp_path, export()):
        with Image.open(file) as image:
            canvas = Image.alpha_composite(canvas, image)
    difference = np.asarray(canvas).astype(int) - steady.flatten()
    assert np.abs(difference).max() <= 2


def test_a_shadow_is_black_with_alpha(document, tmp_path, export):
    file = png.write(document, tmp_path, export(canvas="trimmed"))[1]
    with Image.open(file) as image:
        pixels = np.asarray(image)
    assert not pixels[..., :3].any()
    np.testing.assert_array_equal(pixels[..., 3], document.at("2").pixels[..., 3])


def test_a_grey_multiply_layer_darkens_as_much_as_before(tmp_path, export):
    grey = np.full((4, 4, 4), 102, np.uint8)
    grey[..., 3] = 200
    white = Layer("background", "background", np.full((4, 4, 4), 255, np.uint8))
    document = Document(4, 4, (white, Layer("shade", "shadow", grey, blend="multiply")))
    png.write(document, tmp_path, export())
    difference = png.read(tmp_path).flatten().astype(int) - document.flatten()
    assert np.abs(difference).max() <= 1


def test_profile_resolution_and_title_are_where_other_programs_look(document, tmp_path, export):
    file = png.write(document, tmp_path, export())[2]
    with Image.open(file) as image:
        assert image.info["icc_profile"] == document.icc
        assert image.info["dpi"] == pytest.approx((300, 240), abs=0.01)
        assert image.info["Title"] == document.at("3/1").name


def test_a_trimmed_picture_says_where_it_lies(document, tmp_path, export):
    data = png.write(document, tmp_path, export(canvas="trimmed"))[1].read_bytes()
    start = data.index(b"oFFs") + 4
    assert struct.unpack(">iiB", data[start : start + 9]) == (5, 30, 0)
    with Image.open(tmp_path / "01-shadow.png") as image:
        image.verify()


def test_a_layer_over_the_edge_is_cut_there_on_a_full_canvas(tmp_path, export):
    square = Layer("square", "product", np.full((6, 6, 4), 255, np.uint8), -2, 3)
    document = Document(5, 5, (square,))
    png.write(document, tmp_path, export())
    found = png.read(tmp_path)
    assert found.at("1").box == (0, 3, 4, 5)
    np.testing.assert_array_equal(found.flatten(), document.flatten())


def test_a_layer_as_large_as_the_canvas_may_lie_beside_it(tmp_path, export, same):
    square = Layer("square", "product", np.full((5, 5, 4), 255, np.uint8), 2, -1)
    document = Document(5, 5, (square,))
    png.write(document, tmp_path, export(canvas="trimmed"))
    same(png.read(tmp_path), document)


def test_same_document_same_bytes(document, tmp_path, export):
    first = png.write(document, tmp_path / "a", export())
    second = png.write(document, tmp_path / "b", export())
    assert [f.read_bytes() for f in first] == [f.read_bytes() for f in second]


def test_an_empty_folder_is_no_stack(tmp_path):
    with pytest.raises(DocumentError, match="no layer in it"):
        png.read(tmp_path)


def test_somebody_elses_picture_is_refused(document, tmp_path, export):
    png.write(document, tmp_path, export())
    Image.new("RGB", (3, 3)).save(tmp_path / "05-mine.png")
    with pytest.raises(DocumentError, match="not written by layerctl"):
        png.read(tmp_path)


def test_pictures_of_two_documents_are_refused(drawn, tmp_path, export):
    png.write(drawn(1), tmp_path, export())
    dot = Layer("dot", "product", np.full((1, 1, 4), 255, np.uint8))
    png.write(Document(9, 9, (dot,)), tmp_path, export())
    with pytest.raises(DocumentError, match="different sizes"):
        png.read(tmp_path)


def test_a_picture_that_ends_early_is_refused(document, tmp_path, export):
    file = png.write(document, tmp_path, export())[0]
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(DocumentError):
        png.read(tmp_path)


def test_a_picture_larger_than_pillow_expects_comes_back(
    document, tmp_path, export, same, monkeypatch
):
    png.write(document, tmp_path, export())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    same(png.read(tmp_path), document)
