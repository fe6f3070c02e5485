"""Pixels of any colour space become 8-bit RGB, their ICC profile kept or honoured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
from PIL import ExifTags, Image, ImageChops, ImageCms
from PIL.ImageFile import ImageFile

from layerctl.compositing import bands
from layerctl.document import Pixels
from layerctl.errors import ImageError
from layerctl.photo.integrity import Coding
from layerctl.photo.profiles import ADOBE_RGB, DISPLAY_P3, Space, profile

_SPACES = {"1": "GRAY", "L": "GRAY", "LA": "GRAY", "CMYK": "CMYK", "LAB": "Lab"}
"""The ICC's name for the colour space of a Pillow mode; all others are RGB."""

_MODES = {"GRAY": "L", "CMYK": "CMYK", "Lab": "LAB", "RGB": "RGBA"}
"""The Pillow mode in which littlecms takes pixels of that space."""

_HDR = {16: "PQ", 18: "HLG"}
_NARROW = {1, 2, 5, 6}
"""Transfer functions and colour primaries of ITU-T H.273: HDR, and those that sRGB stands for."""

_UNCALIBRATED = 0xFFFF
"""What EXIF data say of colour that is not sRGB (Exif 2.3, 4.6.5 B)."""

_UNUSABLE = "its ICC profile is damaged or of another colour space and not used"


@dataclass(frozen=True)
class Coloured:
    """A picture that converts to RGBA, the RGB profile of its values (None: sRGB), and notes."""

    picture: Image.Image
    icc: bytes | None = None
    notes: tuple[str, ...] = ()


def coloured(picture: ImageFile, coding: Coding | None = None) -> Coloured:
    """Return a decoded picture in RGB colour: its own profile if that is RGB, sRGB otherwise.

    A picture without a profile that says by other means that it is Adobe RGB or Display P3 gets
    one. `coding` is what its file says besides; a profile comes before it.

    Raises:
        ImageError: The pixels are 32-bit numbers, whose white nobody knows.
    """
    if picture.mode in {"I", "F"}:
        raise ImageError("its pixels are 32 bit numbers; save it with 8 or 16 bits a channel")
    if picture.format in {"JPEG", "MPO"} and picture.mode == "CMYK" and "adobe" not in picture.info:
        # Pillow takes ink for inverted as Adobe writes it, also where Adobe did not write it.
        return _converted(ImageChops.invert(picture), picture.info.get("icc_profile"))
    eight_bit = _scaled(picture) if picture.mode.startswith("I;16") else picture
    if icc := picture.info.get("icc_profile"):
        return _converted(eight_bit, icc)
    space = _named(picture, coding)
    found = _converted(eight_bit, profile(space) if space else None)
    return found if space else replace(found, notes=found.notes + _losses(coding))


def _named(picture: ImageFile, coding: Coding | None) -> Space | None:
    """Return the space that a picture without a profile says it is in, if it can be given one."""
    if coding:
        return DISPLAY_P3 if coding == Coding(primaries=12, transfer=13) else None
    camera = picture.format in {"JPEG", "MPO"} and picture.mode in {"L", "RGB"}
    return ADOBE_RGB if camera and _is_adobe_rgb(picture) else None


def _is_adobe_rgb(picture: ImageFile) -> bool:
    """Tell whether a camera says so, which by DCF 2.0 it does with EXIF data and no profile."""
    try:
        exif = picture.getexif()
        colour = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        rule = exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex)
    except Exception:  # noqa: BLE001 - broken EXIF raises nearly anything, and is not worth a photo
        return False
    return colour == _UNCALIBRATED and rule == "R03"


def _losses(coding: Coding | None) -> tuple[str, ...]:
    """Say what is lost where colour is told by numbers that no profile here stands for."""
    if coding is None:
        return ()
    if coding.transfer in _HDR:
        return (f"the picture is HDR ({_HDR[coding.transfer]}); its values are taken for sRGB",)
    if coding.primaries not in _NARROW:
        return ("the picture has a wide gamut without an ICC profile; it is taken for sRGB",)
    return ()


