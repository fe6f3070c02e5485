"""Batches for a GPU: scenes put together there of parts that worker processes draw all the time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import cv2
import numpy as np
import torch
from assembly import assemble, assemble_near
from looks import draw_looks, draw_size
from masks import SIDE, Masks
from props import Pool, Props, draw_props
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

THINGS, GROUNDS, WORDS = 64, 16, 8
"""How many parts of each kind come at once."""

DRAWERS = 3
"""One worker in so many draws whole scenes, which have what assembled ones lack: mirrors, JPEG."""

DRAWN = 0.15
"""Share of the batches that are whole scenes."""

NEAR = 0.5
"""Share of the others that are seen from near, as of whole scenes every second one is."""

MEMORY_BATCHES = 24
"""How many batches of whole scenes are kept, to be seen again."""

ENOUGH = 1000
"""Things to have before the first scene is put together."""


class Supplies(IterableDataset["Props | Masks"]):
    """What worker processes draw without end: some whole scenes, the others parts."""

    def __init__(self, batch: int, seed: int) -> None:
        super().__init__()
        self.batch = batch
        self.seed = seed

    def __iter__(self) -> Iterator[Props | Masks]:
        """Yield one kind for ever; workers and restarts draw from different seeds."""
        worker = get_worker_info()
        if not worker:
            raise RuntimeError("supplies are drawn by worker processes")
        cv2.setNumThreads(1)  # the workers share the cores already
        rng = np.random.default_rng([self.seed, worker.id])
        while worker.id % DRAWERS:
            yield draw_props(rng, THINGS, GROUNDS, WORDS)
        while True:
            yield from draw_looks(rng, self.batch, *draw_size(rng, SIDE))


class Store:
    """What the workers have brought to a device: parts, and batches of whole scenes."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.pool = Pool(device)
        self.scenes = deque[Masks](maxlen=MEMORY_BATCHES)

    def put(self, supply: Props | Masks) -> None:
        """Keep what a worker brought."""
        if isinstance(supply, Props):
            self.pool.put(supply)
        else:
            self.scenes.append(supply.to(self.device))

    def draw(self, rng: np.random.Generator, batch: int) -> Masks:
        """Return one of the batches of whole scenes, or a new one put together from parts.

        Half of either are seen from near.
        """
        if self.scenes and rng.random() < DRAWN:
            return self.scenes[rng.integers(len(self.scenes))]
        put_together = assemble_near if rng.random() < NEAR else assemble
        return put_together(self.pool, batch, draw_size(rng, SIDE))

    @property
    def ready(self) -> bool:
        """Whether there is enough to draw from."""
        return len(self.pool) >= ENOUGH


def supplied(batch: int, seed: int, workers: int, device: torch.device) -> Iterator[Masks]:
    """Yield batches on a device, new ones as fast as they are wanted.

    Args:
        batch: Scenes in each.
        seed: Of what is drawn.
        workers: How many processes draw, two at least.
        device: Where scenes are put together.
    """
    store, ended, rng = Store(device), Event(), np.random.default_rng(seed)
    # A fork would inherit locks of the threads that drew scenes here before, and wait for them.
    loader = DataLoader(
        Supplies(batch, seed),
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="spawn",
        in_order=False,
    )

    def unpack() -> None:
        for supply in loader:
            store.put(supply)
            if ended.is_set():
                return

    with ThreadPoolExecutor(1) as executor:
        unpacking = executor.submit(unpack)
        try:
            while True:
                if unpacking.done():
                    unpacking.result()
                if store.ready:
                    yield store.draw(rng, batch)
                else:
                    time.sleep(0.1)
        finally:
            ended.set()
