"""Files that are damaged, cut short, too large or no picture: refused by name, in a sentence."""

import csv
import os
import re
import socket
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from layerctl.errors import ImageError
from layerctl.photo import read_photo
from tests.pictures import chunk, encoded, grey_tiff, png, scene, tiff

DATA = os.environ.get("LAYERCTL_DATA")
NASTY = Path(DATA or "absent") / "nasty"

REFUSED = {
    "broken_data_stream.png": "CRC",
    "png_decompression_dos.png": "PNG is damaged",
    "decompression_bomb.ico": "limit",
    "bmp_reallybig.bmp": "limit",
    "bmp_badwidth.bmp": "limit",
    "bmp_badbitcount.bmp": "BMP is damaged",
    "zero_height.j2k": "JPEG2000 is damaged",
    "tiff_oom_88bytes.tif": "TIFF is damaged",
    "tiff_fuzz_2.tif": "cut short",
    "ultrahdr.jpg": "cut short",
    "combined_larger_than_size.psd": "PSD is damaged",
    "test-ole-file.doc": "Office",
    "sharp_truncated.png": "cut short",
    "65536-uint32-limit.png": "limit",
    "check.svg": "SVG",
    "17000x17000.avif": "AVIF",
    "vips_truncated.gif": "cut short",
    "blankpage.pdf": "PDF",
    "sample.hdr": "Radiance",
    "rgb32f_color.tiff": "8 or 16 bits",
    "truncated.heic": "cut short",
    "clap_irot_imir_non_essential.avif": "AVIF is damaged",
    "image-compression-invalid.psd": "PSD is damaged",
    "gen/zero.png": "empty",
    "gen/one-byte.png": "no picture format",
    "gen/soi-only.jpg": "JPEG is damaged",
    "gen/page.jpg": "HTML",
    "gen/lfs-pointer.png": "git lfs pull",
    "gen/bitflip.png": "CRC",
    "gen/flat-40000x40000-1bit.png": "limit",
    "gen/claims-65500x65500.jpg": "limit",
    "gen/xxe.svg": "SVG",
}
"""The files of the collection that are no photos, each with words of its refusal."""


@pytest.fixture
def refusal(tmp_path):
    def call(content, limit=200):
        path = tmp_path / "picture.png"
        path.write_bytes(content)
        with pytest.raises(ImageError) as error:
            read_photo(path, limit)
        sentence = str(error.value)
        assert "\n" not in sentence
        assert str(path) not in sentence
        return sentence

    return call


def read(tmp_path, content):
    path = tmp_path / "picture"
    path.write_bytes(content)
    return read_photo(path)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("tail", [b"", b"\xff\xd9", bytes(3000)], ids=["cut", "ended", "zeros"])
def test_a_jpeg_that_lacks_pixels_is_refused_however_it_ends(refusal, progressive, tail):
    content = encoded(scene(), "JPEG", quality=90, progressive=progressive)
    start = content.index(b"\xff\xda") + 14
    # Between two scans of a progressive JPEG an end mark makes a whole, coarser picture.
    cuts = range(start, len(content) - 3, 97)
    between = {match.start() for match in re.finditer(rb"\xff[\xc4\xda]", content)}
    for cut in cuts:
        if not (tail and any(0 <= mark - cut <= 1 or mark < cut <= mark + 60 for mark in between)):
            assert "cut short" in refusal(content[:cut] + tail)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_end_mark_is_read_to_the_last_pixel_and_that_is_said(tmp_path, progressive):
    content = encoded(scene(), "JPEG", progressive=progressive)
    photo = read(tmp_path, content[:-2])
    assert np.array_equal(photo.pixels, read(tmp_path, content).pixels)
    assert "no end mark" in photo.notes[0]


