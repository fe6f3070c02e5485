"""What programs that are not ours make of a PSD; benchmarks/readers.py asks more of them."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from layerctl.formats import psd
from layerctl.formats.psd_layout import parse
from layerctl.formats.psd_surgery import graft
from layerctl.formats.psd_tree import tree
from tests.formats import strangers


def version(program):
    """What a program says of itself on standard output."""
    return subprocess.run([program, "-version"], capture_output=True, check=False).stdout


@pytest.fixture
def imagemagick(tmp_path):
    program = shutil.which("magick") or shutil.which("convert")
    # Other programs are called convert, too.
    if not program or b"ImageMagick" not in version(program):
        pytest.skip("ImageMagick is not installed")

    def show(*arguments):
        target = tmp_path / "shown.png"
        subprocess.run([program, *arguments, "-depth", "8", f"PNG32:{target}"], check=True)
        with Image.open(target) as image:
            return np.asarray(image.convert("RGBA"))

    return show


def test_imagemagick_shows_the_merged_picture(
    document, tmp_path, export, imagemagick, premultiplied
):
    psd.write(document, tmp_path / "picture.psd", export())
    shown = imagemagick(f"{tmp_path / 'picture.psd'}[0]")
    assert np.abs(premultiplied(shown) - premultiplied(document.flatten())).max() <= 1


@pytest.mark.parametrize("compression", ["raw", "rle", "zip"])
def test_imagemagick_composes_the_layers(
    document, tmp_path, export, imagemagick, premultiplied, compression
):
    psd.write(document, tmp_path / "picture.psd", export(compression))
    flatten = ("-delete", "1", "-background", "none", "-layers", "flatten")
    shown = imagemagick("-size", "80x60", "xc:none", tmp_path / "picture.psd", *flatten)
    assert np.abs(premultiplied(shown) - premultiplied(document.flatten())).max() <= 2


def test_imagemagick_shows_a_layer_that_became_a_group_as_before(
    tmp_path, export, imagemagick, premultiplied, drawn
):
    document = drawn(3)
    psd.write(document, tmp_path / "before.psd", export())
    layout = parse((tmp_path / "before.psd").read_bytes())
    parts = strangers.cut(document.at("1"), seed=1)
    after = graft(layout, tree(layout.records)[0], parts, psd.COMPRESSIONS["rle"])
    (tmp_path / "after.psd").write_bytes(b"".join(after))
    flatten = ("-delete", "1", "-background", "none", "-layers", "flatten")
    canvas = ("-size", "80x60", "xc:none")
    shown = [
        premultiplied(imagemagick(*canvas, tmp_path / name, *flatten))
        for name in ("before.psd", "after.psd")
    ]
    assert np.abs(shown[0] - shown[1]).max() <= 1
