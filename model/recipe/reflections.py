"""What a polished floor shows of the things that stand on it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from shadows import soft
from shapes import Floats
from staging import Placed, showing

GLOSSY_SHARE = 1 / 6
"""How often a floor that things stand on mirrors them."""

SATIN_SHARE = 0.5
"""How many of these are satin, which blurs, and not polished."""

UNEVEN = 0.1
"""How far above a thing's lowest point it may still touch the floor, as a share of its height."""

FAINT = 0.0015
"""Mean change of the backdrop up to which nobody would look for a reflection."""


@dataclass(frozen=True)
class Polish:
    """How a floor mirrors.

    `strength` is the share of light that it mirrors at a thing's foot; at `reach` heights of the
    thing below it nothing is left. `sharp` and `dull` are the blur at the foot and at the end of
    this reach, as shares of the frame's longer side. Things stand `hover` heights of theirs above.
    """

    strength: float
    reach: float
    sharp: float
    dull: float
    hover: float


def draw_polish(rng: np.random.Generator, hover: float) -> Polish | None:
    """Return a random floor: polished, satin, or, as most are, none that mirrors anything."""
    if rng.random() > GLOSSY_SHARE:
        return None
    if rng.random() < SATIN_SHARE:
        dull = rng.uniform(0.012, 0.03)
        return Polish(rng.uniform(0.1, 0.2), rng.uniform(0.35, 0.8), dull / 4, dull, hover)
    dull = rng.uniform(0.002, 0.008)
    return Polish(rng.uniform(0.2, 0.35), rng.uniform(0.8, 1.6), 0.001, dull, hover)


def polished(shadow: Floats, objects: tuple[Placed, ...], ground: Floats, polish: Polish) -> Floats:
    """Return the layer of shadows, premultiplied (H, W, 4), with what the floor mirrors over it.

    A shine lies over the shade: this dims what the floor scatters, not what it mirrors. The layer
    stays as it was where nobody could tell mirror images from the `ground`, (H, W, 3).
    """
    floor = shadow
    for item in objects:
        if item.pose == "standing":
            image = mirrored(item.pixels, polish)
            floor = image + floor * (1 - image[..., 3:])
    change = floor[..., :3] - shadow[..., :3] + (shadow[..., 3:] - floor[..., 3:]) * ground
    return floor if showing(np.abs(change).max(axis=2), objects) > FAINT else shadow


def mirrored(pixels: Floats, polish: Polish) -> Floats:
    """Return one thing upside down below its foot, premultiplied, faded and blurred downwards."""
    height, width = pixels.shape[:2]
    _, top, _, down = cv2.boundingRect((pixels[..., 3] > 0.5).astype(np.uint8))
    if not down:
        return np.zeros_like(pixels)
    foot = footing(pixels[..., 3], top + down, UNEVEN * down) + np.float32(polish.hover * down)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height))
    below = (rows - foot).astype(np.float32)
    # The thing itself goes on above its foot, so that the blur finds no edge there.
    image = cv2.remap(pixels, columns, foot - np.abs(below), cv2.INTER_LINEAR)
    away = np.clip(below / np.float32(polish.reach * down), 0, 1)[..., None]
    sharp, dull = soft(image, polish.sharp), soft(image, polish.dull)
    strength = np.float32(polish.strength) * (1 - away) ** 2 * np.clip(below + 1, 0, 1)[..., None]
    shown: Floats = (sharp + (dull - sharp) * away) * strength
    return shown


def footing(alpha: Floats, bottom: int, rise: float) -> Floats:
    """Return the row (W,) at which each column of a thing touches the floor.

    Seen from a little above, the near edge of a round or turned base bends down in the picture:
    the floor begins under each column's own end, if that is at most `rise` above the `bottom`.
    """
    solid = alpha > 0.5
    ends = np.where(solid.any(axis=0), len(alpha) - np.argmax(solid[::-1], axis=0), 0)
    lines = np.maximum(ends, bottom - rise).astype(np.float32) - np.float32(0.5)
    window = max(3, round(rise / 3))
    level: Floats = cv2.blur(lines[None], (window, 1))[0]
    return level
