"""What hangs on walls and stands along them: windows, curtains, pictures, shelves, furniture.

Walls are (H, W, 3) colours, the floor at their lower edge; boxes are (left, top, right, bottom) in
shares of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import goods
import lathe
import numpy as np
import softgoods
from shapes import Floats, grid
from sprites import Light, Sprite
from textures import colour, edge, texture

Box: TypeAlias = tuple[float, float, float, float]
Fixture: TypeAlias = Callable[[np.random.Generator, Floats], None]

PAINTING = 64
"""Side of what hangs in a frame, in pixels before it is fitted."""

ROOM_LIGHT = Light((-0.35, -0.6, 0.72), 0.6, (1.0, 1.0, 1.0))
PROPS = (
    lathe.vase, lathe.vase, lathe.lamp, lathe.plant, lathe.plant, softgoods.foliage,
    softgoods.foliage, softgoods.cushion, goods.chair,
)  # fmt: skip


def muted(rng: np.random.Generator) -> Floats:
    """Return a colour as rooms have them: rarely vivid."""
    tint = colour(rng)
    grey = tint.mean(dtype=np.float32)
    dull: Floats = grey + (tint - grey) * np.float32(rng.uniform(0.1, 0.8))
    return dull


def window_of(wall: Floats, box: Box) -> tuple[slice, slice]:
    """Return the pixels of a box, at least one of them, whatever sticks out cut off."""
    height, width = wall.shape[:2]
    left, right = (round(min(max(x, 0), 1) * width) for x in box[::2])
    top, bottom = (round(min(max(y, 0), 1) * height) for y in box[1::2])
    left, top = min(left, width - 1), min(top, height - 1)
    return np.s_[top : max(bottom, top + 1), left : max(right, left + 1)]


def fill_box(wall: Floats, box: Box, tint: Floats, fade: float = 0.0) -> None:
    """Paint a box; `fade` is how much darker it gets towards its foot."""
    area = wall[window_of(wall, box)]
    area[:] = tint * np.linspace(1, 1 - fade, len(area), dtype=np.float32)[:, None, None]


def fill_soft(wall: Floats, box: Box, tint: Floats, power: float) -> None:
    """Paint a rounded thing, lit from above, into a box."""
    area = wall[window_of(wall, box)]
    x, y = (np.linspace(-1, 1, n, dtype=np.float32) for n in (area.shape[1], len(area)))
    reach = np.abs(x) ** np.float32(power) + np.abs(y[:, None]) ** np.float32(power)
    inside = edge(np.subtract(1, reach, dtype=np.float32), 0.2)
    shade = np.float32(0.85) - np.float32(0.35) * y[:, None] * reach
    for channel in range(3):
        plane = area[..., channel]
        plane += (tint[channel] * shade - plane) * inside


def drape(wall: Floats, box: Box, tint: Floats, folds: float) -> None:
    """Hang a curtain."""
    area = wall[window_of(wall, box)]
    x = np.linspace(0, 1, area.shape[1], dtype=np.float32) * np.float32(folds)
    wave = np.sin(x * 6 + np.sin(x * 2.3)) * np.float32(0.18) + np.float32(0.82)
    area[:] = tint * wave[None, :, None]


def window(rng: np.random.Generator, wall: Floats) -> None:
    """A bright window with bars, perhaps with curtains."""
    left, top = rng.uniform(0, 0.7), rng.uniform(-0.1, 0.25)
    right, bottom = left + rng.uniform(0.15, 0.45), top + rng.uniform(0.3, 0.7)
    frame = np.float32(rng.choice([0.95, 0.9, 0.15])) * np.ones(3, np.float32)
    fill_box(wall, (left - 0.015, top - 0.015, right + 0.015, bottom + 0.02), frame)
    outside = np.clip(muted(rng) * 0.5 + rng.uniform(0.4, 0.6), 0, 1)
    fill_box(wall, (left, top, right, bottom), outside, rng.uniform(-0.1, 0.4))
    bars = rng.integers(0, 4, 2)
    for x in np.linspace(left, right, bars[0] + 2)[1:-1]:
        fill_box(wall, (x - 0.006, top, x + 0.006, bottom), frame)
    for y in np.linspace(top, bottom, bars[1] + 2)[1:-1]:
        fill_box(wall, (left, y - 0.006, right, y + 0.006), frame)
    if rng.random() < 0.5:
        tint, wide, low = muted(rng), rng.uniform(0.05, 0.15), rng.uniform(bottom, 1.0)
        drape(wall, (left - wide, top - 0.05, left + wide / 3, low), tint, 5)
        drape(wall, (right - wide / 3, top - 0.05, right + wide, low), tint, 5)


def curtains(rng: np.random.Generator, wall: Floats) -> None:
    """A wall hung with cloth, or clad in slats."""
    left = rng.uniform(-0.3, 0.6)
    right = left + rng.uniform(0.3, 1.2)
    drape(wall, (left, 0, right, 1), muted(rng), rng.uniform(3, 30))


def picture(rng: np.random.Generator, wall: Floats) -> None:
    """A framed picture, mirror or poster."""
    left, top = rng.uniform(0, 0.85), rng.uniform(0.05, 0.45)
    right, bottom = left + rng.uniform(0.08, 0.25), top + rng.uniform(0.1, 0.35)
    fill_box(wall, (left - 0.012, top - 0.012, right + 0.012, bottom + 0.012), muted(rng))
    area = wall[window_of(wall, (left, top, right, bottom))]
    painting = np.ascontiguousarray(texture(rng, *grid(PAINTING, PAINTING)))
    area[:] = cv2.resize(painting, area.shape[1::-1], interpolation=cv2.INTER_AREA)


def mouldings(rng: np.random.Generator, wall: Floats) -> None:
    """Panels with raised edges."""
    columns, top, bottom = int(rng.integers(2, 7)), rng.uniform(0, 0.5), rng.uniform(0.75, 0.95)
    gap, depth = rng.uniform(0.02, 0.05), np.float32(rng.uniform(0.06, 0.25))
    for column in range(columns):
        left, right = (column + gap * 2) / columns, (column + 1 - gap * 2) / columns
        for x0, y0, x1, y1, change in (
            (left, top, right, top + 0.01, -depth), (left, top, left + 0.008, bottom, -depth),
            (left, bottom, right, bottom + 0.01, depth), (right, top, right + 0.008, bottom, depth),
        ):  # fmt: skip
            wall[window_of(wall, (x0, y0, x1, y1))] *= 1 + change


def shelf(rng: np.random.Generator, wall: Floats) -> None:
    """Boards with books and small things on them."""
    left, right = np.sort(rng.uniform(-0.2, 1.2, 2))
    right = max(right, left + 0.25)
    board, rows = muted(rng), int(rng.integers(1, 5))
    if rng.random() < 0.5:
        fill_box(wall, (left, 0.1, right, 1), board * 0.6)
    for foot in np.linspace(rng.uniform(0.2, 0.4), rng.uniform(0.5, 0.98), rows):
        at = left + 0.01
        while at < right - 0.02:
            wide, high = rng.uniform(0.01, 0.05), rng.uniform(0.04, 0.13)
            if rng.random() < 0.75:
                fill_box(wall, (at, foot - high, min(at + wide, right), foot), muted(rng), 0.2)
            at += wide * rng.uniform(1, 1.3)
        fill_box(wall, (left, foot, right, foot + 0.015), board)


def door(rng: np.random.Generator, wall: Floats) -> None:
    """A door with its frame."""
    left = rng.uniform(-0.1, 0.85)
    right, top, tint = left + rng.uniform(0.15, 0.25), rng.uniform(0.0, 0.3), muted(rng)
    fill_box(wall, (left - 0.015, top - 0.02, right + 0.015, 1), tint * 0.75)
    fill_box(wall, (left, top, right, 1), tint, 0.15)
    for y in (0.08, 0.55):
        low = top + (1 - top) * y
        fill_box(wall, (left + 0.03, low, right - 0.03, low + 0.35 * (1 - top)), tint * 0.88)


def cabinet(rng: np.random.Generator, wall: Floats) -> None:
    """A sideboard, wardrobe or kitchen front with drawers and doors."""
    left, high = rng.uniform(-0.2, 0.8), rng.uniform(0.15, 0.7)
    right, tint = left + rng.uniform(0.2, 0.8), muted(rng)
    fill_box(wall, (left, 1 - high, right, 1), tint, 0.25)
    fill_box(wall, (left - 0.01, 1 - high, right + 0.01, 1.02 - high), tint * 1.1)
    columns, rows = rng.integers(1, 5, 2)
    for x in np.linspace(left, right, columns + 1):
        fill_box(wall, (x - 0.004, 1 - high, x + 0.004, 1), tint * 0.55)
    for y in np.linspace(1 - high, 1, rows + 1):
        fill_box(wall, (left, y - 0.004, right, y + 0.004), tint * 0.55)


def sofa(rng: np.random.Generator, wall: Floats) -> None:
    """A sofa or bed with cushions, often cut off by the frame."""
    left, high = rng.uniform(-0.3, 0.7), rng.uniform(0.15, 0.4)
    right, tint = left + rng.uniform(0.3, 0.7), muted(rng)
    fill_soft(wall, (left, 1 - high, right, 1.1), tint, 6)
    for x in np.linspace(left, right, rng.integers(2, 6))[:-1]:
        wide = rng.uniform(0.08, 0.16)
        fill_soft(wall, (x, 1 - high * 0.9, x + wide, 1 - high * 0.3), muted(rng), 3)
    fill_soft(wall, (left - 0.02, 1 - high * 0.5, right + 0.02, 1.1), tint * 0.95, 8)


def prop(rng: np.random.Generator, wall: Floats) -> None:
    """A vase, lamp, plant or chair that belongs to the room: small, and at its side."""
    make, extent = PROPS[rng.integers(len(PROPS))], rng.uniform(0.08, 0.22)
    side = max(16, round(extent * len(wall)))
    sprite = Sprite.blank(side, ROOM_LIGHT)
    make(rng, sprite)
    across = rng.uniform(0, 0.2) if rng.random() < 0.5 else rng.uniform(0.8, 1)
    left = round(across * wall.shape[1] - side / 2)
    top = round((1 if rng.random() < 0.5 else rng.uniform(0.4, 1)) * len(wall)) - side
    x0, x1 = max(left, 0), min(left + side, wall.shape[1])
    y0, y1 = max(top, 0), min(top + side, len(wall))
    patch, area = sprite.pixels[y0 - top : y1 - top, x0 - left : x1 - left], wall[y0:y1, x0:x1]
    area *= 1 - cv2.merge([patch[..., 3]] * 3)
    area += patch[..., :3]


FIXTURES: tuple[tuple[Fixture, float], ...] = (
    (window, 0.18), (curtains, 0.08), (picture, 0.14), (mouldings, 0.13), (shelf, 0.10),
    (door, 0.07), (cabinet, 0.10), (sofa, 0.10), (prop, 0.10),
)  # fmt: skip


def furnish(rng: np.random.Generator, wall: Floats, most: int) -> None:
    """Put up to `most` things along a wall, those on it before those in front of it."""
    makers, shares = zip(*FIXTURES, strict=True)
    chosen = np.sort(rng.choice(len(makers), int(rng.integers(0, most + 1)), p=shares))
    for index in chosen:
        fixture: Fixture = makers[index]
        fixture(rng, wall)
