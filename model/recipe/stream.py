"""An endless stream of training batches, made in worker processes from numbered seeds."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2
import numpy as np
import torch
from scenes import frames, make_scene
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

SIDE = 256
"""Height and width of square training pictures in pixels."""

SHAPES = ((8, 8), (8, 8), (6, 10), (10, 6), (7, 9), (9, 7))
"""Heights and widths of training pictures, in eighths of `SIDE`: nearly equal areas."""

T = TypeVar("T")

LAYERS = (2, 3, 4, 5, 5, 6, 6, 6)
"""How many layers a batch is taken apart into; the larger counts leave every product its own."""


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
        if worker:
            cv2.setNumThreads(1)  # the workers share the cores already
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            layers = int(rng.choice(LAYERS))
            height, width = (n * SIDE // 8 for n in SHAPES[rng.integers(len(SHAPES))])
            yield torch.stack([draw(rng, layers, height, width) for _ in range(self.batch)])


def draw(rng: np.random.Generator, layers: int, height: int, width: int) -> Tensor:
    """Return one random scene as (N + 1, 4, H, W) in [-1, 1]."""
    pictures = frames(make_scene(rng, height, width), layers)
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().mul(2).sub(1)


def stream(batch: int, seed: int, workers: int) -> Iterator[Tensor]:
    """Return batches made ahead of time by worker processes."""
    # A fork would inherit locks of the threads that drew scenes here before, and wait for them.
    context = "spawn" if workers else None
    loader = DataLoader(
        SceneBatches(batch, seed),
        batch_size=None,
        num_workers=workers,
        multiprocessing_context=context,
    )
    return iter(loader)


def ahead(items: Iterator[T], count: int = 2) -> Iterator[T]:
    """Yield the items of an endless iterator, made by a thread so many ahead of their use."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, items) for _ in range(count))
        while True:
            waiting.append(pool.submit(next, items))
            yield waiting.popleft().result()


def recall(batches: Iterator[T], most: int, uses: int) -> Iterator[T]:
    """Yield each batch now, and older ones from memory in between: scenes cost more than steps.

    Args:
        batches: An endless stream.
        most: How many batches are kept.
        uses: How often a batch is seen, on average.
    """
    memory: list[T] = []
    for batch in batches:
        memory.append(batch)
        if len(memory) > most:
            memory.pop(random.randrange(most))  # noqa: S311 - not a secret
        yield batch
        for _ in range(uses - 1):
            yield random.choice(memory)  # noqa: S311
