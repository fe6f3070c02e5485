"""An endless stream of training batches, made in worker processes from numbered seeds."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from scenes import frames, make_scene
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

SHAPES = ((8, 8), (8, 8), (6, 10), (10, 6), (7, 9), (9, 7))
"""Heights and widths of training pictures, in eighths of `side`: nearly equal areas."""

LAYERS = (2, 3, 4, 4, 5, 5, 6, 6, 6)
"""How many layers a batch is taken apart into; the larger counts leave every product its own."""


class SceneBatches(IterableDataset[Tensor]):
    """Batches of (B, N + 1, 4, H, W) in [-1, 1]: the photo, then N layers bottom first.

    All scenes of a batch share the number of layers and the shape, so that tokens line up.
    `side` is the height and width of the square ones in pixels, a multiple of 128.
    """

    def __init__(self, batch: int, seed: int, side: int) -> None:
        super().__init__()
        self.batch = batch
        self.seed = seed
        self.side = side

    def __iter__(self) -> Iterator[Tensor]:
        """Yield batches for ever; workers and restarts draw from different seeds."""
        worker = get_worker_info()
        if worker:
            cv2.setNumThreads(1)  # the workers share the cores already
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            layers = int(rng.choice(LAYERS))
            height, width = (n * self.side // 8 for n in SHAPES[rng.integers(len(SHAPES))])
            yield torch.stack([draw(rng, layers, height, width) for _ in range(self.batch)])


def draw(rng: np.random.Generator, layers: int, height: int, width: int) -> Tensor:
    """Return one random scene as (N + 1, 4, H, W) in [-1, 1]."""
    pictures = frames(make_scene(rng, height, width), layers)
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().mul(2).sub(1)


def stream(batch: int, seed: int, workers: int, side: int = 128) -> Iterator[Tensor]:
    """Return batches made ahead of time by worker processes."""
    loader = DataLoader(SceneBatches(batch, seed, side), batch_size=None, num_workers=workers)
    return iter(loader)
