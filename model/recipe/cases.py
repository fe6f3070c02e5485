"""Draws what the shipped model makes of the examples: each picture, then its layers from below.

python model/recipe/cases.py model/cases.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from shapes import Floats
from sheet import on_checks

from examples import EXAMPLES, PICTURES
from layerctl.document import Document, Layer, Pixels
from layerctl.photo import Photo, read_photo
from layerctl.preset import load_preset

SIDE = 192
LAYERS = 6
COLUMNS = LAYERS + 1


def main() -> None:
    """Draw the cases and say where they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    from layerctl.decompose import open_model  # --help needs no network

    preset = load_preset("default", {"decompose.layers": LAYERS})
    model = open_model(preset)
    photos = [read_photo(next(PICTURES.glob(f"{one.name}.*"))) for one in EXAMPLES]
    rows = [strip(photo, model.decompose(photo, preset).document) for photo in photos]
    Image.fromarray(np.rint(np.vstack(rows) * 255).astype(np.uint8)).save(chosen.out, quality=85)
    print(chosen.out)


def strip(photo: Photo, document: Document) -> Floats:
    """Return a photo and its layers side by side, (192, 1344, 3)."""
    cells = [cell(photo.pixels)]
    cells += [cell(placed(layer, photo.pixels.shape)) for _, layer in document.walk()]
    cells += [np.ones_like(cells[0])] * (COLUMNS - len(cells))
    row: Floats = np.hstack(cells[:COLUMNS])
    return row


def placed(layer: Layer, shape: tuple[int, ...]) -> Pixels:
    """Return a layer's pixels on a canvas of that shape."""
    canvas = np.zeros(shape, np.uint8)
    left, top, right, bottom = layer.box
    canvas[top:bottom, left:right] = layer.pixels
    return canvas


def cell(pixels: Pixels) -> Floats:
    """Return (H, W, 4) levels as a square on a chequered ground, the rest of it white."""
    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    square = np.ones((SIDE, SIDE, 3), np.float32)
    top, left = (SIDE - size[1]) // 2, (SIDE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = on_checks(small)
    return square


if __name__ == "__main__":
    main()
