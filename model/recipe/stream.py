"""An endless stream of training batches, made in worker processes from numbered seeds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scenes import frames, make_scene
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

SHAPES = ((128, 128), (128, 128), (96, 160), (160, 96))
"""Heights and widths of training pictures: nearly the same number of tokens each."""

LAYERS = (2, 3, 4, 4, 5, 6)
"""How many layers a batch is taken apart into; the shipped default comes up most often."""


class SceneBatches(IterableDataset[Tensor]):
    """Batches of (B, N + 1, 4, H, W) in [-1, 1]: the photo, then N layers bottom first.

    All scenes of a batch share the number of layers and the shape, so that tokens line up.
    """

    def __init__(self, batch: int, seed: int) -> None:
        super().__init__()
        self.batch = batch
        self.seed = seed

    def __iter__(self) -> Iterator[Tensor]:
        """Yield batches for ever; workers and restarts draw from different seeds."""
        worker = get_worker_info()
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            layers = int(rng.choice(LAYERS))
            height, width = SHAPES[rng.integers(len(SHAPES))]
            yield torch.stack([draw(rng, layers, height, width) for _ in range(self.batch)])


def draw(rng: np.random.Generator, layers: int, height: int, width: int) -> Tensor:
    """Return one random scene as (N + 1, 4, H, W) in [-1, 1]."""
    pictures = frames(make_scene(rng, height, width), layers)
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().mul(2).sub(1)


def stream(batch: int, seed: int, workers: int) -> Iterator[Tensor]:
    """Return batches made ahead of time by worker processes."""
    loader = DataLoader(SceneBatches(batch, seed), batch_size=None, num_workers=workers)
    return iter(loader)
