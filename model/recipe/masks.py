"""Scenes as the separator learns from them: where each product shows, and where it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import cv2
import numpy as np
import torch
from lens import photographed
from scenes import Arrange, Scene, make_scene
from shapes import Floats
from staging import arrange, one_large, stacked
from stream import SIDE as LAYERS_SIDE
from torch import Tensor

from layerctl_model.separator import KINDS, REDUCTION

SCALE = 1.25
"""How many times as large as the transformer the separator sees a picture."""

SIDE = round(SCALE * LAYERS_SIDE)
"""Height and width of square pictures in pixels."""

CLOSER = 1.75
"""How many times as large it sees one again, only to say what pixels show."""

FINEST = 2.5
"""How many times as large it sees one at last, only to say where exactly things end."""

MOST = 4
"""How many products a scene has at most."""

MULTIPLE = 16
"""What the sides of a picture are multiples of: the coarsest scale of the separator."""

FEW = 0.6
"""Share that is kept of the scenes with less than two products, which only must stay whole."""

ARRANGEMENTS: tuple[tuple[Arrange, float], ...] = (
    (arrange, 0.5), (stacked, 0.33), (one_large, 0.17)
)  # fmt: skip
"""How objects are placed, and how often: most things a shop shows are alone, or hide each other."""

SHOWING = 0.002
"""Share of the picture that a product must show to be asked for."""


@dataclass(frozen=True, eq=False)
class Masks:
    """A batch of pictures and what is in them; masks in [0, 1] are `REDUCTION` times smaller.

    `pictures` is (B, 4, H, W) in [-1, 1], `kinds` (B, 3, h, w). `seen` and `whole` are
    (B, MOST, h, w): what shows of each product, and all of it, back to front, clear where there are
    fewer.
    """

    pictures: Tensor
    kinds: Tensor
    seen: Tensor
    whole: Tensor

    def to(self, device: torch.device) -> Masks:
        """Return them on a device, in single precision."""
        pictures = self.pictures.to(device, memory_format=torch.channels_last)
        rest = (x.to(device).float() for x in (self.kinds, self.seen, self.whole))
        return Masks(pictures, *rest)

    def mirrored(self) -> Masks:
        """Return them as in a mirror."""
        return Masks(*(getattr(self, field.name).flip(-1) for field in fields(self)))


Example: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor]
"""One scene of `Masks`."""


def draw_masks(rng: np.random.Generator, count: int, height: int, width: int) -> Masks:
    """Return so many random scenes, those with something to part preferred."""
    return gathered(draw_examples(rng, count, height, width))


def draw_examples(rng: np.random.Generator, count: int, height: int, width: int) -> list[Example]:
    """Return so many random scenes, those with something to part preferred."""
    drawn: list[Example] = []
    while len(drawn) < count:
        scene = make_scene(rng, height, width, draw_arrangement(rng))
        products = sum(layer.role == "product" for layer in scene.layers)
        if products > 1 or rng.random() < FEW:
            seen = replace(scene, photo=photographed(rng, scene.photo))
            drawn.append(masks_of(seen))
    return drawn


def draw_arrangement(rng: np.random.Generator) -> Arrange:
    """Return how the objects of a scene are placed."""
    arrangements, shares = zip(*ARRANGEMENTS, strict=True)
    arrangement: Arrange = arrangements[rng.choice(len(arrangements), p=shares)]
    return arrangement


def gathered(examples: Sequence[Example]) -> Masks:
    """Return scenes of one size as a batch."""
    return Masks(*(torch.stack(parts) for parts in zip(*examples, strict=True)))


def masks_of(scene: Scene) -> Example:
    """Return a scene's picture, kinds, and what shows and what there is of each product."""
    above = [layer for layer in scene.layers if layer.role in ("product", "text")]
    clear = np.ones(scene.photo.shape[:2], np.float32)
    seen: list[Floats] = []
    for layer in reversed(above):
        seen.insert(0, layer.pixels[..., 3] * clear)
        clear = clear * (1 - layer.pixels[..., 3])
    small = [smaller(mask) for mask in seen]
    kinds = np.zeros((len(KINDS), *smaller(clear).shape), np.float32)
    for layer, mask in zip(above, small, strict=True):
        kinds[KINDS.index(layer.role)] += mask
    kinds[0] = 1 - kinds[1:].sum(axis=0)
    shares = np.zeros((2, MOST, *kinds.shape[1:]), np.float32)
    products = [k for k, layer in enumerate(above) if layer.role == "product"]
    showing = [k for k in products if small[k].mean() > SHOWING][-MOST:]
    for place, k in enumerate(showing):
        shares[:, place] = small[k], smaller(above[k].pixels[..., 3])
    picture = torch.from_numpy(scene.photo.astype(np.float32)).permute(2, 0, 1) * 2 - 1
    rest = (torch.from_numpy(part).half() for part in (kinds, *shares))
    return picture, *rest


def smaller(mask: Floats) -> Floats:
    """Return a mask at the size of the separator's fields."""
    height, width = mask.shape
    size = width // REDUCTION, height // REDUCTION
    shrunk: Floats = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    return np.clip(shrunk, 0, 1)
