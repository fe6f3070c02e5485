"""Surfaces and prints that several kinds of objects share."""

from __future__ import annotations

import cv2
import numpy as np
from lettering import label
from numpy.typing import NDArray
from shapes import Floats, blob, fill, rectangle, smooth, stroke, turn
from sprites import Finish, Sprite
from textures import colour


def hard(rng: np.random.Generator) -> Finish:
    """Return a random surface with narrow rounded edges."""
    return Finish(rng.uniform(0.02, 0.15), float(rng.choice([0.02, 0.15, 0.4, 0.7])))


def soft(rng: np.random.Generator) -> Finish:
    """Return a random cloth-like surface: wide roundness, creases, no gloss."""
    return Finish(rng.uniform(0.15, 0.5), 0.02, creases=rng.uniform(0.2, 1.2))


def motif(
    rng: np.random.Generator, sprite: Sprite, chance: float, centre: tuple[float, float]
) -> None:
    """Print writing, a blob or a line drawing on what is there."""
    if rng.random() > chance:
        return
    size = np.float32(rng.uniform(0.2, 0.55))
    x, y = sprite.grid
    kind = rng.random()
    if kind < 0.4:
        _, ink = label(rng, (x - centre[0]) / size, (y - centre[1]) / size)
        sprite.stick((ink[..., 3] * 255).astype(np.uint8), ink[..., :3])
    elif kind < 0.7:
        sprite.stick(fill(sprite.side, blob(rng, 0.3) * size + centre), colour(rng))
    else:
        tint, width = colour(rng), rng.uniform(0.01, 0.04)
        for _ in range(rng.integers(2, 6)):
            line = smooth(rng.uniform(-1, 1, (5, 2)) * size + centre, 2, closed=False)
            sprite.stick(stroke(sprite.side, line, width), tint)


def repaint(rng: np.random.Generator, sprite: Sprite) -> None:
    """Give regions of what is there, alike in colour and near each other, colours of their own.

    A region keeps its light and shade: a thing of one colour becomes one of several parts.
    """
    alpha = sprite.pixels[..., 3:]
    skin = sprite.pixels[..., :3] / np.maximum(alpha, np.float32(1e-3))
    region = regions(rng, sprite, skin)
    for number in range(1, region.max(initial=0) + 1):
        inside = region == number
        light = skin[inside].mean(axis=1, keepdims=True)
        mean = (light * alpha[inside]).sum() / max(float(alpha[inside].sum()), 1e-3)
        skin[inside] = np.clip(colour(rng) * light / max(float(mean), 1e-3), 0, 1)
    sprite.pixels[..., :3] = skin * alpha


def regions(rng: np.random.Generator, sprite: Sprite, skin: Floats) -> NDArray[np.intp]:
    """Return which of up to four regions each pixel is in: that of the nearest of random pixels."""
    x, y = sprite.grid
    reach = np.float32(rng.uniform(0, 1))
    place = np.dstack([cv2.blur(skin, (3, 3)), reach * x, reach * y])
    there = np.flatnonzero(sprite.pixels[..., 3] > 0.5)
    if not len(there):
        return np.zeros(place.shape[:2], np.intp)
    centres = place.reshape(-1, 5)[rng.choice(there, rng.integers(2, 5))]
    away = [np.square(place - centre).sum(axis=2) for centre in centres]
    return np.argmin(away, axis=0)


def hang_tag(rng: np.random.Generator, sprite: Sprite) -> None:
    """Hang a price tag or a card on the side of what is there, by a string."""
    there = sprite.pixels[..., 3] > 0.3
    rows = np.flatnonzero(there.any(axis=1))
    row = rows[int(rng.uniform(0.1, 0.6) * len(rows))]
    solid = np.flatnonzero(there[row])
    side = int(rng.integers(2)) * 2 - 1
    x, y = (2 * np.array([solid[-(side > 0)], row]) + 1) / sprite.side - 1
    size, drop = rng.uniform(0.06, 0.2 if rng.random() < 0.6 else 0.34, 2), rng.uniform(0.02, 0.25)
    heart = np.clip((x + side * rng.uniform(-0.08, 0.1), y + drop + size[1]), -0.8, 0.8)
    card = turn(rectangle((0, 0), size), rng.normal(0, 0.3)) + heart
    string = [(x - side * 0.03, y), heart - (0, size[1] * 0.8)]
    sprite.paint(stroke(sprite.side, string, rng.uniform(0.005, 0.014)), colour(rng), Finish(0.01))
    # A brand has its colours: the card often has one of the product's.
    spot = sprite.pixels[row, rng.choice(solid), :3] if rng.random() < 0.4 else colour(rng)
    sprite.paint(fill(sprite.side, np.clip(card, -0.98, 0.98)), spot, Finish(0.01, 0.05))
    rule = turn(rectangle((0, 0), size * (0.6, 0.12)), rng.normal(0, 0.1)) + heart
    sprite.stick(fill(sprite.side, rule), colour(rng))
