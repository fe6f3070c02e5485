"""One thing to a layer: what a model draws twice is joined, what it draws together is parted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl.compositing import Floats
from layerctl.document import Role

TWINS = 0.6
"""Share of the smaller of two layers that the other must cover for them to be one thing."""

ALIKE = 0.15
"""Mean difference of colours, in [0, 1], up to which two layers agree on what they show."""

THERE = 0.3
"""Alpha from which a model shows a part of a thing."""

GAP = 0.02
"""Distance, as a share of the longest side, from which parts do not belong together."""

OWN = 0.012
"""Share of the canvas from which a part by itself is a thing of its own."""

LEAST = 0.15
"""Share of its layer from which it is: smaller ones are parts and trimmings of the others."""


def find_twin(layer: Floats, others: Iterable[Floats]) -> int | None:
    """Return which of the others, (h, w, 4) as the layer, draws the same thing, if one does."""
    return next((k for k, other in enumerate(others) if _twins(other, layer)), None)


def joined(first: Floats, second: Floats) -> Floats:
    """Return one layer with all that two have of a thing, straight RGBA as they are."""
    one, two = first[..., 3:], second[..., 3:]
    colour = (one * first[..., :3] + two * second[..., :3]) / np.maximum(one + two, 1e-6)
    return np.concatenate([colour, np.minimum(one + two, 1)], axis=-1)


def part(
    layers: Sequence[Floats], roles: Sequence[Role], most: int
) -> tuple[list[Floats], list[Role]]:
    """Return layers whose products have come apart where they stand clear of each other.

    Args:
        layers: Each (h, w, 4) straight RGBA in [0, 1], bottom first.
        roles: What each of them is.
        most: How many layers there may be in the end; the largest things go first.
    """
    room, parted, named = most - len(layers), [], []
    for layer, role in zip(layers, roles, strict=True):
        things = _things(layer, room + 1) if role == "product" else [layer]
        room -= len(things) - 1
        parted += things
        named += [role] * len(things)
    return parted, named


def _twins(below: Floats, above: Floats) -> bool:
    """Whether two layers draw the same thing: one goes on where the other is, in its colours."""
    both = np.minimum(below[..., 3], above[..., 3])
    smaller = min(below[..., 3].sum(), above[..., 3].sum())
    apart = np.abs(below[..., :3] - above[..., :3]).mean(axis=-1)
    return bool(both.sum() > TWINS * smaller and (apart * both).sum() < ALIKE * both.sum())


def _things(layer: Floats, most: int) -> list[Floats]:
    """Return the layer as at most so many, one for each thing in it, from left to right."""
    alpha = layer[..., 3]
    reach = 2 * round(GAP * max(alpha.shape) / 2) + 1
    near = cv2.dilate((alpha > THERE).astype(np.uint8), np.ones((reach, reach), np.uint8))
    count, labels = cv2.connectedComponents(near)
    sizes = [float(alpha[labels == label].sum()) for label in range(1, count)]
    least = max(OWN * alpha.size, LEAST * float(alpha.sum()))
    large = sorted(range(1, count), key=lambda label: -sizes[label - 1])[:most]
    own = [label for label in large if sizes[label - 1] >= least]
    if len(own) < 2:
        return [layer]
    own.sort(key=lambda label: float(np.nonzero(labels == label)[1].mean()))
    away = [
        cv2.distanceTransform((labels != label).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        for label in own
    ]
    nearest = np.argmin(away, axis=0)
    return [_only(layer, nearest == place) for place in range(len(own))]


def _only(layer: Floats, where: NDArray[np.bool_]) -> Floats:
    kept = layer.copy()
    kept[..., 3] *= where
    return kept
