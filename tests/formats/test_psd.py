import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from psd_tools import PSDImage
from psd_tools.constants import BlendMode

from layerctl.document import Document, Group, Layer
from layerctl.errors import DocumentError
from layerctl.formats import psd

GIFT = "产品 🎁"


def first_255(name):
    return name[:255]


@pytest.fixture
def written(tmp_path, export):
    def write(document, **options):
        target = tmp_path / "picture.psd"
        assert psd.write(document, target, export(**options)) == (target,)
        return target

    return write


@pytest.mark.parametrize("compression", ["raw", "rle", "zip"])
def test_a_document_comes_back_as_it_was(document, written, same, compression):
    same(psd.read(written(document, compression=compression)), document, first_255)


def test_groups_come_back_in_their_order_with_names_of_any_script(document, written):
    group = psd.read(written(document)).at("3")
    assert isinstance(group, Group)
    assert group.name == GIFT
    assert [child.name[:5] for child in group.children] == ["nnnnn", "inner"]


def test_a_long_name_is_cut_before_a_character_that_needs_two_units(written):
    layer = Layer("x" * 254 + "🎁", "background", np.full((4, 4, 4), 255, np.uint8))
    assert psd.read(written(Document(4, 4, (layer,)))).at("1").name == "x" * 254


def test_psd_tools_own_compositor_agrees(document, written, premultiplied):
    image = PSDImage.open(written(document))
    theirs = image.composite(force=True, ignore_preview=True, apply_icc=False).convert("RGBA")
    difference = premultiplied(theirs) - premultiplied(document.flatten())
    assert np.abs(difference).max() <= 2


def test_the_merged_picture_is_the_flattened_document(document, written, premultiplied):
    difference = premultiplied(psd.merged(written(document))) - premultiplied(document.flatten())
    assert np.abs(difference).max() <= 1


def test_pillow_shows_an_opaque_document_exactly(drawn, written):
    document = drawn(3)
    with Image.open(written(document)) as image:
        np.testing.assert_array_equal(np.asarray(image), document.flatten()[..., :3])


def test_pillow_shows_a_translucent_document_on_white(drawn, written):
    document = drawn(3, opaque=False)
    flat = Image.fromarray(document.flatten())
    white = Image.alpha_composite(Image.new("RGBA", flat.size, "white"), flat)
    with Image.open(written(document)) as image:
        found = np.asarray(image).astype(int)
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(found[..., 3], np.asarray(flat)[..., 3])
    assert np.abs(found[..., :3] - np.asarray(white)[..., :3]).max() <= 1


def test_the_merged_picture_never_needs_zip(document, written):
    with Image.open(written(document, compression="zip")) as image:
        image.load()


def test_shadows_multiply_and_layers_are_as_large_as_their_box(document, written):
    image = PSDImage.open(written(document))
    assert image[1].blend_mode == BlendMode.MULTIPLY
    assert image[1].bbox == (5, 30, 45, 50)


def test_the_profile_the_resolution_and_a_thumbnail_are_in_it(document, written):
    target = written(document)
    image = PSDImage.open(target)
    assert image.thumbnail().size == (80, 60)
    with Image.open(target) as picture:
        assert picture.info["icc_profile"] == document.icc
    assert psd.read(target).dpi == (300, 240)


def test_a_thumbnail_is_no_larger_than_photoshop_makes_it(written):
    wide = Layer("background", "background", np.full((100, 400, 4), 200, np.uint8))
    image = PSDImage.open(written(Document(400, 100, (wide,))))
    assert image.thumbnail().size == (160, 40)


def test_the_original_can_lie_hidden_on_top(document, written):
    found = psd.read(written(document, original=True))
    top = found.at("original")
    assert not top.visible
    np.testing.assert_array_equal(top.pixels, document.flatten())
    np.testing.assert_array_equal(found.flatten(), document.flatten())


def test_group_opacity_and_blend_come_back(written):
    inside = Layer("inside", "product", np.full((4, 4, 4), 90, np.uint8))
    group = Group("group", (inside,), opacity=51 / 255, blend="multiply", visible=False)
    found = psd.read(written(Document(4, 4, (group,)))).at("group")
    assert (found.opacity, found.blend, found.visible) == (51 / 255, "multiply", False)


