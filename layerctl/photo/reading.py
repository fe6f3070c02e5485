"""A file becomes a Photo: upright pixels, alpha, ICC, dpi; every refusal by name."""

from __future__ import annotations

import ctypes
import logging
import re
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, UnidentifiedImageError, _imaging
from PIL.ImageFile import ImageFile

from layerctl.compositing import bands
from layerctl.document import Pixels
from layerctl.errors import ImageError
from layerctl.photo.colour import coloured, match_colour_key, srgb
from layerctl.photo.integrity import Sound, cut_short, sound
from layerctl.photo.signature import HEAD, picture_format

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .gif .webp .tif .tiff .bmp .ico .psd"  # noqa: SIM905 - shorter
    " .avif .avifs .heic .heics .heif .heifs .hif .jp2 .j2k .j2c .jpc .jpf .jpx"
    " .qoi .ppm .pgm .pbm .pnm".split()
)
"""What a walk through a folder picks up; a file that is named is read whatever its name."""

MEGAPIXELS = 200
"""What a photo may have unless its reader is told otherwise."""

BYTES_A_PIXEL = 8
"""The most: RGBA of 16 bits. Layered files may be larger, pages and layers are not read."""

_PLAUSIBLE_DPI = 10, 10_000
_LAYERED = {"PSD", "TIFF"}

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture of that EXIF orientation (Exif 2.3, 4.6.4 A) upright."""
_SIDEWAYS = {5, 6, 7, 8}

_MORE = {
    **dict.fromkeys(("GIF", "PNG", "WEBP", "AVIF"), "it is animated: only the first frame is used"),
    "TIFF": "it has several pages: only the first is used",
    "HEIF": "it holds several pictures: only the primary one is used",
}

_pillow_lock = threading.Lock()


@dataclass(frozen=True)
class Photo:
    """A picture as its file means it to be seen.

    `pixels` are (H, W, 4) uint8 straight RGBA, upright, colour 0 under alpha 0, in the RGB profile
    `icc` (None: sRGB); `dpi` is pixels per inch, across and down; `notes` are sentences about the
    file that the user should see.
    """

    source: Path
    pixels: Pixels
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.pixels.shape[0])

    def srgb(self) -> Pixels:
        """Return the pixels in sRGB, (H, W, 4) uint8 straight RGBA: what the model sees."""
        return srgb(self.pixels, self.icc) if self.icc else self.pixels


def is_picture(path: Path) -> bool:
    """Tell by its suffix whether a walk through a folder should pick the file up."""
    return path.suffix.lower() in SUFFIXES


def read_photo(path: Path, limit: int = MEGAPIXELS) -> Photo:
    """Read a picture file of at most `limit` megapixels, by its content whatever its name.

    Raises:
        ImageError: It is no picture, is damaged, cut short, too large or cannot be read.
    """
    with _opened(path) as file, _refusals("file"):
        name = picture_format(file.read(HEAD))
        _refuse_excess(file, name, limit)
        with _refusals(name), _pillow(limit):
            return _photo(path, file, name)


def _photo(path: Path, file: BinaryIO, name: str) -> Photo:
    picture, found = _decoded(file, name)
    notes, colour = found.notes, coloured(picture, found.coding)
    orientation, dpi = _orientation(picture), _dpi(picture)
    upright = colour.picture
    if orientation in _UPRIGHT:
        upright = upright.transpose(_UPRIGHT[orientation])
    if dpi and orientation in _SIDEWAYS:
        dpi = dpi[::-1]
    if name in _MORE and _has_more(picture):
        notes += (_MORE[name],)
    return Photo(path, _visible(upright), colour.icc, dpi, notes + colour.notes)


def _decoded(file: BinaryIO, name: str) -> tuple[ImageFile, Sound]:
    """Return the picture with its pixels; its size is checked before they are decoded."""
    found = sound(file, _header(file, name))
    picture = _header(found.file, name)
    match_colour_key(picture)
    picture.load()
    return picture, found


def _header(file: BinaryIO, name: str) -> ImageFile:
    file.seek(0)
    return Image.open(file, formats=[name])


def _visible(picture: Image.Image) -> Pixels:
    """Return RGBA pixels without the colour that hides where alpha is 0."""
    width, height = picture.size
    pixels = np.empty((height, width, 4), np.uint8)
    for band in bands((height, width)):
        part = picture.crop((0, band.start, width, band.stop)).convert("RGBA")
        levels = np.asarray(part)
        pixels[band] = np.where(levels[..., 3:], levels, 0)
    return pixels


def _orientation(picture: ImageFile) -> int:
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - broken EXIF raises nearly anything, and is not worth a photo
        return 1
    return orientation if isinstance(orientation, int) else 1


def _dpi(picture: ImageFile) -> tuple[float, float] | None:
    least, most = _PLAUSIBLE_DPI
    try:
        across, down = (float(value) for value in picture.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if least <= min(across, down) <= max(across, down) <= most else None


def _has_more(picture: ImageFile) -> bool:
    """Tell whether frames or pages follow; asked last, as GIF moves on to find out."""
    try:
        return bool(getattr(picture, "is_animated", False))
    except Exception:  # noqa: BLE001 - a second frame is there, but broken: it is not used anyway
        return True


def _opened(path: Path) -> BinaryIO:
    """Open a regular file: opening a pipe would wait for its other end."""
    with _refusals("file"):
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageError("it is a folder, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("it is a pipe, a socket or a device, not a file")
        if not status.st_size:
            raise ImageError("the file is empty")
        return path.open("rb")


def _refuse_excess(file: BinaryIO, name: str, limit: int) -> None:
    size = file.seek(0, 2)
    if name not in _LAYERED and size > limit * 1_000_000 * BYTES_A_PIXEL:
        raise ImageError(f"it is {size >> 20} MiB long, too much for {limit} megapixels")


@cache
def _prepare_pillow() -> None:
    """Add HEIC to Pillow's formats; keep its log and libtiff's, which repeat errors, off stderr."""
    pillow_heif.register_heif_opener()
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    with suppress(AttributeError, OSError):  # a Pillow built without libtiff, or with its own
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


@contextmanager
def _pillow(limit: int) -> Iterator[None]:
    """Let Pillow refuse more than `limit` megapixels by the header, and warn of nothing.

    Both settings belong to the whole process, so one photo is read at a time.
    """
    _prepare_pillow()
    with _pillow_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = limit * 500_000  # Pillow raises at twice this number
        try:
            yield
        except Image.DecompressionBombError as error:
            pixels = re.findall(r"\d+", str(error))
            size = f"{int(pixels[0]) // 1_000_000} megapixels" if pixels else "too many pixels"
            raise ImageError(f"it has {size}; the limit is {limit}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = before


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one sentence: damaged files make them raise anything."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        raise _refusal(name, error) from error


def _refusal(name: str, error: Exception) -> ImageError:
    words = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, MemoryError):
        return ImageError("there is not enough memory to read it")
    if isinstance(error, PermissionError):
        return ImageError("there is no permission to read it")
    if isinstance(error, OSError) and error.strerror:
        return ImageError(f"it cannot be read: {error.strerror}")
    if isinstance(error, UnidentifiedImageError):
        bits = "8 bits" if name == "PSD" else "8 or 16 bits"
        return ImageError(f"the {name} is damaged, or is not grey, RGB, CMYK or Lab of {bits}")
    if re.search("truncated|not enough|unexpected end", words, re.IGNORECASE):
        return cut_short(name)
    return ImageError(f"the {name} is damaged: {words or type(error).__name__}")
