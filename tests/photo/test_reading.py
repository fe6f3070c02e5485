"""What a good picture file becomes; tests/test_integrity.py has the bad ones."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageCms, ImageOps

from layerctl.photo import SUFFIXES, is_picture, read_photo
from layerctl.photo.profiles import ADOBE_RGB, DISPLAY_P3, profile
from layerctl.photo.signature import _PICTURES
from tests.pictures import chunk, encoded, grey_tiff, png, scene

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def read(tmp_path):
    def call(content, name="picture.jpg", limit=200):
        path = tmp_path / name
        path.write_bytes(content)
        return read_photo(path, limit)

    return call


def colours(photo):
    return photo.pixels[..., :3].astype(int)


def swapped_channels():
    """The sRGB profile with its red and blue primaries exchanged, as a tag table allows."""
    profile = bytearray(SRGB)
    for at in range(132, 132 + 12 * int.from_bytes(profile[128:132]), 12):
        names = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}
        profile[at : at + 4] = names.get(bytes(profile[at : at + 4]), profile[at : at + 4])
    return bytes(profile)


def test_a_photo_is_upright_straight_rgba_of_its_files_size(read, tmp_path):
    photo = read(encoded(scene(), "PNG", dpi=(300, 300)))
    assert photo.source == tmp_path / "picture.jpg"
    assert (photo.width, photo.height) == (48, 32)
    assert photo.pixels.dtype == np.uint8
    assert np.array_equal(photo.pixels[..., :3], np.asarray(scene()))
    assert (photo.pixels[..., 3] == 255).all()
    assert photo.dpi == pytest.approx((300, 300), abs=0.01)
    assert photo.icc is None
    assert photo.notes == ()


@pytest.mark.parametrize(
    "kind", ["PNG", "TIFF", "BMP", "GIF", "PPM", "ICO", "QOI", "JPEG2000", "WEBP", "AVIF", "HEIF"]
)
def test_the_content_decides_what_a_file_is_not_its_name(read, kind):
    options = {"WEBP": {"lossless": True}, "ICO": {"sizes": [(48, 32)]}}
    photo = read(encoded(scene(), kind, **options.get(kind, {})), name="no-extension")
    assert (photo.width, photo.height) == (48, 32)
    assert np.abs(colours(photo) - np.asarray(scene())).mean() < 25


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "AVIF", "HEIF", "QOI"])
def test_alpha_is_kept_and_no_colour_hides_where_it_is_zero(read, kind):
    picture = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 128), (0, 0, 64, 32))
    photo = read(encoded(picture, kind))
    assert np.abs(photo.pixels[8, 8, 3].astype(int) - 128) <= 2
    assert not photo.pixels[48:].any()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_is_turned_as_its_exif_orientation_says(read, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}
    content = encoded(scene(), kind, exif=exif, **lossless.get(kind, {}))
    with Image.open(BytesIO(content)) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB")).astype(int)
    assert np.array_equal(colours(read(content)), expected)
    assert (expected.shape[0] == 48) == (orientation > 4)


@pytest.mark.parametrize("orientation", [0, 9, 60000])
def test_an_illegal_orientation_is_ignored(read, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert read(encoded(scene(), "JPEG", exif=exif)).pixels.shape == (32, 48, 4)


def test_broken_exif_costs_no_photo(read):
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(range(40))
    assert read(encoded(scene(), "JPEG", exif=exif)).width == 48


def test_resolution_turns_with_the_picture(read):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = read(encoded(scene(), "JPEG", exif=exif, dpi=(300, 150)))
    assert photo.dpi == (150, 300)


@pytest.mark.parametrize("dpi", [(0, 0), (1, 1), (300, 0), (60_000, 60_000)])
def test_a_resolution_that_cannot_be_is_none(read, dpi):
    assert read(encoded(scene(), "JPEG", dpi=dpi)).dpi is None


@pytest.mark.parametrize("level", [0, 1, 32768, 65534, 65535])
def test_sixteen_bits_are_scaled_to_eight_not_clipped(read, level):
    expected = round(level / 257)
    grey = png((1, 1), 16, 0, b"\0" + struct.pack(">H", level))
    assert read(grey).pixels[0, 0, 0] == expected
    strip = struct.pack("<H", level)
    assert read(grey_tiff(16, white_is_zero=False, data=strip, size=(1, 1))).pixels[0, 0, 0] == (
        expected
    )
    assert read(grey_tiff(16, white_is_zero=True, data=strip, size=(1, 1))).pixels[0, 0, 0] == (
        255 - expected
    )
    colour = png((1, 1), 16, 2, b"\0" + struct.pack(">HHH", level, level, level))
    assert abs(int(read(colour).pixels[0, 0, 0]) - expected) <= 1


def test_twelve_bits_are_scaled_by_their_own_white(read):
    photo = read(grey_tiff(12, white_is_zero=False, data=b"\xff\xf0\x00", size=(2, 1)))
    assert photo.pixels[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize(
    ("depth", "row", "key"),
    [
        (1, b"\x40", 1),
        (2, b"\x10", 1),
        (4, b"\x05", 5),
        (8, b"\0\x07", 7),
        (16, b"\0\0\x12\x34", 4660),
    ],
)
def test_a_grey_colour_key_becomes_alpha_at_every_depth(read, depth, row, key):
    photo = read(png((2, 1), depth, 0, b"\0" + row, chunk(b"tRNS", struct.pack(">H", key))))
    assert photo.pixels[0, :, 3].tolist() == [255, 0]


@pytest.mark.parametrize(("depth", "code"), [(8, ">3B"), (16, ">3H")])
def test_an_rgb_colour_key_becomes_alpha(read, depth, code):
    low, high = (10, 20, 30), (200, 100, 50)
    scale = 257 if depth == 16 else 1
    row = b"\0" + b"".join(struct.pack(code, *(v * scale for v in c)) for c in (low, high))
    key = chunk(b"tRNS", struct.pack(">3H", *(v * scale for v in high)))
    photo = read(png((2, 1), depth, 2, row, key))
    assert photo.pixels[0].tolist() == [[10, 20, 30, 255], [0, 0, 0, 0]]


def test_palettes_bits_and_grey_become_rgba(read):
    palette = scene().quantize(16)
    assert np.array_equal(
        colours(read(encoded(palette, "PNG"))), np.asarray(palette.convert("RGB"))
    )
    clear = read(encoded(palette, "PNG", transparency=palette.getpixel((0, 0))))
    assert clear.pixels[0, 0].tolist() == [0, 0, 0, 0]
    for mode in ("1", "L"):
        grey = scene().convert(mode)
        assert np.array_equal(colours(read(encoded(grey, "PNG")))[..., 1], grey.convert("L"))


def linear_grey():
    """A grey profile whose tone curve is the identity (ICC.1, 8.4)."""
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"grey\0" + bytes(79),
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061),
        b"kTRC": b"curv" + bytes(8),
    }
    table, data = struct.pack(">I", len(tags)), b""
    for name, body in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(data), len(body))
        data += body
    header = bytearray(128)
    header[8:40] = b"\2\x40\0\0mntrGRAYXYZ " + bytes(12) + b"acsp"
    header[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    header[:4] = struct.pack(">I", 128 + len(table + data))
    return bytes(header) + table + data


def test_grey_is_honoured_through_its_profile_and_keeps_its_alpha(read):
    picture = Image.new("LA", (4, 4), (55, 128))
    photo = read(encoded(picture, "PNG", icc_profile=linear_grey()))
    assert photo.icc is None
    assert photo.notes == ()
    assert np.abs(photo.pixels[0, 0].astype(int) - (128, 128, 128, 128)).max() <= 1


def test_grey_with_an_rgb_profile_keeps_it(read):
    assert read(encoded(scene().convert("L"), "PNG", icc_profile=SRGB)).icc == SRGB


def test_an_rgb_profile_is_kept_with_the_pixels_it_describes(read):
    profile = swapped_channels()
    photo = read(encoded(scene(), "PNG", icc_profile=profile))
    assert photo.icc == profile
    assert np.array_equal(colours(photo), np.asarray(scene()))


def test_the_model_sees_srgb(read):
    photo = read(encoded(scene(), "PNG", icc_profile=swapped_channels()))
    assert np.abs(photo.srgb()[..., 2::-1].astype(int) - np.asarray(scene())).max() <= 2
    assert (photo.srgb()[..., 3] == 255).all()
    plain = read(encoded(scene(), "PNG"))
    assert np.array_equal(plain.srgb(), plain.pixels)


@pytest.mark.parametrize("profile", [b"x" * 200, SRGB[:300]])
def test_a_damaged_profile_is_dropped_with_a_note(read, profile):
    photo = read(encoded(scene(), "PNG", icc_profile=profile))
    assert photo.icc is None
    assert "ICC" in photo.notes[0]
    assert np.array_equal(photo.srgb(), photo.pixels)


def test_a_profile_of_another_colour_space_is_dropped_with_a_note(read):
    photo = read(encoded(scene().convert("CMYK"), "JPEG", icc_profile=SRGB))
    assert photo.icc is None
    assert len(photo.notes) == 2


def test_cmyk_looks_as_it_did_whether_adobe_inverted_it_or_not(read):
    ink = scene().convert("CMYK")
    adobe = encoded(ink, "JPEG", quality=100)
    assert np.abs(colours(read(adobe)) - np.asarray(scene())).mean() < 8
    marker = adobe.index(b"\xff\xee")
    length = int.from_bytes(adobe[marker + 2 : marker + 4])
    inverted = encoded(ImageChops.invert(ink), "JPEG", quality=100)
    plain = inverted[:marker] + inverted[marker + 2 + length :]
    assert np.abs(colours(read(plain)) - np.asarray(scene())).mean() < 8
    assert "approximate" in read(adobe).notes[0]


def test_lab_becomes_srgb(read):
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    photo = read(encoded(to_lab.apply(scene()), "TIFF"))
    assert np.abs(colours(photo) - np.asarray(scene())).mean() < 3
    assert photo.icc is None


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_of_many_frames_or_pages_the_first_is_used_and_that_is_said(read, kind):
    first, second = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    photo = read(encoded(first, kind, save_all=True, append_images=[second]))
    assert np.abs(colours(photo) - (255, 0, 0)).max() < 12
    assert len(photo.notes) == 1
    assert "only the first" in photo.notes[0]


def test_a_camera_jpeg_with_a_preview_behind_it_is_one_picture(read):
    content = encoded(scene(), "MPO", save_all=True, append_images=[scene(24, 16)])
    photo = read(content)
    assert photo.pixels.shape == (32, 48, 4)
    assert photo.notes == ()


@pytest.mark.parametrize("tail", [b"PK\x03\x04" + bytes(50), bytes(1_000_000)])
def test_what_follows_a_jpeg_is_no_part_of_it(read, tail):
    content = encoded(scene(), "JPEG")
    assert np.array_equal(read(content + tail).pixels, read(content).pixels)


def test_hdr_and_wide_gamut_without_a_profile_are_told(read):
    hdr = chunk(b"cICP", bytes([12, 16, 0, 1]))
    assert "HDR (PQ)" in read(png((1, 1), 8, 2, bytes(4), hdr)).notes[0]
    for primaries, transfer in ((9, 13), (12, 14)):
        wide = chunk(b"cICP", bytes([primaries, transfer, 0, 1]))
        photo = read(png((1, 1), 8, 2, bytes(4), wide))
        assert "wide gamut" in photo.notes[0]
        assert photo.icc is None
    assert read(encoded(scene(), "AVIF")).notes == ()


def seen_as(space):
    """The scene in the values of another RGB space, of which it holds no colour outside of sRGB."""
    there = ImageCms.ImageCmsProfile(BytesIO(profile(space)))
    picture = ImageCms.profileToProfile(scene(), ImageCms.createProfile("sRGB"), there)
    return Image.fromarray(np.asarray(picture))  # without the profile


def coded(picture, kind, primaries, transfer, **options):
    """The picture in a file that tells its colour by numbers of H.273."""
    content = encoded(picture, kind, **options)
    if kind == "PNG":
        return content[:33] + chunk(b"cICP", bytes([primaries, transfer, 0, 1])) + content[33:]
    at = content.index(b"colrnclx") + 8
    return content[:at] + struct.pack(">HH", primaries, transfer) + content[at + 4 :]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("AVIF", {"quality": 100, "subsampling": "4:4:4"}),
        ("HEIF", {"quality": 100, "chroma": 444}),
    ],
)
def test_display_p3_told_by_numbers_gets_its_profile_and_looks_as_it_did(read, kind, options):
    photo = read(coded(seen_as(DISPLAY_P3), kind, 12, 13, **options))
    assert photo.icc == profile(DISPLAY_P3)
    assert photo.notes == ()
    assert np.abs(photo.srgb()[..., :3].astype(int) - np.asarray(scene())).mean() < 2


def test_a_profile_in_the_file_comes_before_numbers(read):
    for primaries, transfer in ((12, 13), (9, 13), (9, 16)):
        photo = read(coded(scene(), "PNG", primaries, transfer, icc_profile=SRGB))
        assert photo.icc == SRGB
        assert photo.notes == ()


def test_numbers_that_are_cut_short_cost_no_photo(read):
    for numbers in (b"", b"\x0c"):
        photo = read(png((1, 1), 8, 2, bytes(4), chunk(b"cICP", numbers)))
        assert photo.icc is None
        assert photo.notes == ()


def camera(space, rule, kind="JPEG", picture=None, **options):
    """A picture as a camera writes it, its colour told by EXIF data."""
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA001: space, 0xA005: {1: rule}})
    content = encoded(picture or seen_as(ADOBE_RGB), kind, quality=100, subsampling=0, **options)
    # Pillow loses the EXIF data of an MPO as it writes it.
    segment = struct.pack(">HH", 0xFFE1, len(exif.tobytes()) + 2) + exif.tobytes()
    return content[:2] + segment + content[2:]


@pytest.mark.parametrize("kind", ["JPEG", "MPO"])
def test_adobe_rgb_of_a_camera_gets_its_profile_and_looks_as_it_did(read, kind):
    more = {"save_all": True, "append_images": [scene(24, 16)]} if kind == "MPO" else {}
    photo = read(camera(0xFFFF, "R03", kind, **more))
    assert photo.icc == profile(ADOBE_RGB)
    assert photo.notes == ()
    assert np.abs(photo.srgb()[..., :3].astype(int) - np.asarray(scene())).mean() < 2


@pytest.mark.parametrize(("space", "rule"), [(1, "R98"), (1, "R03"), (0xFFFF, "R98")])
def test_what_exif_data_do_not_call_adobe_rgb_in_full_is_taken_for_srgb(read, space, rule):
    photo = read(camera(space, rule))
    assert photo.icc is None
    assert photo.notes == ()


def test_exif_data_make_no_adobe_rgb_of_what_has_a_profile_or_is_cmyk(read):
    assert read(camera(0xFFFF, "R03", icc_profile=SRGB)).icc == SRGB
    assert read(camera(0xFFFF, "R03", picture=scene().convert("CMYK"))).icc is None


def test_twenty_four_megapixels_are_read_in_full(read):
    content = encoded(scene(600, 400).resize((6000, 4000)), "JPEG", quality=90)
    assert read(content).pixels.shape == (4000, 6000, 4)


def test_a_walk_picks_up_every_suffix_of_the_formats_that_are_read(read):
    read(encoded(scene(), "HEIF"))  # Pillow knows all formats from here on
    kinds = set(_PICTURES) | {"MPO"}
    suffixes = {suffix for suffix, kind in Image.registered_extensions().items() if kind in kinds}
    assert suffixes - SUFFIXES == {".pfm"}  # whose pixels are 32-bit numbers


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [("pbm", "1"), ("mpo", "RGB"), *((suffix, "RGB") for suffix in ("j2c", "jpc", "jpf", "jpx"))],
)
def test_pictures_of_less_usual_suffixes_are_read(tmp_path, suffix, mode):
    path = tmp_path / f"picture.{suffix}"
    scene().convert(mode).save(path)
    assert is_picture(path)
    assert (read_photo(path).width, read_photo(path).height) == (48, 32)


def test_a_walk_picks_pictures_up_by_their_suffix():
    assert all(is_picture(Path(f"shoe{suffix.upper()}")) for suffix in SUFFIXES)
    assert not any(is_picture(Path(name)) for name in ("shoe", "shoe.txt", "shoe.svg", ".jpg"))
