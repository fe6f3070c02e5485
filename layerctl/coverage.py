"""What the background does not show has to be in front of it.

A model in doubt about which of its layers a thing belongs to gives it to none of them, and takes it
out of the background all the same. The photo tells: where it is neither what the layers show nor
the background in shadow or a light shade, something covers it, and that is the nearest thing.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl import channels
from layerctl.compositing import Floats, weights
from layerctl.document import Role

SHADE = 0.85
"""Share of the background's light that a faint shadow leaves at least."""

NEAR, FAR = 0.03, 0.1
"""Differences of colour, in [0, 1], up to which a pixel is background, and from which it is not."""

SAME, OTHER = 0.02, 0.06
"""Differences up to which the layers explain a pixel, and from which they do not."""

ROUGH = 4
"""Times the median difference of what nothing covers, up to which a model redraws roughly."""

SURE = 0.3
"""Alpha from which a pixel is a thing's own, for finding the nearest one."""

GATHER = 0.05
"""Gap, as a share of the longest side, over which letters make a word and words a line."""

BESIDE = 0.03
"""Distance, as a share of the longest side, up to which something belongs to a thing."""

REACH = 0.06
"""Distance, as a share of the longest side, up to which a thing can have been missed."""

STARK = 0.25
"""Mean difference from the background, in [0, 1], from which something alone is a thing."""

RING = 0.07
"""Width of the ring around things, as a share of the longest side, that does not count as bare."""


def complete(
    layers: Floats,
    roles: Sequence[Role],
    picture: Floats,
    least: float,
    most: int,
    possible: Floats | float = 1.0,
) -> Floats:
    """Return the layers with their things grown over all near them that the background is not.

    What differs starkly and is near nothing becomes a layer of its own, above the others.

    Args:
        layers: (K, h, w, 4) straight RGBA in [0, 1], bottom first, the lowest the background.
        roles: What each of them is.
        picture: (h, w, 4), what the model saw.
        least: Share of the canvas from which something that is near nothing gets a layer.
        most: How many layers there may be in the end.
        possible: (h, w) in [0, 1], how much of what seems to be there may be a thing.
    """
    unseen = uncovered(layers, roles, picture) * possible
    things = [k for k, role in enumerate(roles) if role not in ("background", "shadow")]
    nothing = np.zeros_like(layers[0])
    if not things:
        found = [_grown(nothing, picture, unseen)] if unseen.mean() >= least else []
        return np.concatenate([layers, *(one[None] for one in found)])
    apart = channels.largest(np.abs(picture[..., :3] - layers[0, ..., :3]))
    near, far = _parted(unseen, layers[things, ..., 3].max(axis=0), apart)
    nearest = _nearest(layers[things, ..., 3])
    grown = layers.copy()
    for place, k in enumerate(things):
        grown[k] = _grown(layers[k], picture, np.where(nearest == place, near, 0))
    large = sorted((one for one in far if one.mean() >= least), key=lambda one: -float(one.sum()))
    found = [_grown(nothing, picture, one) for one in large[: most - len(layers)]]
    return np.concatenate([grown, *(one[None] for one in found)])


def uncovered(layers: Floats, roles: Sequence[Role], picture: Floats) -> Floats:
    """Return how surely each pixel is covered though no layer says so: (h, w) in [0, 1]."""
    seen = picture[..., :3]
    shadows = [k for k, role in enumerate(roles) if role == "shadow"]
    darkest = SHADE * np.prod(1 - layers[shadows, ..., 3], axis=0)
    apart = _apart(seen, layers[0, ..., :3], darkest)
    things = [k for k, role in enumerate(roles) if role not in ("background", "shadow")]
    alphas = np.concatenate([np.ones_like(layers[:1, ..., 3]), layers[things, ..., 3]])
    union = 1 - weights(alphas)[0]
    noise = _noise(apart, union)
    unlike = channels.largest(np.abs(seen - _composed(layers)))
    sure = np.minimum(
        (apart - NEAR - noise) / (FAR - NEAR), (unlike - SAME - noise) / (OTHER - SAME)
    ).clip(0, 1)
    return np.where(sure > union, sure, 0).astype(np.float32)


def _composed(layers: Floats) -> Floats:
    """Return what the layers show together: (h, w, 3)."""
    shown = layers[0, ..., :3]
    for layer in layers[1:]:
        shown = shown + layer[..., 3:] * (layer[..., :3] - shown)
    return shown


def _apart(seen: Floats, background: Floats, darkest: Floats) -> Floats:
    """Return how far colours (h, w, 3) are from a background's in any shade down to the darkest."""
    energy = np.maximum(channels.total(np.square(background)), 1e-4)
    along = channels.total(seen * background) / energy
    shade = np.clip(along, darkest, 1)[..., None]
    apart: Floats = channels.largest(np.abs(seen - shade * background))
    return apart


def _noise(apart: Floats, union: Floats) -> float:
    """Return how far the background is off where nothing is near."""
    width = max(3, round(RING * max(union.shape)))
    ring = cv2.dilate((union > 0.1).astype(np.uint8), np.ones((width, width), np.uint8))
    bare = apart[ring == 0]
    return ROUGH * float(np.median(bare)) if bare.size else 0.0


def _parted(unseen: Floats, things: Floats, apart: Floats) -> tuple[Floats, list[Floats]]:
    """Return what is unseen near things, and each group of what is starkly there far from them.

    What is far and not stark is left to the background: a model redraws it roughly.
    """
    longest = max(unseen.shape)
    there = unseen > SURE
    reach = 2 * round(GATHER * longest / 2) + 1
    gathered = cv2.dilate(there.astype(np.uint8), np.ones((reach, reach), np.uint8))
    count, labels = cv2.connectedComponents(gathered)
    away = cv2.distanceTransform((things < SURE).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    nearest = np.full(count, np.inf)
    np.minimum.at(nearest, labels[there], away[there])
    alone = (nearest > BESIDE * longest)[labels] & (labels > 0)
    sizes = np.maximum(np.bincount(labels[there], minlength=count), 1)
    contrast = np.bincount(labels[there], apart[there], count) / sizes
    stark = [label for label in np.unique(labels[alone]) if contrast[label] > STARK]
    far = [np.where(labels == label, unseen, np.float32(0)) for label in stark]
    beyond = alone | (away > REACH * longest)
    return np.where(beyond, np.float32(0), unseen), far


def _nearest(alphas: Floats) -> NDArray[np.intp]:
    """Return for each pixel which of several things, (K, h, w), is nearest."""
    far = [
        cv2.distanceTransform((alpha < SURE).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        for alpha in alphas
    ]
    nearest: NDArray[np.intp] = np.argmin(np.stack(far), axis=0)
    return nearest


def _grown(layer: Floats, picture: Floats, alpha: Floats) -> Floats:
    """Return a layer that covers at least this much, in the picture's colours where it is new."""
    more = np.maximum(alpha - layer[..., 3], 0)[..., None]
    total = layer[..., 3:] + more
    colour = layer[..., :3] * layer[..., 3:] + picture[..., :3] * more
    colour = np.where(total > 0, colour / np.maximum(total, 1e-6), layer[..., :3])
    return np.concatenate([colour, total], axis=-1).astype(np.float32)
