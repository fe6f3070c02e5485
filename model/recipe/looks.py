"""Scenes as the separator sees them: all of a scene, and something of it from near."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch.nn.functional as F
from masks import MULTIPLE, SHOWING, Example, Masks, draw_examples, gathered
from stream import SHAPES
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from layerctl_model.separator import REDUCTION

DRAWN = 2
"""How many times as large scenes are drawn as they are seen: from near there is more to see."""

AROUND = 0.05, 0.3
"""What is seen around a thing from near on each side, as shares of its longer side."""

NEAREST = 0.3
"""Share of the picture's shorter side that is looked at at least."""

ASTRAY = 0.05
"""Share of its side by which a look from near may miss the middle of what it is at."""

TOGETHER, PART = 0.4, 0.2
"""Shares of the looks from near that are at two things, and at a part of what they are at.

What was taken for one thing at first may be several, or less than one.
"""

CUTS = 0.3, 0.7
"""What such a part is of it at least, and at most."""


class LookBatches(IterableDataset[Masks]):
    """Batches of random scenes of one shape each, every second one from near."""

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
            yield from draw_looks(rng, self.batch, *draw_size(rng, self.side))


def look_stream(batch: int, seed: int, workers: int, side: int) -> Iterator[Masks]:
    """Yield batches made ahead of time by worker processes, which start with the first.

    Pictures have the area of a square of `side` pixels.
    """
    yield from DataLoader(
        LookBatches(batch, seed, side),
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
    )


def draw_size(rng: np.random.Generator, side: int) -> tuple[int, int]:
    """Return the height and width of a picture of about the area of a square of `side` pixels."""
    height, width = SHAPES[rng.integers(len(SHAPES))]
    eighth = side / 8 / MULTIPLE
    return MULTIPLE * round(height * eighth), MULTIPLE * round(width * eighth)


def draw_looks(
    rng: np.random.Generator, count: int, height: int, width: int
) -> tuple[Masks, Masks]:
    """Return so many random scenes, and something of each from near, in squares of that area."""
    side = MULTIPLE * round((height * width) ** 0.5 / MULTIPLE)
    examples = draw_examples(rng, count, DRAWN * height, DRAWN * width)
    near = [cropped(example, draw_crop(rng, example[2].float()), side) for example in examples]
    return gathered([resized(example, (height, width)) for example in examples]), gathered(near)


def draw_crop(rng: np.random.Generator, seen: Tensor) -> tuple[slice, slice]:
    """Return where to look from near, as a first look at what shows (K, h, w) might have it.

    Rows and columns of a square, in entries.
    """
    spans = draw_spans(rng, seen)
    whole = seen.shape[1:]
    longest = (1 + 2 * rng.uniform(*AROUND)) * max(end - start for start, end in spans)
    side = round(min(max(longest, NEAREST * min(whole)), min(whole)))
    first = [sum(span) / 2 + side * (rng.uniform(-ASTRAY, ASTRAY) - 0.5) for span in spans]
    row, column = (min(max(round(x), 0), n - side) for x, n in zip(first, whole, strict=True))
    return slice(row, row + side), slice(column, column + side)


def draw_spans(rng: np.random.Generator, seen: Tensor) -> list[tuple[int, int]]:
    """Return the rows and columns of a random thing of (K, h, w), of two, or of a part of those."""
    there = [k for k, mask in enumerate(seen) if mask.mean() > SHOWING]
    if not there:
        return [(0, seen.shape[1]), (0, seen.shape[2])]
    chosen = rng.permutation(there)[: 2 if rng.random() < TOGETHER else 1]
    shown = seen[chosen].amax(dim=0)
    places = (shown > shown.max() / 2).nonzero()
    spans = [(int(line.min()), int(line.max()) + 1) for line in places.T]
    if rng.random() < PART:
        axis = int(rng.integers(2))
        start, end = spans[axis]
        cut = round(start + (end - start) * rng.uniform(*CUTS))
        spans[axis] = (start, cut) if rng.random() < 0.5 else (cut, end)
    return spans


def cropped(example: Example, crop: tuple[slice, slice], side: int) -> Example:
    """Return a square of a scene, its rows and columns in entries, as a scene of `side` pixels."""
    picture, *masks = example
    rows, columns = (slice(REDUCTION * c.start, REDUCTION * c.stop) for c in crop)
    kinds, seen, whole = (mask[:, crop[0], crop[1]] for mask in masks)
    near = resized((picture[:, rows, columns], kinds, seen, whole), (side, side))
    picture, kinds, seen, whole = near
    there = seen.float().mean(dim=(1, 2), keepdim=True) > SHOWING
    return picture, kinds, seen * there, whole * there


def resized(example: Example, size: tuple[int, int]) -> Example:
    """Return a scene with a picture of (height, width)."""
    picture, *masks = example
    height, width = size
    kinds, seen, whole = (
        interpolated(mask, (height // REDUCTION, width // REDUCTION)).half() for mask in masks
    )
    # Rounding leaves white a little beyond 1.
    return interpolated(picture, size).clamp(-1, 1), kinds, seen, whole


def interpolated(planes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (C, H, W) with another height and width, in single precision."""
    return F.interpolate(planes.float()[None], size=size, mode="bilinear", antialias=True)[0]
