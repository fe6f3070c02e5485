"""Rooms and landscapes: backdrops that hold things of their own, none of them the product."""

from __future__ import annotations

import cv2
import numpy as np
from fixtures import fill_box, furnish, muted
from materials import Size, blurred, cloth, grass, material, planks, plaster, tiles
from numpy.typing import ArrayLike
from shapes import Floats, grid
from textures import edge, fractal, mix, relative, shaded, stripes

NEAR = 4.0
"""How many times larger the front of a room is drawn than its back."""


def indoors(rng: np.random.Generator, size: Size) -> tuple[Floats, float]:
    """Return a furnished room seen into, (H, W, 3), and where its floor begins."""
    horizon = rng.uniform(0.45, 0.82)
    low, high = np.sort(rng.uniform((-0.5, 0.55), (0.45, 1.5)))
    back = np.array([[low, rng.uniform(-0.5, 0.12)], [high, horizon]])
    wall = wall_of(rng, size)
    furnish(rng, wall, 5)
    side = wall_of(rng, half(size)) if rng.random() < 0.3 else blurred(wall, 0.01)
    furnish(rng, side, 3)
    floors = (planks, planks, planks, tiles, cloth, plaster, grass, material)
    floor = faded(rng, floors[rng.integers(len(floors))](rng, size))
    room = box(rng, size, back, (wall, floor, side))
    if rng.random() < 0.4:
        room *= sunshine(rng, size, horizon)[..., None]
    return np.clip(room, 0, 1), horizon


def half(size: Size) -> Size:
    """Return a size of half the height and width."""
    return size[0] // 2, size[1] // 2


def faded(rng: np.random.Generator, field: Floats) -> Floats:
    """Return colours as floors have them: nearer to grey."""
    grey = cv2.merge([field.mean(axis=-1, dtype=np.float32)] * 3)
    dull: Floats = grey + (field - grey) * np.float32(rng.uniform(0.1, 0.9))
    return dull


def wall_of(rng: np.random.Generator, size: Size) -> Floats:
    """Return a bare wall with a skirting board: painted, papered, panelled or of brick."""
    kind = rng.random()
    if kind < 0.65:
        paint = 1 - (1 - muted(rng)) * np.float32(rng.uniform(0.25, 1))
        wall = paint * (1 + fractal(rng, size, 3, 4)[..., None] * np.float32(0.02))
    elif kind < 0.75:
        u = stripes(rng, *grid(*size))
        wall = u * np.float32(0.3) + muted(rng) * np.float32(0.7)
    else:
        wall = material(rng, size)
    wall = np.ascontiguousarray(wall, np.float32)
    if rng.random() < 0.6:
        fill_box(wall, (0, rng.uniform(0.94, 0.98), 1, 1), relative(rng, wall[0, 0], 0.25))
    return wall


def box(
    rng: np.random.Generator, size: Size, back: Floats, surfaces: tuple[Floats, Floats, Floats]
) -> Floats:
    """Return the inside of a box: back wall, floor, side walls and ceiling in one perspective.

    `back` is the upper left and the lower right corner of the back wall in shares of the frame;
    `surfaces` are the back wall, the floor and a side wall.
    """
    height, width = size
    wall, floor, side = surfaces
    (x0, y0), (x1, y1) = back
    far = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    eye = np.array([rng.uniform(0.3, 0.7), rng.uniform(0.25, min(y1 - 0.1, 0.55))])
    near = eye + (far - eye) * NEAR
    dim = np.float32(rng.uniform(0.6, 1.05))
    field = np.empty((height, width, 3), np.float32)
    field[:] = muted(rng) * 0.3 + 0.65
    for picture, corners in (
        (side * dim, (near[0], far[0], far[3], near[3])),
        (side * (2 * dim - dim * dim), (far[1], near[1], near[2], far[2])),
        (floor, (far[3], far[2], near[2], near[3])),
        (wall, far),
    ):
        lay(field, picture, np.array(corners) * (width, height))
    return field


def lay(field: Floats, picture: Floats, corners: ArrayLike) -> None:
    """Draw a picture into the quadrangle of four corners in pixels, clockwise from its top left."""
    height, width = picture.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    warp = cv2.getPerspectiveTransform(source, np.asarray(corners, np.float32))
    cv2.warpPerspective(
        picture.astype(np.float32),
        warp,
        field.shape[1::-1],
        dst=field,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )


def sunshine(rng: np.random.Generator, size: Size, horizon: float) -> Floats:
    """Return the light (H, W) of a window that falls on the floor or a wall, bars included."""
    height, width = size
    light = np.zeros(size, np.float32)
    slant, left = rng.uniform(-0.4, 0.4), rng.uniform(-0.2, 0.7)
    top = rng.uniform(horizon - 0.4, horizon + 0.1)
    tall, wide = rng.uniform(0.2, 0.5), rng.uniform(0.08, 0.2)
    for pane in range(rng.integers(1, 4)):
        x = left + pane * wide * 1.15
        corners = [
            (x, top),
            (x + wide, top),
            (x + wide + slant, top + tall),
            (x + slant, top + tall),
        ]
        cv2.fillConvexPoly(light, np.rint(np.array(corners) * (width, height)).astype(int), 1)
    glow: Floats = 1 + blurred(light, rng.uniform(0.004, 0.03)) * np.float32(rng.uniform(0.15, 0.6))
    return glow


