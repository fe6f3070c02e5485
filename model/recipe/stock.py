"""Things cut out of pictures, drawn or photographed, that lie in a folder, where there is one."""

from __future__ import annotations

import os
from functools import cache
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from glyphs import fitted
from PIL import Image
from shapes import Floats
from sprites import Sprite

FOLDER = "LAYERCTL_STOCK"
"""The environment variable that names the folder: worker processes look there, too."""

SUFFIXES = (".png", ".webp")
RECOLOURED = 0.15
"""How many have their colours changed for others, so that no thing is known by its colour."""

SHADE = 0.25
"""How much darker a thing may be on the side away from the lamp than it is in its picture."""


def stock() -> tuple[tuple[Path, ...], ...]:
    """Return the pictures in stock, folder by folder; none where the environment names none."""
    folder = os.environ.get(FOLDER)
    return listed(Path(folder)) if folder else ()


@cache
def listed(folder: Path) -> tuple[tuple[Path, ...], ...]:
    """Return the pictures of a folder and of all below it, in the same order on every machine.

    Raises:
        FileNotFoundError: There are none.
    """
    found = (path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    paths = sorted(found, key=lambda path: (path.parent, path))
    if not paths:
        raise FileNotFoundError(f"{folder}: there is no picture in this folder; unset {FOLDER}")
    return tuple(tuple(pictures) for _, pictures in groupby(paths, lambda path: path.parent))


def cut_out(rng: np.random.Generator, sprite: Sprite) -> None:
    """A thing as one of the pictures in stock shows it, mirrored, relit or recoloured at random.

    Pictures of each folder are as frequent as those of any other, however many there are.
    """
    folders = stock()
    paths = folders[rng.integers(len(folders))]
    patch = fitted(read_cut_out(paths[rng.integers(len(paths))]), sprite.side, 0.95)
    patch = patch[:, ::-1] if rng.random() < 0.5 else patch
    alpha = np.maximum(patch[..., 3:], np.float32(1e-3))
    skin = relit(rng, recoloured(rng, patch[..., :3] / alpha), sprite)
    sprite.pixels[..., :3] = np.clip(skin, 0, 1) * patch[..., 3:]
    sprite.pixels[..., 3] = patch[..., 3]


def read_cut_out(path: Path) -> Floats:
    """Return a picture trimmed to what it shows: premultiplied (H, W, 4) in [0, 1]."""
    pixels = np.asarray(Image.open(path).convert("RGBA"), np.float32) / np.float32(255)
    left, top, across, down = cv2.boundingRect((pixels[..., 3] > 0.05).astype(np.uint8))
    pixels = pixels[top : top + down, left : left + across]
    colour, alpha = pixels[..., :3], pixels[..., 3:]
    return np.concatenate([colour * alpha, alpha], axis=2)


def recoloured(rng: np.random.Generator, skin: Floats) -> Floats:
    """Return colours, some of them in another order of the channels, or greyer."""
    if rng.random() < RECOLOURED:
        return skin[..., rng.permutation(3)]
    if rng.random() < RECOLOURED:
        grey = skin.mean(axis=2, keepdims=True)
        return grey + (skin - grey) * np.float32(rng.uniform(0, 0.8))
    return skin


def relit(rng: np.random.Generator, skin: Floats, sprite: Sprite) -> Floats:
    """Return colours in the light of the scene: tinged by it, darker away from the lamp."""
    x, y = sprite.grid
    towards = x * np.float32(sprite.light.direction[0]) + y * np.float32(sprite.light.direction[1])
    shade = 1 + np.float32(rng.uniform(0, SHADE)) * (towards - 1) / 2
    gain = np.array(sprite.light.colour, np.float32) * np.float32(np.exp(rng.normal(0, 0.15)))
    lit: Floats = skin * gain * shade[..., None]
    return lit
