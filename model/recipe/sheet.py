"""Draws a contact sheet of scenes: each photo, then its layers from the backdrop up.

    python model/recipe/sheet.py sheet.png --scenes 64 --side 256

Layers stand on a chequered ground. `--photos` leaves them out and sets eight scenes in a row.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from scenes import frames, make_scene
from shapes import Floats

LAYERS = 6
ACROSS = 8
CHECK = 8


def main() -> None:
    """Draw the sheet and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenes", type=int, default=64)
    parser.add_argument("--side", type=int, default=192, help="pixels of a scene")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--photos", action="store_true", help="no layers")
    chosen = parser.parse_args()
    rows = [strip(chosen.seed, number, chosen.side) for number in range(chosen.scenes)]
    if chosen.photos:
        photos = [row[:, : chosen.side] for row in rows]
        photos += [np.zeros_like(photos[0])] * (-len(photos) % ACROSS)
        rows = [np.hstack(photos[at : at + ACROSS]) for at in range(0, len(photos), ACROSS)]
    Image.fromarray(np.rint(np.vstack(rows) * 255).astype(np.uint8)).save(chosen.out)
    print(chosen.out)


def strip(seed: int, number: int, side: int) -> Floats:
    """Return one scene: the photo and six layers side by side, (side, 7 side, 3)."""
    scene = make_scene(np.random.default_rng([seed, number]), side, side)
    pictures = [on_checks(picture) for picture in frames(scene, LAYERS)]
    row: Floats = np.hstack(pictures)
    return row


def on_checks(picture: Floats) -> Floats:
    """Return straight RGBA on a grey chequered ground, (H, W, 3)."""
    height, width = picture.shape[:2]
    squares = np.arange(height)[:, None] // CHECK + np.arange(width) // CHECK
    checks = 0.55 + 0.1 * (squares % 2)[..., None]
    return (checks + (picture[..., :3] - checks) * picture[..., 3:]).astype(np.float32)


if __name__ == "__main__":
    main()