def test_a_png_without_end_chunk_is_read_and_that_is_said(tmp_path):
    content = encoded(scene(), "PNG")
    for missing in (1, 4, 8, 12):
        photo = read(tmp_path, content[:-missing])
        assert np.array_equal(photo.pixels[..., :3], np.asarray(scene()))
        assert "no end mark" in photo.notes[0]


def test_a_png_is_held_to_every_checksum(refusal):
    content = bytearray(encoded(scene(), "PNG"))
    at = content.index(b"IDAT") + 40
    content[at] ^= 1
    assert "CRC" in refusal(content)
    header = bytearray(encoded(scene(), "PNG"))
    header[29] ^= 1
    assert "damaged" in refusal(header)


@pytest.mark.parametrize(
    "kind",
    ["PNG", "GIF", "WEBP", "TIFF", "BMP", "ICO", "AVIF", "HEIF", "JPEG2000", "QOI", "PPM", "JPEG"],
)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_half_a_file_is_no_photo(refusal, kind, share):
    content = encoded(scene(), kind)
    assert re.search("cut short|damaged", refusal(content[: int(len(content) * share)]))


def test_compressed_text_that_inflates_hugely_is_not_inflated(refusal):
    import zlib

    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9))
    assert "PNG" in refusal(png((1, 1), 8, 0, bytes(2), bomb))


