"""Scenes as the separator learns from them: where each product shows, and where it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch
from scenes import Scene, make_scene
from shapes import Floats
from stream import SHAPES
from stream import SIDE as LAYERS_SIDE
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from layerctl_model.separator import KINDS, REDUCTION

SCALE = 1.25
"""How many times as large as the transformer the separator sees a picture."""

SIDE = round(SCALE * LAYERS_SIDE)
"""Height and width of square pictures in pixels."""

CLOSER = 1.75
"""How many times as large it sees one again, only to say what pixels show."""

MOST = 4
"""How many products a scene has at most."""

MULTIPLE = 16
"""What the sides of a picture are multiples of: the coarsest scale of the separator."""

FEW = 0.6
"""Share that is kept of the scenes with less than two products, which only must stay whole."""

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


class MaskBatches(IterableDataset[Masks]):
    """Batches of random scenes of one shape each."""

    def __init__(self, batch: int, seed: int, side: int) -> None:
        super().__init__()
        self.batch = batch
        self.seed = seed
        self.side = side

    def __iter__(self) -> Iterator[Masks]:
        """Yield batches for ever; workers and restarts draw from different seeds."""
        worker = get_worker_info()
        if worker:
            cv2.setNumThreads(1)  # the workers share the cores already
        rng = np.random.default_rng([self.seed, worker.id if worker else 0, self.side])
        while True:
            yield draw_masks(rng, self.batch, *draw_size(rng, self.side))


def draw_size(rng: np.random.Generator, side: int) -> tuple[int, int]:
    """Return the height and width of a picture of about the area of a square of `side` pixels."""
    height, width = SHAPES[rng.integers(len(SHAPES))]
    eighth = side / 8 / MULTIPLE
    return MULTIPLE * round(height * eighth), MULTIPLE * round(width * eighth)


def mask_stream(batch: int, seed: int, workers: int, side: int) -> Iterator[Masks]:
    """Yield batches made ahead of time by worker processes, which start with the first.

    Pictures have the area of a square of `side` pixels.
    """
    yield from DataLoader(
        MaskBatches(batch, seed, side),
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
    )


def draw_masks(rng: np.random.Generator, count: int, height: int, width: int) -> Masks:
    """Return so many random scenes, those with something to part preferred."""
    drawn = []
    while len(drawn) < count:
        scene = make_scene(rng, height, width)
        products = sum(layer.role == "product" for layer in scene.layers)
        if products > 1 or rng.random() < FEW:
            drawn.append(masks_of(scene))
    return Masks(*(torch.stack(parts) for parts in zip(*drawn, strict=True)))


def masks_of(scene: Scene) -> tuple[Tensor, Tensor, Tensor, Tensor]:
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
