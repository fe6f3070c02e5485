"""Flat materials seen straight on, and what light and focus make of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from shapes import Floats, grid
from textures import (
    colour,
    edge,
    fabric,
    fractal,
    marble,
    mix,
    mottled,
    relative,
    shaded,
    wood,
)

Size: TypeAlias = tuple[int, int]
Material: TypeAlias = Callable[[np.random.Generator, Size], Floats]


def paper_colour(rng: np.random.Generator) -> Floats:
    """Return a studio colour: near-white more often than not."""
    kind = rng.random()
    if kind < 0.4:
        return np.clip(rng.uniform(0.8, 1.0) + rng.normal(0, 0.015, 3), 0, 1).astype(np.float32)
    if kind < 0.55:
        return np.clip(rng.uniform(0.3, 0.8) + rng.normal(0, 0.02, 3), 0, 1).astype(np.float32)
    return colour(rng)


def lit_unevenly(rng: np.random.Generator, field: Floats) -> Floats:
    """Darken a field away from a lamp and towards its corners, as most photos are a little."""
    if rng.random() < 0.25:
        return field
    x, y = grid(*field.shape[:2])
    lamp_x, lamp_y = rng.uniform((-0.8, -0.9), (0.8, 0.5))
    away = (x - np.float32(lamp_x)) ** 2 + (y - np.float32(lamp_y)) ** 2
    fall = np.exp(-away * np.float32(0.25 * rng.random() ** 3))
    vignette = 1 - np.float32(0.25 * rng.random() ** 3) * (x * x + y * y)
    return field * (fall * vignette)[..., None]


def planks(rng: np.random.Generator, size: Size) -> Floats:
    """Boards of wood with joints."""
    x, y = grid(*size)
    if rng.random() < 0.5:
        x, y = y, x
    boards = np.float32(rng.uniform(1.5, 6))
    field = wood(rng, x, y)
    number = np.floor(y * boards).astype(np.int64) + 32
    tones = rng.normal(1, 0.08, 80).astype(np.float32)
    joint = np.abs((y * boards) % 1 - 0.5) - np.float32(0.485)
    return shaded(field, tones[number] * (1 - 0.6 * edge(joint, 0.02)) - 1)


def tiles(rng: np.random.Generator, size: Size) -> Floats:
    """Square or brick-laid tiles with grout."""
    x, y = grid(*size)
    count = np.float32(rng.uniform(1.5, 7))
    rows = y * count
    columns = x * count * np.float32(rng.choice([1, 0.5]))
    if rng.random() < 0.5:
        columns = columns + np.floor(rows) * np.float32(0.5)
    gap = np.maximum(np.abs(rows % 1 - 0.5), np.abs(columns % 1 - 0.5))
    base = paper_colour(rng)
    tones = rng.normal(1, 0.04, (64, 64)).astype(np.float32)
    tone = tones[np.floor(rows).astype(np.int64) % 64, np.floor(columns).astype(np.int64) % 64]
    face = base * (tone * (1 + fractal(rng, size, 6, 3) * np.float32(0.03)))[..., None]
    return mix(face, relative(rng, base, 0.25), edge(gap - np.float32(0.48), 0.02))


def grass(rng: np.random.Generator, size: Size) -> Floats:
    """Lawn, carpet, fur or gravel: strong fine noise."""
    base = colour(rng)
    noise = fractal(rng, size, rng.uniform(25, 60), 3) + fractal(rng, size, 3, 2)
    return base * (1 + noise[..., None] * np.float32(rng.uniform(0.1, 0.4)))


def plaster(rng: np.random.Generator, size: Size) -> Floats:
    """A painted wall."""
    noise = fractal(rng, size, rng.uniform(1, 8), 5)[..., None]
    return paper_colour(rng) * (1 + noise * np.float32(rng.uniform(0, 0.06)))


def cloth(rng: np.random.Generator, size: Size) -> Floats:
    """A spread cloth with soft folds."""
    folds = fractal(rng, size, rng.uniform(1, 4), 3)[..., None]
    return fabric(rng, *grid(*size)) * (1 + folds * np.float32(rng.uniform(0.02, 0.15)))


def stone(rng: np.random.Generator, size: Size) -> Floats:
    """Marble or mottled stone."""
    make = marble if rng.random() < 0.5 else mottled
    return make(rng, *grid(*size))


MATERIALS: tuple[Material, ...] = (planks, planks, tiles, grass, plaster, plaster, cloth, stone)


def material(rng: np.random.Generator, size: Size) -> Floats:
    """Return a random flat material seen straight on: (H, W, 3)."""
    make: Material = MATERIALS[rng.integers(len(MATERIALS))]
    return np.clip(make(rng, size), 0, 1).astype(np.float32)


def blurred(field: Floats, share: float) -> Floats:
    """Defocus by `share` of the longer side; wide blurs are worked out small."""
    height, width = field.shape[:2]
    sigma = share * max(height, width)
    factor = max(1, int(sigma / 3))
    size = (max(2, width // factor), max(2, height // factor))
    small = cv2.resize(np.asarray(field, np.float32), size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.3, sigma / factor), borderType=cv2.BORDER_REFLECT)
    defocused: Floats = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return defocused
