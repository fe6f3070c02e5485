"""Outlines and the masks they fill: what the objects of a scene are cut out with.

Outlines are (n, 2) points in a square patch, x to the right and y down, both from -1 to 1.
Masks are (side, side) bytes, antialiased, 255 inside.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.uint8]

SUBPIXEL_BITS = 5


@lru_cache(maxsize=64)
def grid(height: int, width: int) -> tuple[Floats, Floats]:
    """Return x and y of pixel centres, -1 to 1 along the longer side; shared, so read-only."""
    longest = max(height, width)
    columns = (2 * np.arange(width) + 1 - width) / longest
    rows = (2 * np.arange(height) + 1 - height) / longest
    x, y = (field.astype(np.float32) for field in np.meshgrid(columns, rows))
    x.flags.writeable = y.flags.writeable = False
    return x, y


def _fixed_point(points: ArrayLike, side: int) -> NDArray[np.int32]:
    pixels = (np.asarray(points, np.float32) + 1) * side / 2 - 0.5
    return np.rint(pixels * (1 << SUBPIXEL_BITS)).astype(np.int32)


def fill(side: int, *outlines: ArrayLike) -> Mask:
    """Return the mask of closed outlines; an outline inside another one is a hole."""
    mask = np.zeros((side, side), np.uint8)
    fixed = [_fixed_point(outline, side) for outline in outlines]
    cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, SUBPIXEL_BITS)
    return mask


def stroke(side: int, points: ArrayLike, width: float, *, closed: bool = False) -> Mask:
    """Return the mask of a line through `points`; `width` in patch units."""
    mask = np.zeros((side, side), np.uint8)
    thickness = max(1, round(width * side / 2))
    line = [_fixed_point(points, side)]
    cv2.polylines(mask, line, closed, 255, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
    return mask


def smooth(points: ArrayLike, rounds: int = 3, *, closed: bool = True) -> Floats:
    """Round an outline's corners by cutting them (Chaikin 1974)."""
    line = np.asarray(points, np.float32)
    for _ in range(rounds):
        after = np.roll(line, -1, axis=0) if closed else line[1:]
        before = line if closed else line[:-1]
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1)
        cut = cut.reshape(-1, 2)
        line = cut if closed else np.concatenate([line[:1], cut, line[-1:]])
    return line


def ellipse(centre: ArrayLike, radii: ArrayLike, power: float = 2.0) -> Floats:
    """Return a superellipse: 2 is an ellipse, above it goes to a rectangle, below to a star."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False, dtype=np.float32)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    bent = np.sign(circle) * np.abs(circle) ** np.float32(2 / power)
    outline: Floats = np.asarray(centre, np.float32) + bent * np.asarray(radii, np.float32)
    return outline


def rectangle(centre: ArrayLike, radii: ArrayLike) -> Floats:
    """Return the four corners, clockwise from the top left."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    return np.asarray(centre, np.float32) + corners * np.asarray(radii, np.float32)


def mirror(half: ArrayLike) -> Floats:
    """Return a symmetric outline from its right half, given top to bottom."""
    right = np.asarray(half, np.float32)
    return np.concatenate([right, right[::-1] * np.array([-1, 1], np.float32)])


def turn(points: ArrayLike, angle: float) -> Floats:
    """Rotate points about the origin by `angle` radians, clockwise on screen."""
    cos, sin = np.cos(angle), np.sin(angle)
    turned = np.asarray(points, np.float32) @ np.array([[cos, sin], [-sin, cos]], np.float32)
    return turned.astype(np.float32)


def capsule(start: ArrayLike, end: ArrayLike, radii: tuple[float, float]) -> Floats:
    """Return the outline of a round-ended limb that may taper."""
    a, b = np.asarray(start, np.float32), np.asarray(end, np.float32)
    heading = float(np.arctan2(b[1] - a[1], b[0] - a[0]))
    arc = np.linspace(np.pi / 2, 3 * np.pi / 2, 16, dtype=np.float32)
    around = np.concatenate([arc, arc + np.pi]) + heading
    circle = np.stack([np.cos(around), np.sin(around)], axis=1)
    radius = np.repeat(np.asarray(radii, np.float32), 16)[:, None]
    outline = np.repeat(np.stack([a, b]), 16, axis=0) + circle * radius
    return outline.astype(np.float32)


def blob(rng: np.random.Generator, roughness: float, *, symmetric: bool = False) -> Floats:
    """Return a random smooth closed outline: a circle with falling harmonics."""
    angle = np.linspace(0, 2 * np.pi, 160, endpoint=False, dtype=np.float32)
    order = np.arange(1, 9)[:, None]
    size = rng.normal(0, 1, (8, 1)) * roughness / order
    phase = np.zeros((8, 1)) if symmetric else rng.uniform(0, 2 * np.pi, (8, 1))
    radius = np.exp((size * np.cos(order * angle + phase)).sum(axis=0))
    radius = radius / radius.max()
    stretch = rng.uniform(0.45, 1)
    points = np.stack([np.sin(angle) * stretch, -np.cos(angle)], axis=1) * radius[:, None]
    outline: Floats = points.astype(np.float32)
    return outline


def leaf(root: ArrayLike, length: float, width: float, angle: float, bend: float) -> Floats:
    """Return a pointed leaf that grows from `root` towards `angle` (0 is up) and bends over."""
    t = np.linspace(0, 1, 20, dtype=np.float32)
    heading = angle + bend * t
    step = np.stack([np.sin(heading), -np.cos(heading)], axis=1) * length / len(t)
    spine = np.asarray(root, np.float32) + np.cumsum(step, axis=0)
    across = np.stack([np.cos(heading), np.sin(heading)], axis=1)
    half = (width * np.sin(np.pi * t**0.8))[:, None]
    outline = np.concatenate([spine + across * half, (spine - across * half)[::-1]])
    return outline.astype(np.float32)