def outdoors(rng: np.random.Generator, size: Size) -> tuple[Floats, float]:
    """Return a park, beach, mountain or street, (H, W, 3), and where its ground begins."""
    horizon = rng.uniform(0.35, 0.7)
    field = sky(rng, size)
    _, y = grid(*size)
    middle = np.float32((horizon - 0.5) * 2 * float(y[-1, 0]))
    for _ in range(rng.integers(0, 3)):
        add_ridge(rng, field, horizon - rng.uniform(0, 0.15))
    kind = rng.random()
    if kind < 0.35:
        far = muted(rng) * np.array([0.7, 0.85, 1.0], np.float32)
        waves = cv2.resize(fractal(rng, half(half(size)), 24, 2), size[::-1])
        waves = cv2.blur(waves, (max(1, size[1] // 16), 1))
        field = mix(field, shaded(far, waves * np.float32(0.25)), edge(y - middle, 0.01))
        horizon = min(0.85, horizon + rng.uniform(0.05, 0.25))
        middle = np.float32((horizon - 0.5) * 2 * float(y[-1, 0]))
    source = faded(rng, (grass, grass, plaster, tiles, material)[rng.integers(5)](rng, size))
    ground = np.full_like(field, source.mean(axis=(0, 1)))
    source = ground + (source - ground) * np.float32(rng.uniform(0.2, 0.8))
    corners = np.array([[-1, horizon], [2, horizon], [3, 1.1], [-2, 1.1]]) * size[::-1]
    lay(ground, source, corners)
    shore = cv2.resize(fractal(rng, (2, 16), 8, 2), size[::-1]) * np.float32(rng.uniform(0, 0.03))
    field = mix(field, ground, edge(y - middle + shore, 0.015))
    for _ in range(rng.integers(0, 6)):
        add_tree(rng, field, horizon)
    return np.clip(field, 0, 1), horizon


def sky(rng: np.random.Generator, size: Size) -> Floats:
    """Return a sky: graded, often with clouds."""
    _, y = grid(*size)
    zenith, haze = muted(rng) * 0.5 + 0.35, muted(rng) * 0.3 + 0.65
    if rng.random() < 0.6:
        zenith = np.array([0.25, 0.45, 0.75], np.float32) + np.float32(rng.uniform(-0.1, 0.2))
    field = mix(zenith, haze, y + np.float32(0.7))
    if rng.random() < 0.6:
        clouds = fractal(rng, size, rng.uniform(2, 5), 4) - np.float32(rng.uniform(-0.2, 1))
        white = np.full(3, rng.uniform(0.7, 1), np.float32)
        field = mix(field, white, clouds * np.float32(rng.uniform(0.3, 1)))
    return field


def add_ridge(rng: np.random.Generator, field: Floats, level: float) -> None:
    """Draw hills, woods or roofs along the horizon."""
    height, width = field.shape[:2]
    rough = fractal(rng, (2, 32), rng.uniform(2, 24), 4)[0]
    line = np.interp(np.linspace(0, 31, width), np.arange(32), rough) * rng.uniform(0.02, 0.08)
    rows = np.arange(height, dtype=np.float32)[:, None] / height
    mask = edge((rows - level - line).astype(np.float32), 0.01)
    leaves = fractal(rng, (height, width), rng.uniform(8, 40), 2)
    field[:] = mix(field, shaded(muted(rng), leaves * np.float32(rng.uniform(0, 0.2))), mask)


def add_tree(rng: np.random.Generator, field: Floats, horizon: float) -> None:
    """Draw a tree, bush or lamp post: a trunk and a ragged crown."""
    height, width = field.shape[:2]
    x, foot = rng.uniform(0, 1) * width, (horizon + rng.uniform(-0.02, 0.1)) * height
    tall, spread = rng.uniform(0.15, 0.7) * height, rng.uniform(0.05, 0.2) * width
    bark = muted(rng) * 0.4
    thick = max(1, round(rng.uniform(0.004, 0.02) * width))
    trunk = (round(x), round(foot)), (round(x), round(foot - tall * 0.7))
    cv2.line(field, *trunk, [float(c) for c in bark], thick)
    if rng.random() < 0.15:
        return
    columns = (np.arange(width, dtype=np.float32) - np.float32(x)) / np.float32(spread)
    rows = np.arange(height, dtype=np.float32) - np.float32(foot - tall * 0.75)
    away: Floats = np.hypot(columns, rows[:, None] / np.float32(tall * 0.4))
    leaves = fractal(rng, (height, width), rng.uniform(10, 30), 3)
    green = np.array([0.3, 0.4, 0.2]) * rng.uniform(0.3, 1.2)
    tint = (green + (muted(rng) - green) * rng.uniform(0, 0.5)).astype(np.float32)
    crown = edge(1 - away + leaves * np.float32(0.2), 0.15)
    relief = (leaves * 0.3 - away * 0.2).astype(np.float32)
    field[:] = mix(field, shaded(tint, relief), crown)
