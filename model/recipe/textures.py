"""Colours, noise and the patterns objects and backdrops are covered with."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import TypeAlias

import cv2
import numpy as np
from shapes import Floats

Texture: TypeAlias = Callable[[np.random.Generator, Floats, Floats], Floats]

COLOUR_FAMILIES: tuple[tuple[float, tuple[float, ...]], ...] = (
    # share, then the ranges of hue, saturation and value
    (0.26, (0.0, 1.0, 0.00, 0.08, 0.82, 1.00)),  # whites
    (0.14, (0.0, 1.0, 0.00, 0.30, 0.03, 0.20)),  # blacks
    (0.12, (0.0, 1.0, 0.00, 0.12, 0.30, 0.80)),  # greys, steel
    (0.12, (0.05, 0.12, 0.25, 0.75, 0.25, 0.85)),  # wood, leather, skin
    (0.12, (0.0, 1.0, 0.12, 0.40, 0.70, 0.95)),  # pastels
    (0.06, (0.2, 0.45, 0.35, 0.85, 0.15, 0.60)),  # leaves
    (0.18, (0.0, 1.0, 0.60, 1.00, 0.40, 1.00)),  # vivid
)


def colour(rng: np.random.Generator) -> Floats:
    """Return a random colour as products have them: (3,) in [0, 1]."""
    shares = [share for share, _ in COLOUR_FAMILIES]
    _, (h0, h1, s0, s1, v0, v1) = COLOUR_FAMILIES[rng.choice(len(shares), p=shares)]
    hue, saturation, value = rng.uniform((h0, s0, v0), (h1, s1, v1))
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value), np.float32)


def relative(rng: np.random.Generator, base: Floats, distance: float = 0.15) -> Floats:
    """Return a colour near `base`: mostly lighter or darker, a little off in hue."""
    change = rng.normal(0, distance) + rng.normal(0, distance / 4, 3)
    return np.clip(base + change, 0.01, 1).astype(np.float32)


def fractal(
    rng: np.random.Generator, size: tuple[int, int], cells: float = 4, octaves: int = 4
) -> Floats:
    """Return value noise, (height, width) about 0 with unit spread; coarsest first."""
    height, width = size
    longest = max(size)
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        scale = cells * 2**octave / longest
        shape = (max(2, round(height * scale)), max(2, round(width * scale)))
        values = rng.standard_normal(shape, np.float32)
        layer = cv2.resize(values, (width, height), interpolation=cv2.INTER_CUBIC)
        total += layer * np.float32(0.55**octave)
    return total


def mix(low: Floats, high: Floats, amount: Floats) -> Floats:
    """Blend two colours, or colour fields, by a field clipped to [0, 1]."""
    share = np.clip(amount, 0, 1).astype(np.float32)
    planes = [
        low[..., channel] + (high[..., channel] - low[..., channel]) * share for channel in range(3)
    ]
    blend: Floats = cv2.merge(planes)
    return blend


def edge(field: Floats, softness: float = 0.02) -> Floats:
    """Return a soft step: 0 where `field` is negative, 1 where it is positive."""
    step: Floats = np.clip(field / softness + 0.5, 0, 1).astype(np.float32)
    return step


def shaded(tint: Floats, relief: Floats) -> Floats:
    """Lighten and darken a colour, or colour field, by a relative amount a pixel."""
    field: Floats = np.clip(tint * (1 + relief[..., None]), 0, 1).astype(np.float32)
    return field


def turned(rng: np.random.Generator, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Rotate coordinates: mostly upright or diagonal, as printed patterns are."""
    angle = rng.choice([0, np.pi / 2, np.pi / 4, rng.uniform(0, np.pi)])
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * x + sin * y, cos * y - sin * x


def plain(rng: np.random.Generator, x: Floats, _y: Floats) -> Floats:
    """One colour."""
    return np.broadcast_to(colour(rng), (*x.shape, 3))


