"""Profiles that are made from published numbers mean what those of others mean."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from layerctl.photo.colour import srgb
from layerctl.photo.profiles import ADOBE_RGB, DISPLAY_P3, profile

SPACES = pytest.mark.parametrize("space", [ADOBE_RGB, DISPLAY_P3], ids=lambda space: space.name)

TO_XYZ = {
    ADOBE_RGB: [
        [0.57667, 0.18556, 0.18823],
        [0.29734, 0.62736, 0.07529],
        [0.02703, 0.07069, 0.99134],
    ],
    DISPLAY_P3: [
        [0.48657095, 0.26566769, 0.19821729],
        [0.22897456, 0.69173852, 0.07928691],
        [0.0, 0.04511338, 1.04394437],
    ],
}
"""Linear light to XYZ under D65: Adobe RGB (1998), 4.3.5.3, and CSS Color 4."""

TO_SRGB = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
"""XYZ under D65 to linear light, IEC 61966-2-1."""


def opened(space):
    return ImageCms.ImageCmsProfile(BytesIO(profile(space))).profile


def light(space, values):
    if space is ADOBE_RGB:
        return values**2.19921875
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def as_srgb(space, levels):
    """Levels of a space as those of sRGB, not rounded nor kept within 0 to 255."""
    linear = light(space, levels / 255) @ np.transpose(TO_XYZ[space]) @ np.transpose(TO_SRGB)
    curved = 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, curved)


def converted(space, levels):
    opaque = np.concatenate([levels, np.full_like(levels[..., :1], 255)], axis=-1)
    return srgb(opaque[None].astype(np.uint8), profile(space))[0, :, :3].astype(int)


@SPACES
def test_every_colour_that_srgb_has_becomes_what_the_standards_say(space):
    levels = np.random.default_rng(3).integers(0, 256, (20_000, 3))
    expected = as_srgb(space, levels)
    within = ((expected >= 0) & (expected <= 255)).all(axis=1)
    assert within.sum() > 5_000
    assert np.abs(converted(space, levels[within]) - expected[within]).max() <= 1.01


@pytest.mark.parametrize(
    ("space", "there", "here"),
    [
        (ADOBE_RGB, (219, 0, 0), (255, 0, 0)),
        (ADOBE_RGB, (144, 255, 60), (0, 255, 0)),
        (ADOBE_RGB, (0, 0, 250), (0, 0, 255)),
        (DISPLAY_P3, (234, 51, 35), (255, 0, 0)),
        (DISPLAY_P3, (117, 251, 76), (0, 255, 0)),
        (DISPLAY_P3, (0, 0, 245), (0, 0, 255)),
    ],
)
def test_the_primaries_of_srgb_are_where_they_are_known_to_be(space, there, here):
    plain = ImageCms.createProfile("sRGB")
    wide = ImageCms.ImageCmsProfile(BytesIO(profile(space)))
    found = ImageCms.profileToProfile(Image.new("RGB", (1, 1), here), plain, wide)
    assert np.abs(np.subtract(found.getpixel((0, 0)), there)).max() <= 1


@SPACES
def test_grey_stays_grey(space):
    levels = np.repeat(np.arange(256)[:, None], 3, axis=1)
    found = converted(space, levels)
    assert np.ptp(found, axis=1).max() <= 1
    assert found[[0, 255]].tolist() == [[0, 0, 0], [255, 255, 255]]


@pytest.mark.parametrize(
    ("space", "colorants"),
    [
        (
            ADOBE_RGB,
            [[0.60974, 0.31111, 0.01947], [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]],
        ),
        (
            DISPLAY_P3,
            [[0.51512, 0.2412, -0.00105], [0.29198, 0.69225, 0.04189], [0.1571, 0.06657, 0.78407]],
        ),
    ],
)
def test_colorants_are_those_of_the_profiles_of_adobe_and_apple(space, colorants):
    found = opened(space)
    own = [found.red_colorant[0], found.green_colorant[0], found.blue_colorant[0]]
    assert np.abs(np.subtract(own, colorants)).max() < 2e-5


@SPACES
def test_a_profile_says_what_it_is_and_never_when_it_was_made(space):
    found = opened(space)
    assert found.profile_description == space.name
    assert found.xcolor_space == "RGB "
    assert found.version == pytest.approx(4.3)
    assert int.from_bytes(profile(space)[:4]) == len(profile(space))
    assert found.creation_date.year == 2020
