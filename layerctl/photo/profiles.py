"""ICC profiles of RGB spaces that files only name: a matrix and a tone curve (ICC.1:2010, v4.3).

Their bytes follow from the published numbers alone, and are the same at any time and anywhere.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import TypeAlias

import numpy as np

from layerctl.compositing import Floats

Point: TypeAlias = tuple[float, float]

D65: Point = (0.3127, 0.3290)
"""The white of all spaces here, in CIE 1931 xy."""

D50 = np.array([0.9642, 1.0, 0.8249])
"""The white of the profile connection space, as XYZ (7.2.16)."""

BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
"""XYZ as the cones of the eye see it, which is where one white becomes another (annex E)."""


@dataclass(frozen=True)
class Space:
    """An RGB space under D65: its primaries in CIE 1931 xy, its tone curve as an ICC element."""

    name: str
    red: Point
    green: Point
    blue: Point
    curve: bytes


_SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_SRGB_CURVE = struct.pack(">4s4xH2x5i", b"para", 3, *(round(value * 65536) for value in _SRGB))
"""IEC 61966-2-1 as g, a, b, c, d of (10.16): (aX + b) ** g from d on, cX below."""

ADOBE_RGB = Space(
    "Compatible with Adobe RGB (1998)",
    (0.64, 0.33),
    (0.21, 0.71),
    (0.15, 0.06),
    struct.pack(">4s4xIH", b"curv", 1, 563),
)
"""Adobe RGB (1998) Color Image Encoding, 2005: a gamma of 563 / 256, which is 2.19921875."""

DISPLAY_P3 = Space("Display P3", (0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _SRGB_CURVE)
"""SMPTE EG 432-1 primaries, with the tone curve of sRGB."""


@cache
def profile(space: Space) -> bytes:
    """Return an ICC profile for the values of a space."""
    adaptation = _adaptation()
    red, green, blue = (adaptation @ _colorants(space)).T
    return _profile(
        {
            b"desc": _text(space.name),
            b"cprt": _text("No copyright: these are published numbers"),
            b"wtpt": _xyz(D50),
            b"chad": b"sf32" + bytes(4) + _fixed(adaptation),
            b"rXYZ": _xyz(red),
            b"gXYZ": _xyz(green),
            b"bXYZ": _xyz(blue),
            b"rTRC": space.curve,
            b"gTRC": space.curve,
            b"bTRC": space.curve,
        }
    )


def _colorants(space: Space) -> Floats:
    """Return the XYZ of full red, green and blue as columns; together they are white."""
    primaries = np.stack([_tristimulus(p) for p in (space.red, space.green, space.blue)], axis=1)
    return primaries * np.linalg.solve(primaries, _tristimulus(D65))


def _adaptation() -> Floats:
    """Return what makes XYZ seen under D65 XYZ seen under D50."""
    gains = (BRADFORD @ D50) / (BRADFORD @ _tristimulus(D65))
    return np.linalg.solve(BRADFORD, gains[:, None] * BRADFORD)


def _tristimulus(point: Point) -> Floats:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _profile(tags: dict[bytes, bytes]) -> bytes:
    """Return a profile of these tags (7.2, 7.3); equal ones share their bytes."""
    start = 128 + 4 + 12 * len(tags)
    bodies = list(dict.fromkeys(tags.values()))
    padded = [body.ljust(-len(body) % 4 + len(body), b"\0") for body in bodies]
    places = dict(zip(bodies, accumulate(map(len, padded), initial=start), strict=False))
    table = struct.pack(">I", len(tags)) + b"".join(
        struct.pack(">4sII", name, places[body], len(body)) for name, body in tags.items()
    )
    data = b"".join(padded)
    return _header(start + len(data)) + table + data


def _header(size: int) -> bytes:
    version, date = b"\4\x30\0\0", struct.pack(">6H", 2020, 1, 1, 0, 0, 0)
    kind = version + b"mntrRGB XYZ " + date + b"acsp"
    return (struct.pack(">I4x", size) + kind + bytes(28) + _fixed(D50)).ljust(128, b"\0")


def _text(words: str) -> bytes:
    """Return a text in one language (10.13)."""
    encoded = words.encode("utf-16-be")
    return struct.pack(">4s4xII4sII", b"mluc", 1, 12, b"enUS", len(encoded), 28) + encoded


def _xyz(value: Floats) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(value)


def _fixed(values: Floats) -> bytes:
    """Return numbers as s15Fixed16 (4.6)."""
    return np.rint(values * 65536).astype(">i4").tobytes()
