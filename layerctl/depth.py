"""Which layer lies above which, as the picture tells it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from layerctl.compositing import Floats

SLIGHT = 1e-4
"""Weight of nearness beside evidence: it decides only where the picture says nothing."""


def back_to_front(layers: Floats, picture: Floats, nearness: Sequence[float]) -> list[int]:
    """Return the numbers of the layers in their order, the lowest first.

    Where two overlap, the upper one is what the picture shows. Where the picture does not tell, the
    nearer one is above.

    Args:
        layers: (K, h, w, 4) straight RGBA in [0, 1], in any order, hidden parts included.
        picture: (h, w, 4), what they make up together.
        nearness: For each layer how near it seems, within about [0, 1].
    """
    near = np.asarray(nearness, np.float64)
    above = evidence(layers, picture) + SLIGHT * (near[:, None] - near)
    np.fill_diagonal(above, -np.inf)
    waiting, order = list(range(len(layers))), []
    while waiting:
        reasons = above[np.ix_(waiting, waiting)].max(axis=1)
        order.append(waiting.pop(int(reasons.argmin())))
    return order


def evidence(layers: Floats, picture: Floats) -> NDArray[np.float64]:
    """Return how much better each layer explains what it shares with each other one: (K, K).

    Mean over the picture of the difference of colours, in [0, 1], where both are.
    """
    alphas = layers[..., 3].astype(np.float64)
    apart = alphas * np.abs(layers[..., :3] - picture[..., :3]).mean(axis=-1)
    shared = np.einsum("ihw,jhw->ij", alphas, apart)
    better: NDArray[np.float64] = (shared - shared.T) / picture[..., 0].size
    return better


def foot(alpha: Floats) -> float:
    """Return how far down a layer reaches, as a share of the height; 0 if it is clear."""
    rows = np.flatnonzero((alpha > 0.5).any(axis=1))
    return float((rows[-1] + 1) / len(alpha)) if len(rows) else 0.0
