"""One thing to a layer: what a model draws twice is joined, what it draws together is parted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl.compositing import Floats
from layerctl.document import Role

TWINS = 0.4
"""Share of the smaller of two layers that the other must repeat for them to be one thing."""

ALIKE = 0.15
"""Difference of colours, in [0, 1], up to which two layers agree on what they show."""

PART = 0.2
"""Share of the largest thing's alpha that another one must have to itself."""

SURE = 0.65
"""Mean alpha of a thing that a model is sure of."""

GHOST = 0.5
"""Mean alpha up to which something by itself is nothing."""

BESIDE = 0.1
"""Share of a part that is on its thing or right beside it."""

THERE = 0.3
"""Alpha from which a model shows a part of a thing."""

GAP = 0.02
"""Distance, as a share of the longest side, from which parts do not belong together."""

OWN = 0.012
"""Share of the canvas from which a part by itself is a thing of its own."""

LEAST = 0.15
"""Share of its layer from which it is: smaller ones are parts and trimmings of the others."""


def united(
    layers: Sequence[Floats], roles: Sequence[Role], *, parts: bool
) -> tuple[list[Floats], list[Role]]:
    """Return layers in their order, with what is drawn twice, or in parts, joined.

    Args:
        layers: Each (h, w, 4) straight RGBA in [0, 1], bottom first.
        roles: What each of them is.
        parts: Whether what is small or faint beside a thing belongs to that, and what is faint and
            by itself is nothing: such a model draws what it is sure of large and dense. Text may
            be small.
    """
    masses = [float(layer[..., 3].sum()) for layer in layers]
    things = [k for k, role in enumerate(roles) if role in ("product", "text")]
    least = PART * max((masses[k] for k in things), default=0.0)
    whole: dict[int, Floats] = {}
    for k in sorted(things, key=lambda k: -masses[k]):
        host = _twin(layers[k], whole)
        if parts and host is None:
            host = _host(layers[k], whole, 0 if roles[k] == "text" else least)
        if host is not None:
            whole[host] = joined(whole[host], layers[k])
        elif not (parts and whole) or _density(layers[k]) > GHOST:
            whole[k] = layers[k]
    kept = [k for k in range(len(layers)) if k in whole or k not in things]
    return [whole.get(k, layers[k]) for k in kept], [roles[k] for k in kept]


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


def _twin(thing: Floats, whole: Mapping[int, Floats]) -> int | None:
    """Return which of the whole things is the same: one goes on where the other is, alike."""
    mass = float(thing[..., 3].sum())
    agreed = {k: _agreed(thing, one) / mass for k, one in whole.items()} if mass else {}
    return next((k for k, share in agreed.items() if share > TWINS), None)


def _host(thing: Floats, whole: Mapping[int, Floats], least: float) -> int | None:
    """Return which of the whole things another one is a part of, if it is no thing itself.

    A thing has `least` alpha in all, or more, where that other one is not or looks otherwise.
    """
    shares = {k: _share_beside(thing, one) for k, one in whole.items()}
    host = max(shares, key=lambda k: shares[k], default=None)
    if host is None or shares[host] <= BESIDE:
        return None
    own = float(thing[..., 3].sum()) - _agreed(thing, whole[host])
    return host if _density(thing) < SURE or own < least else None


def _density(thing: Floats) -> float:
    """Return the mean alpha of a layer where it is, each pixel counted by its alpha."""
    alpha = thing[..., 3]
    return float(np.square(alpha).sum() / max(float(alpha.sum()), 1e-6))


def _share_beside(thing: Floats, other: Floats) -> float:
    """Return the share of a layer that is on another one or right beside it."""
    reach = 2 * round(GAP * max(other.shape)) + 1
    near = cv2.dilate(other[..., 3], np.ones((reach, reach), np.uint8))
    alpha = thing[..., 3]
    return float(np.minimum(alpha, near).sum() / max(float(alpha.sum()), 1e-6))


def _agreed(one: Floats, other: Floats) -> float:
    """Return the alpha that two layers share where they are of one colour."""
    both = np.minimum(one[..., 3], other[..., 3])
    alike = np.abs(one[..., :3] - other[..., :3]).mean(axis=-1) < ALIKE
    return float(both[alike].sum())


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
