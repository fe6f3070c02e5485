"""What light and a lens add to a scene that was drawn evenly lit and sharp all over.

A real photo of one thing has parts in shade and parts out of focus, whose edges must not part it.
"""

from __future__ import annotations

import cv2
import numpy as np
from shapes import Floats, grid

FALLING, SPOTTED, SHALLOW = 0.4, 0.2, 0.3
"""How often light falls off to one side, comes from coloured lamps, and focus is shallow."""

LEAST_LIGHT = 0.12
"""What is left of the light where it falls off most."""

BLURRED = 0.003, 0.014
"""Standard deviation of the blur where a picture is least sharp, over its longer side."""


def photographed(rng: np.random.Generator, photo: Floats) -> Floats:
    """Return an RGBA picture (H, W, 4) in [0, 1] as lamps and a lens may show it.

    Alpha is left alone, and so are what is quite clear and the focus of a picture that has such.
    """
    before, alpha = np.ascontiguousarray(photo[..., :3]), photo[..., 3:]
    colour = before
    if rng.random() < FALLING:
        colour = colour * fall_off(rng, colour.shape[:2])[..., None]
    if rng.random() < SPOTTED:
        colour = colour * lamps(rng, colour.shape[:2])
    if rng.random() < SHALLOW and alpha.min() == 1:
        colour = defocused(rng, colour)
    return np.concatenate([np.where(alpha > 0, colour, before), alpha], axis=-1)


def fall_off(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """Return how much light there is (H, W): less and less from somewhere on, never none."""
    along = slope(rng, size)
    dark = rng.uniform(LEAST_LIGHT, 0.8)
    share = np.clip((along - rng.uniform(-0.8, 0.2)) / rng.uniform(0.3, 1.5), 0, 1)
    light: Floats = (1 - (1 - dark) * share * share * (3 - 2 * share)).astype(np.float32)
    return light


def lamps(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """Return the light (H, W, 3) of two lamps of different colours on either side."""
    share = np.clip(slope(rng, size) / rng.uniform(0.4, 1.6) + 0.5, 0, 1)[..., None]
    strength = rng.uniform(0.1, 0.8)
    one, other = (1 - strength * rng.random(3) for _ in range(2))
    light: Floats = (one + (other - one) * share).astype(np.float32)
    return light


def defocused(rng: np.random.Generator, colour: Floats) -> Floats:
    """Return colours (H, W, 3) sharp along a line, and less and less so beside it."""
    away = np.abs(slope(rng, colour.shape[:2]) - rng.normal(0, 0.25))
    share = np.clip((away - rng.uniform(0.05, 0.4)) / rng.uniform(0.1, 0.6), 0, 1)[..., None]
    sigma = rng.uniform(*BLURRED) * max(colour.shape[:2])
    little, much = (cv2.GaussianBlur(colour, (0, 0), factor * sigma) for factor in (0.45, 1))
    # Half way there a little blur stands for what is between.
    first, last = np.minimum(2 * share, 1), np.maximum(2 * share - 1, 0)
    blurred: Floats = (colour + (little - colour) * first + (much - little) * last).astype(
        np.float32
    )
    return blurred


def slope(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """Return how far pixels (H, W) lie from the middle in some direction, bent a little."""
    x, y = grid(*size)
    turn, bend = rng.uniform(-np.pi, np.pi), rng.normal(0, 0.25)
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    bent: Floats = (along + bend * across * across).astype(np.float32)
    return bent
