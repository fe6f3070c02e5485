"""Exact scenes of photographs: things that were cut out of some, before backdrops of others.

What a network makes of drawn scenes says little of photos, and of photos nobody knows the layers.
Here both are known. A cut-out is a picture with alpha; one that `layerctl decompose --png` made of
a photo will do, and so will its background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scenes import Scene, SceneLayer, flatten, opaque, straight
from shapes import Floats
from sprites import Light, Sprite
from staging import Placed, Spot, least_seen, place
from stock import read_cut_out

from layerctl.photo import is_picture

EXTENTS, ALONE = (0.38, 0.6), (0.4, 0.8)
"""Longest side over the frame's, at least and at most: of one of several things, of one alone."""

MOST = 3
"""How many things a stack has at most."""

AROUND = 0.12
"""How far, in shares of the frame, centres are off the middle of a stack."""

SEEN = 0.12, 0.97
"""What shows at least of the thing that shows least, and at most: some of it is hidden."""

UNLIT = Light((0.0, 0.0, 1.0), 0.0, (1.0, 1.0, 1.0))
"""A photograph brings its light along."""


@dataclass(frozen=True, eq=False)
class Collection:
    """Cut-outs, premultiplied (h, w, 4), and backdrops, (h, w, 3), all in [0, 1]."""

    cutouts: tuple[Floats, ...]
    backdrops: tuple[Floats, ...]


def read_collection(cutouts: Path, backdrops: Path) -> Collection:
    """Return the pictures of two folders.

    Raises:
        FileNotFoundError: One of them holds none.
        ValueError: There are too few cut-outs for a stack.
    """
    if len(pictures(cutouts)) < MOST:
        raise ValueError(f"{cutouts}: a stack takes {MOST} cut-outs, and there are fewer")
    return Collection(
        tuple(read_cut_out(path) for path in pictures(cutouts)),
        tuple(
            np.asarray(Image.open(path).convert("RGB"), np.float32) / np.float32(255)
            for path in pictures(backdrops)
        ),
    )


def pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder in order.

    Raises:
        FileNotFoundError: There are none.
    """
    found = sorted(path for path in folder.iterdir() if is_picture(path))
    if not found:
        raise FileNotFoundError(f"{folder}: there is no picture in this folder")
    return found


def stack(rng: np.random.Generator, collection: Collection, count: int, side: int) -> Scene:
    """Return `count` things that hide parts of each other, before a backdrop, `side` pixels square.

    Raises:
        ValueError: There are fewer cut-outs than that.
    """
    while True:
        chosen = rng.choice(len(collection.cutouts), count, replace=False)
        centres = rng.uniform(0.35, 0.65, 2) + rng.normal(0, AROUND, (count, 2))
        spots = [upright(rng.uniform(*EXTENTS), *centre) for centre in centres]
        objects = [
            put(collection.cutouts[k], spot, side) for k, spot in zip(chosen, spots, strict=True)
        ]
        if SEEN[0] < least_seen(objects) < SEEN[1]:
            return composed(objects, ground(rng, collection, side))


def alone(rng: np.random.Generator, collection: Collection, number: int, side: int) -> Scene:
    """Return cut-out number `number` by itself, before a backdrop, `side` pixels square."""
    spot = upright(rng.uniform(*ALONE), *rng.uniform(0.42, 0.58, 2))
    objects = [put(collection.cutouts[number], spot, side)]
    return composed(objects, ground(rng, collection, side))


def upright(extent: float, x: float, y: float) -> Spot:
    """Return a place for a thing as it is, all of it in the frame."""
    return Spot(extent, 0.0, x, y, "hanging", whole=True)


def put(cutout: Floats, spot: Spot, side: int) -> Placed:
    """Return a cut-out in a frame of `side` pixels square."""
    scale = spot.extent * side / max(cutout.shape[:2])
    width, height = (max(1, round(scale * edge)) for edge in cutout.shape[1::-1])
    # Made smaller by area first: the warp into the frame would leave out pixels.
    shrunk = cv2.resize(cutout, (width, height), interpolation=cv2.INTER_AREA)
    return Placed(place(Sprite(shrunk, UNLIT), (side, side), spot), spot.pose)


def ground(rng: np.random.Generator, collection: Collection, side: int) -> Floats:
    """Return a random square of a random backdrop: (side, side, 3)."""
    picture = collection.backdrops[rng.integers(len(collection.backdrops))]
    edge = min(picture.shape[:2])
    top, left = (int(rng.integers(length - edge + 1)) for length in picture.shape[:2])
    square = picture[top : top + edge, left : left + edge]
    scaled: Floats = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
    return scaled


def composed(objects: Sequence[Placed], colour: Floats) -> Scene:
    """Return objects, back to front, before a backdrop (H, W, 3)."""
    things = [SceneLayer("product", straight(item.pixels)) for item in objects]
    layers = (SceneLayer("background", opaque(colour)), *things)
    return Scene(layers, flatten(layers))