def gradient(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """Two colours that run into each other."""
    u, _ = turned(rng, x, y)
    return mix(colour(rng), colour(rng), u * np.float32(rng.uniform(0.5, 1.5)) + 0.5)


def stripes(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """Parallel bands, of equal or irregular width."""
    u, _ = turned(rng, x, y)
    waves = np.sin(u * np.float32(rng.uniform(6, 40)))
    if rng.random() < 0.4:
        waves = waves + np.sin(u * np.float32(rng.uniform(3, 23)))
    return mix(colour(rng), colour(rng), edge(waves + np.float32(rng.uniform(-0.6, 0.6)), 0.3))


def checks(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """Gingham, tartan or a chess board."""
    u, v = turned(rng, x, y)
    pitch = np.float32(rng.uniform(5, 20))
    across, down = np.sin(u * pitch), np.sin(v * pitch)
    if rng.random() < 0.5:
        return mix(colour(rng), colour(rng), edge(across * down, 0.2))
    return mix(colour(rng), colour(rng), (edge(across, 0.3) + edge(down, 0.3)) * np.float32(0.5))


def dots(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """Polka dots on a square or diagonal lattice."""
    u, v = turned(rng, x, y)
    pitch = np.float32(rng.uniform(6, 22))
    bumps = np.cos(u * pitch) + np.cos(v * pitch)
    return mix(colour(rng), colour(rng), edge(bumps - np.float32(rng.uniform(0.3, 1.3)), 0.3))


def mottled(rng: np.random.Generator, x: Floats, _y: Floats) -> Floats:
    """Soft fractal noise: stone, wool, rust."""
    base = colour(rng)
    noise = fractal(rng, x.shape, rng.uniform(2, 14))
    return mix(base, relative(rng, base, 0.3), noise * np.float32(0.35) + 0.5)


def marble(rng: np.random.Generator, x: Floats, _y: Floats) -> Floats:
    """Thin veins through a quiet stone."""
    base = colour(rng)
    veins = np.abs(fractal(rng, x.shape, rng.uniform(1, 4), 5))
    return mix(relative(rng, base, 0.3), base, veins * np.float32(rng.uniform(2, 6)))


def patches(rng: np.random.Generator, x: Floats, _y: Floats) -> Floats:
    """Fields of several colours with sharp borders: camouflage, prints, paint."""
    noise = fractal(rng, x.shape, rng.uniform(1.5, 6), 3)
    spots = fractal(rng, x.shape, rng.uniform(1.5, 6), 2)
    two = mix(colour(rng), colour(rng), edge(noise, 0.1))
    return mix(two, colour(rng), edge(spots - np.float32(0.5), 0.1))


def shards(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """A few straight-edged areas, as printed packaging has."""
    field = np.broadcast_to(colour(rng), (*x.shape, 3))
    for _ in range(rng.integers(2, 6)):
        angle = rng.uniform(0, 2 * np.pi)
        side = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
        side = side - np.float32(rng.uniform(-0.5, 0.6))
        if rng.random() < 0.5:
            side = np.float32(rng.uniform(0.02, 0.15)) - np.abs(side)
        field = mix(field, colour(rng), edge(side))
    return field


def wood(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """Long grain along x."""
    hue, value = rng.uniform(0.05, 0.11), rng.uniform(0.25, 0.9)
    base = np.array(colorsys.hsv_to_rgb(hue, rng.uniform(0.15, 0.65), value), np.float32)
    warp = fractal(rng, x.shape, 2, 3)
    rings = np.sin((y + warp * np.float32(0.05)) * np.float32(rng.uniform(15, 60)))
    fibre = cv2.blur(rng.standard_normal((64, 64)).astype(np.float32), (25, 1))
    fibre = cv2.resize(fibre, x.shape[::-1], interpolation=cv2.INTER_LINEAR)
    grain = rings * np.float32(0.2) + fibre * np.float32(1.2) + warp * np.float32(0.15)
    return shaded(base, grain * np.float32(rng.uniform(0.1, 0.45)))


def fabric(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """A weave seen close, slightly uneven."""
    base = colour(rng)
    pitch = np.float32(rng.uniform(60, 140))
    weave = np.sin(x * pitch) * np.sin(y * pitch) + fractal(rng, x.shape, 5, 3) * np.float32(0.6)
    return shaded(base, weave * np.float32(rng.uniform(0.03, 0.15)))


OBJECT_TEXTURES: tuple[tuple[Texture, float], ...] = (
    (plain, 0.40), (gradient, 0.07), (stripes, 0.09), (checks, 0.05), (dots, 0.05),
    (mottled, 0.08), (marble, 0.03), (patches, 0.07), (shards, 0.07), (wood, 0.04), (fabric, 0.05),
)  # fmt: skip


def texture(rng: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """Return a random object texture over coordinates x, y: (H, W, 3) in [0, 1]."""
    makers, shares = zip(*OBJECT_TEXTURES, strict=True)
    make: Texture = makers[rng.choice(len(makers), p=shares)]
    return make(rng, x, y)