def claims(width, height):
    """Small files whose headers claim that size, by format."""
    jpeg = bytearray(encoded(scene(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0") + 5
    jpeg[frame : frame + 4] = struct.pack(">HH", min(height, 65500), min(width, 65500))
    bmp = bytearray(encoded(scene(), "BMP"))
    bmp[18:26] = struct.pack("<ii", width, height)
    gif = bytearray(encoded(scene(), "GIF"))
    gif[6:10] = struct.pack("<HH", min(width, 65500), min(height, 65500))
    boxes = {}
    for kind in ("AVIF", "HEIF"):
        box = bytearray(encoded(scene(64, 64), kind))
        at = box.index(b"ispe") + 8
        box[at : at + 8] = struct.pack(">II", width, height)
        boxes[kind] = bytes(box)
    return {
        "JPEG": jpeg,
        "PNG": png((width, height), 8, 2, bytes(9)),
        "BMP": bmp,
        "GIF": gif,
        "TIFF": grey_tiff(8, white_is_zero=False, data=bytes(64), size=(width, height)),
        "PSD": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, height, width, 8, 3) + bytes(40),
        "QOI": b"qoif" + struct.pack(">II", width, height) + b"\4\0" + bytes(20),
        "PPM": f"P6 {width} {height} 255 ".encode() + bytes(30),
        **boxes,
    }


@pytest.mark.parametrize("size", [(60_000, 60_000), (15_000, 14_000)])
def test_a_bomb_is_refused_by_its_header_before_memory_is_taken(tmp_path, size):
    bombs = {f"{kind}.bin": content for kind, content in claims(*size).items()}
    for name, content in bombs.items():
        (tmp_path / name).write_bytes(content)
    script = """
import resource, sys
from pathlib import Path
from layerctl.errors import ImageError
from layerctl.photo import read_photo
for path in map(Path, sys.argv[1:]):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        read_photo(path)
    except ImageError as error:
        print(path.stem, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""
    command = [sys.executable, "-c", script, *(tmp_path / name for name in bombs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    refusals = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert [kind for kind, _, _ in refusals] == [Path(name).stem for name in bombs]
    assert max(int(kilobytes) for _, kilobytes, _ in refusals) < 100_000
    assert done.stderr == ""


def test_the_limit_is_in_megapixels_and_the_sentence_says_both(refusal, tmp_path):
    content = encoded(Image.new("1", (2000, 1000)), "PNG")
    assert refusal(content, limit=1) == "it has 2 megapixels; the limit is 1"
    path = tmp_path / "picture.png"
    assert read_photo(path, limit=2).width == 2000


def test_a_tiff_whose_pages_loop_ends(tmp_path):
    content = bytearray(grey_tiff(8, white_is_zero=False, data=bytes(4), size=(2, 2)))
    content[-4:] = content[4:8]
    assert read(tmp_path, content).width == 2


def test_a_tiff_that_points_behind_its_end_is_refused_without_a_word_on_stderr(refusal, capfd):
    content = encoded(scene(), "TIFF", compression="tiff_lzw")
    assert "TIFF" in refusal(content[:8] + bytes(100) + content[108:])
    assert "TIFF" in refusal(tiff({256: (4, 1, 2), 257: (4, 1, 2), 273: (4, 1, 10**9)}, b""))
    assert capfd.readouterr() == ("", "")


def test_floating_point_pixels_are_refused_clearly(refusal):
    assert "8 or 16 bits" in refusal(encoded(Image.new("F", (4, 4), 0.5), "TIFF"))
    assert "8 or 16 bits" in refusal(encoded(Image.new("I", (4, 4), 5), "TIFF"))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "empty"),
        (b"\0", "no picture format"),
        (b"<!DOCTYPE html><html><svg></svg></html>", "HTML"),
        (b"\xef\xbb\xbf\n<?xml version='1.0'?>\n<!-- x -->\n<svg/>", "SVG"),
        (b"<?xml version='1.0'?><feed/>", "XML"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"PK\x03\x04" + bytes(30), "ZIP"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(30), "Office"),
        (b"\0\0\0\x18ftypmp42" + bytes(30), "video"),
        (b"not found\n", "text"),
    ],
)
def test_what_is_no_picture_is_called_what_it_is(refusal, content, name):
    assert name in refusal(content)


def test_folders_pipes_sockets_and_devices_are_refused_without_waiting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder.png").mkdir()
    os.mkfifo("pipe.png")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind("socket.png")
    for name, word in {
        "folder.png": "folder",
        "pipe.png": "pipe",
        "socket.png": "socket",
        "/dev/zero": "device",
        "absent.png": "No such file",
        "folder.png/" + "x" * 300: "too long",
    }.items():
        with pytest.raises(ImageError, match=word):
            read_photo(Path(name))


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(scene(), "PNG"))

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ImageError, match="no permission"):
        read_photo(path)


def test_a_file_far_longer_than_any_picture_is_not_read(tmp_path):
    path = tmp_path / "sparse.webp"
    path.write_bytes(encoded(scene(), "WEBP"))
    os.truncate(path, 1 << 40)
    with pytest.raises(ImageError, match="MiB long"):
        read_photo(path)


@pytest.mark.parametrize(
    "fault",
    [
        struct.error("x"),
        MemoryError(),
        OverflowError(),
        SyntaxError(),
        RecursionError(),
        KeyError(),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_whatever_a_decoder_raises_is_one_refusal(refusal, monkeypatch, fault):
    def fail(_):
        raise fault

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    assert refusal(encoded(scene(), "BMP"))


def test_the_settings_of_pillow_and_of_warnings_are_left_as_they_were(refusal):
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    refusal(encoded(scene(), "PNG")[:60])
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def collection():
    if not (NASTY / "nasty.csv").is_file():
        return []
    with (NASTY / "nasty.csv").open(newline="") as rows:
        return [row["file"] for row in csv.DictReader(rows) if (NASTY / row["file"]).is_file()]


@pytest.mark.skipif(not NASTY.is_dir(), reason="LAYERCTL_DATA names no folder with nasty/")
@pytest.mark.parametrize("name", collection() or ["none"])
def test_every_file_of_the_nasty_collection_gets_its_verdict(name, capfd):
    if name in REFUSED:
        with pytest.raises(ImageError, match=REFUSED[name]):
            read_photo(NASTY / name)
    else:
        photo = read_photo(NASTY / name)
        assert photo.srgb().shape == photo.pixels.shape == (photo.height, photo.width, 4)
    assert capfd.readouterr() == ("", "")
