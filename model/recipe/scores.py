"""How near found layers are to the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from parts import Parts

from layerctl.compositing import Bytes, Floats

SEEN = 0.5
"""True alpha from which the things' colour is compared."""

HIDDEN = 0.95
"""True alpha from which the backdrop counts as hidden."""

OWN = 0.5
"""Soft IoU from which a thing counts as having a layer of its own."""

Mask: TypeAlias = NDArray[np.bool_]

NOT_APPLICABLE = float("nan")


@dataclass(frozen=True)
class Scores:
    """One picture's scores, or their mean over several; nan where one does not apply.

    `iou` and `mae` compare the alpha of all things together; `unshaded` is the IoU without the
    pixels that show a shadow, which tells a bad outline from a shadow kept. `visible` is the colour
    error of the things where they are seen, `hidden` that of the backdrop behind them (means over
    pixels and channels, of 1). `each` is the mean IoU of single things, `merges` the found layers
    put together for it beyond one a thing, `apart` 1 if every product has a layer of its own,
    `spread` over how many layers a single thing is.
    """

    iou: float
    unshaded: float
    mae: float
    visible: float
    hidden: float
    each: float
    merges: float
    apart: float
    spread: float


class Run(NamedTuple):
    """So many found layers, taken together for a true thing, and their IoU with it."""

    thing: int
    overlap: float
    length: int


def score(truth: Parts, found: Parts, products: Sequence[int], shadow: Mask) -> Scores:
    """Return the scores of one picture.

    Args:
        truth: The parts as they are.
        found: The parts as a method sees them.
        products: Which of the true things are products, not text.
        shadow: (H, W), where a shadow of the things is seen.
    """
    alpha, guess = truth.union, found.union
    runs = match(truth.alphas, found.alphas)
    overlaps = [overlap for overlap, _ in runs]
    return Scores(
        iou=soft_iou(alpha, guess),
        unshaded=soft_iou(alpha * ~shadow, guess * ~shadow),
        mae=float(np.abs(alpha - guess).mean()),
        visible=_visible_error(truth, found, alpha > SEEN),
        hidden=_mean(np.abs(truth.backdrop - found.backdrop)[alpha > HIDDEN]),
        each=_mean(np.array(overlaps)),
        merges=float(sum(max(0, length - 1) for _, length in runs)),
        apart=_apart([overlaps[k] for k in products]),
        spread=float(len(found.alphas)) if len(truth.alphas) == 1 else NOT_APPLICABLE,
    )


def soft_iou(first: Floats, second: Floats) -> float:
    """Return sum min / sum max of two alphas; 1 where both are empty."""
    either = np.maximum(first, second).sum(dtype=np.float64)
    return float(np.minimum(first, second).sum(dtype=np.float64) / either) if either else 1.0


def match(truth: Floats, found: Floats) -> tuple[tuple[float, int], ...]:
    """Return for each true thing the IoU with its found layers, and how many they are.

    Things take runs of neighbouring layers, in order from the bottom, none twice; a run counts as
    one merged layer. Of all such assignments the one of the highest summed IoU is taken, of equal
    ones that with the fewest layers. This is the protocol of LayerD (Suzuki et al., 2025) in
    small: order kept and neighbours merged, at a count of the merges. Things that do not touch
    have no order to keep.

    Args:
        truth: (T, H, W) alphas, bottom first.
        found: (K, H, W) alphas, bottom first.
    """
    overlaps, below = _run_overlaps(truth, found), _below(truth)

    @cache
    def best(placed: frozenset[int], start: int) -> tuple[Run, ...]:
        options: list[tuple[Run, ...]] = []
        for thing in set(range(len(truth))) - placed:
            if below[thing] <= placed:
                now = placed | {thing}
                options.append((Run(thing, 0.0, 0), *best(now, start)))
                options += [
                    (Run(thing, overlaps[thing, first, last], last - first), *best(now, last))
                    for first in range(start, len(found))
                    for last in range(first + 1, len(found) + 1)
                ]
        return max(options, key=_worth, default=())

    return tuple((run.overlap, run.length) for run in sorted(best(frozenset(), 0)))


def _below(truth: Floats) -> list[set[int]]:
    """Return for each thing those that it hides a part of: what touches has an order."""
    solid = truth.reshape(len(truth), -1) > SEEN
    return [
        {lower for lower in range(upper) if (solid[lower] & solid[upper]).any()}
        for upper in range(len(truth))
    ]


def _run_overlaps(truth: Floats, found: Floats) -> dict[tuple[int, int, int], float]:
    """Return the IoU of thing t and found layers i to j - 1 together, by (t, i, j)."""
    overlaps = {}
    for first in range(len(found)):
        clear = np.ones(found.shape[1:], np.float32)
        for last in range(first, len(found)):
            clear *= 1 - found[last]
            for thing, alpha in enumerate(truth):
                overlaps[thing, first, last + 1] = soft_iou(alpha, 1 - clear)
    return overlaps


def _worth(runs: tuple[Run, ...]) -> tuple[float, int]:
    return sum(run.overlap for run in runs), -sum(run.length for run in runs)


def _visible_error(truth: Parts, found: Parts, where: Mask) -> float:
    """Return the colour error of the found things put on black and on white, averaged.

    Where nothing was found the error is 0.5 whatever the colour, so that leaving a black product
    out costs as much as leaving out a white one.
    """
    alpha, colour = found.union[where][:, None], found.colour[where]
    true = truth.colour[where]
    on_black, on_white = alpha * colour, alpha * colour + 1 - alpha
    return _mean((np.abs(on_black - true) + np.abs(on_white - true)) / 2)


def _apart(overlaps: Sequence[float]) -> float:
    return float(min(overlaps) > OWN) if len(overlaps) > 1 else NOT_APPLICABLE


def _mean(values: Floats) -> float:
    return float(values.mean(dtype=np.float64)) if values.size else NOT_APPLICABLE


def mean(scores: Sequence[Scores]) -> Scores:
    """Return the mean of each score over the pictures to which it applies."""
    columns = np.array([astuple(one) for one in scores], np.float64).T
    return Scores(*(_mean(column[~np.isnan(column)]) for column in columns))


def difference(shown: Bytes, photo: Bytes) -> tuple[int, float]:
    """Return the largest difference in levels of 255, alpha included, and how many pixels differ.

    The second is a share of all pixels.
    """
    apart = np.abs(shown.astype(np.int16) - photo).max(axis=-1)
    return int(apart.max()), float((apart > 0).mean())
