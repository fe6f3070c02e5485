"""What programs that are not ours make of a PSD; benchmarks/readers.py asks more of them."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from layerctl.formats import psd


@pytest.fixture
def imagemagick(tmp_path):
    program = shutil.which("magick") or shutil.which("convert")
    if program is None:
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