def srgb(pixels: Pixels, icc: bytes) -> Pixels:
    """Return (H, W, 4) uint8 pixels of an RGB profile as sRGB, alpha untouched."""
    converted, transform = np.empty_like(pixels), _transform(icc, "RGB")
    for band in bands(pixels.shape[:2]):
        converted[band] = np.asarray(transform.apply(Image.fromarray(pixels[band])))
    return converted


def rgb_profile(icc: bytes | None) -> bytes | None:
    """Return a profile if it can be used and is one of RGB values, None otherwise."""
    return icc if icc and _space(icc) == "RGB" else None


def match_colour_key(picture: ImageFile) -> None:
    """Bring a PNG's colour key from the file's bit depth to the 8 bits of the pixels.

    To be called before decoding, while the picture still knows the depth of the file.
    """
    key = picture.info.get("transparency")
    layout = str(picture.tile[0].args) if picture.tile else ""
    if isinstance(key, int) and layout in {"L;2", "L;4"}:
        picture.info["transparency"] = key * {"L;2": 85, "L;4": 17}[layout]
    elif isinstance(key, tuple) and layout == "RGB;16B":
        picture.info["transparency"] = tuple(value >> 8 for value in key)


def _scaled(picture: ImageFile) -> Image.Image:
    """Return 12 or 16 bit grey as 8 bit: Pillow's own conversion clips at 255."""
    tags = getattr(picture, "tag_v2", {})
    white = (1 << tags.get(258, (16,))[0]) - 1
    values = np.asarray(picture).astype(np.uint32)
    levels = ((values * 255 + white // 2) // white).astype(np.uint8)
    white_is_zero = tags.get(262) == 0
    grey = Image.fromarray(255 - levels if white_is_zero else levels)
    key = picture.info.get("transparency")
    if isinstance(key, int):
        grey.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return grey


def _converted(picture: Image.Image, icc: bytes | None) -> Coloured:
    space = _SPACES.get(picture.mode, "RGB")
    described = _space(icc) if icc else None
    if icc and described == "RGB" and space in {"RGB", "GRAY"}:
        return Coloured(picture, icc)
    if icc and described == space:
        return Coloured(_from(picture, space, icc))
    notes: tuple[str, ...] = (_UNUSABLE,) if icc else ()
    if space == "Lab":
        return Coloured(_from(picture, space, None), notes=notes)
    if space == "CMYK":
        notes += ("it is CMYK without an ICC profile: its colours are approximate",)
    return Coloured(picture, notes=notes)


def _from(picture: Image.Image, space: str, icc: bytes | None) -> Image.Image:
    """Return grey, CMYK or Lab pixels as sRGB with the alpha they had."""
    mode = _MODES[space]
    plain = picture if picture.mode == mode else picture.convert(mode)
    colour = _transform(icc, space).apply(plain)
    if picture.has_transparency_data:
        colour.putalpha(picture.convert("RGBA").getchannel("A"))
    return colour


def _space(icc: bytes) -> str | None:
    """Return the colour space that a profile describes, None where it cannot be used."""
    try:
        space = ImageCms.ImageCmsProfile(BytesIO(icc)).profile.xcolor_space.strip()
        _transform(icc, space)
    except (ImageCms.PyCMSError, OSError, KeyError, ValueError, TypeError):
        return None
    return space


def _transform(icc: bytes | None, space: str) -> ImageCms.ImageCmsTransform:
    """Return the way from a profile (None: CIELab, D50) to sRGB, as photo editors go it."""
    profile = ImageCms.ImageCmsProfile(BytesIO(icc)) if icc else ImageCms.createProfile("LAB")
    return ImageCms.buildTransform(
        profile,
        ImageCms.createProfile("sRGB"),
        _MODES[space],
        "RGBA" if space == "RGB" else "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
