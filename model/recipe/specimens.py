"""Pictures whose layers are known: composed scenes, and cut-outs put on made backdrops."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from parts import Parts, flatten, gather
from scores import Mask

from layerctl.compositing import Bytes, Floats
from layerctl.photo import Photo, read_photo

SIDE = 1024
"""Longest side, in pixels, of a cut-out on a backdrop."""

FAINT = 0.1
"""Alpha below which a layer is taken for shadow or haze, whatever its colour."""

SHADOW_ALPHA = 0.5
SHADOW_LIGHT = 0.25
"""A pixel below this alpha is shadow if its brightest channel, of 1, is below this."""

ROUNDING = 2
"""Levels of 255 by which a scene may miss the sum of its layers, each rounded on its own."""

PLAIN = {"white": (255, 255, 255), "grey": (150, 150, 150), "terracotta": (196, 116, 88)}

STUDIO, ROOM = "scenes, studio backdrop", "scenes over rooms"
PUBLISHED = "published decompositions"
ON_PLAIN, ON_GRADIENT = "cut-outs on plain backdrops", "cut-outs on gradients"
GROUPS = (STUDIO, ROOM, PUBLISHED, ON_PLAIN, ON_GRADIENT)


@dataclass(frozen=True)
class Specimen:
    """A photo and its true parts, None where the given layers do not compose to it.

    `products` are the indices of the true things that are not text; `shadow` (H, W) is where a
    layer came with a shadow that no thing covers.
    """

    name: str
    group: str
    photo: Photo
    truth: Parts | None
    products: tuple[int, ...]
    shadow: Mask


def scenes(folders: Sequence[Path]) -> Iterator[Specimen]:
    """Yield the scenes of folders in either form; others are passed over.

    One form is flat.png and meta.json, which names the layers; the other is whole.png, bg.png and
    layer_0.png, layer_1.png and so on.
    """
    for folder in folders:
        if (folder / "meta.json").is_file():
            meta = json.loads((folder / "meta.json").read_bytes())
            files = [row["file"] for row in meta["layers_bottom_to_top"]]
            group = STUDIO if meta["kind"].startswith("studio") else ROOM
            yield _scene(folder / "flat.png", group, files)
        elif (folder / "whole.png").is_file():
            above = sorted(path.name for path in folder.glob("layer_*.png"))
            yield _scene(folder / "whole.png", PUBLISHED, ["bg.png", *above])


def _scene(path: Path, group: str, files: Sequence[str]) -> Specimen:
    layers = [read_photo(path.parent / file).pixels for file in files]
    products = tuple(k for k, file in enumerate(files[1:]) if "text" not in file)
    return _specimen((path.parent.name, group), read_photo(path), layers, products)


def on_backdrops(path: Path) -> Iterator[Specimen]:
    """Yield a cut-out, at most 1024 pixels a side, on three plain backdrops and two gradients."""
    cutout = _shrink(read_photo(path).pixels)
    for name, backdrop in backdrops(cutout.shape[:2]).items():
        photo = Photo(path, flatten(cutout.shape, [backdrop, cutout]))
        label = f"{path.stem} on {name}", ON_PLAIN if name in PLAIN else ON_GRADIENT
        yield _specimen(label, photo, [backdrop, cutout], (0,))


def backdrops(size: tuple[int, int]) -> dict[str, Bytes]:
    """Return opaque RGBA backdrops of (height, width), by name."""
    down, across = np.meshgrid(*(np.linspace(0, 1, side) for side in size), indexing="ij")
    spot = np.clip(np.hypot(down - 0.4, across - 0.5) / 0.8, 0, 1)
    made = {name: _blend(np.zeros(size), colour, colour) for name, colour in PLAIN.items()}
    made["sweep"] = _blend(down, (238, 240, 242), (146, 156, 172))
    made["spot"] = _blend(spot, (250, 236, 214), (120, 92, 84))
    return made


def product_alpha(layer: Bytes) -> Bytes:
    """Return the alpha (H, W) of a layer (H, W, 4) without the soft shadow that came with it."""
    alpha, light = layer[..., 3], layer[..., :3].max(axis=-1)
    dark = (alpha < SHADOW_ALPHA * 255) & (light < SHADOW_LIGHT * 255)
    kept: Bytes = np.where(dark | (alpha < FAINT * 255), 0, alpha).astype(np.uint8)
    return kept


def _specimen(
    label: tuple[str, str], photo: Photo, layers: Sequence[Bytes], products: tuple[int, ...]
) -> Specimen:
    shown = flatten(photo.pixels.shape, layers).astype(np.int16)
    if np.abs(shown - photo.pixels).max() > ROUNDING:
        return Specimen(*label, photo, None, products, np.zeros(shown.shape[:2], bool))
    things = [np.dstack([layer[..., :3], product_alpha(layer)]) for layer in layers[1:]]
    truth = gather(layers[0][..., :3], things)
    # A shadow that falls on another product is part of how that one looks.
    seen = gather(layers[0][..., :3], layers[1:]).colour
    given = np.max([layer[..., 3] for layer in layers[1:]], axis=0)
    shadow = (given > 0) & (truth.union == 0)
    return Specimen(*label, photo, replace(truth, colour=seen), products, shadow)


def _blend(share: Floats, start: Sequence[int], end: Sequence[int]) -> Bytes:
    colour = share[..., None] * np.subtract(end, start) + np.array(start)
    opaque = np.full((*share.shape, 1), 255)
    made: Bytes = np.rint(np.concatenate([colour, opaque], axis=-1)).astype(np.uint8)
    return made


def _shrink(cutout: Bytes) -> Bytes:
    """Return the cut-out at most `SIDE` pixels a side, colours weighted by alpha."""
    height, width = cutout.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return cutout
    weighted = cutout.astype(np.float32)
    weighted[..., :3] *= weighted[..., 3:] / 255
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(weighted, size, interpolation=cv2.INTER_AREA)
    small[..., :3] /= np.maximum(small[..., 3:], 1e-6) / 255
    levels: Bytes = np.rint(np.clip(small, 0, 255)).astype(np.uint8)
    return levels