def test_same_document_same_bytes(document, tmp_path, export):
    first, second = tmp_path / "a.psd", tmp_path / "b.psd"
    psd.write(document, first, export())
    psd.write(document, second, export())
    assert first.read_bytes() == second.read_bytes()


def test_a_long_side_makes_it_a_psb(tmp_path, export):
    strip = Layer("background", "background", np.full((1, 30_001, 4), 255, np.uint8))
    document = Document(30_001, 1, (strip,))
    assert psd.suffix_for(document) == ".psb"
    target = tmp_path / "long.psb"
    psd.write(document, target, export())
    assert PSDImage.open(target).version == 2
    np.testing.assert_array_equal(psd.read(target).flatten(), document.flatten())


def test_two_gigabytes_of_pixels_make_it_a_psb():
    one = np.broadcast_to(np.uint8(255), (20_000, 20_000, 4))
    layer = Layer("background", "background", one)
    assert psd.suffix_for(Document(20_000, 20_000, (layer,))) == ".psb"
    assert psd.suffix_for(Document(2_000, 2_000, (replace(layer, pixels=one[:10, :10]),))) == ".psd"


def test_no_file_holds_more_than_300_000_pixels_a_side(tmp_path, export):
    with pytest.raises(DocumentError, match="300,000"):
        psd.write(Document(300_001, 1, ()), tmp_path / "far.psb", export())


def test_a_file_without_layers_is_one_layer(tmp_path):
    flat = Image.fromarray(np.full((3, 5, 3), 77, np.uint8))
    PSDImage.frompil(flat).save(tmp_path / "flat.psd")
    found = psd.read(tmp_path / "flat.psd")
    assert [layer.name for _, layer in found.walk()] == ["background"]
    assert (found.flatten()[..., :3] == 77).all()


def test_an_unknown_blend_mode_is_refused_by_name(document, written, tmp_path):
    image = PSDImage.open(written(document))
    image[3].blend_mode = BlendMode.COLOR_DODGE
    image.save(tmp_path / "other.psd")
    with pytest.raises(DocumentError, match="'faint' blends by color dodge"):
        psd.read(tmp_path / "other.psd")
    assert psd.tree(tmp_path / "other.psd")[-2].blend == "color dodge"


def test_a_mask_is_refused_and_not_dropped(document, written, tmp_path):
    image = PSDImage.open(written(document))
    image[0].create_mask(Image.new("L", (80, 60), 128))
    image.save(tmp_path / "masked.psd")
    with pytest.raises(DocumentError, match="has a mask"):
        psd.read(tmp_path / "masked.psd")


def test_the_tree_numbers_groups_and_measures_coverage(drawn, written):
    rows = psd.tree(written(drawn(1)))
    assert [row.number for row in rows] == ["1", "2", "3", "3/1", "3/2", "3/2/1", "4", "5"]
    assert [row.kind for row in rows].count("group") == 2
    assert rows[0].coverage == 1
    assert rows[2].coverage is None
    assert (rows[-1].visible, rows[-1].box) == (False, (1, 1, 6, 6))


def test_a_channel_that_cannot_be_unpacked_is_an_error_and_not_black(document, written):
    target = written(document, compression="zip")
    data = bytearray(target.read_bytes())
    start = data.index(b"\x00\x02\x78\x9c") + 4
    data[start + 40 : start + 80] = bytes(40)
    target.write_bytes(data)
    with pytest.raises(DocumentError, match="a channel cannot be unpacked"):
        psd.read(target)


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.9])
def test_half_a_file_is_refused_in_a_sentence(document, written, share):
    target = written(document)
    target.write_bytes(target.read_bytes()[: int(share * target.stat().st_size)])
    with pytest.raises(DocumentError, match="damaged"):
        psd.read(target)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DocumentError, match=r"none\.psd: it does not exist"):
        psd.tree(tmp_path / "none.psd")


@pytest.mark.slow
def test_24_megapixels_in_five_layers_need_less_than_3_gibibytes(tmp_path):
    script = Path(__file__).with_name("write_large.py")
    command = [sys.executable, script, tmp_path / "large.psd"]
    env = os.environ | {"PYTHONPATH": str(script.parents[2])}
    peak = int(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=env).stdout)
    print(f"peak: {peak / 2**30:.2f} GiB")
    assert peak < 3 * 2**30
