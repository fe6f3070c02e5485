"""A cut between things and what is behind them, by their colours and by what else is known.

GrabCut (Rother et al., 2004) learns the colours of both sides and then goes by nothing but these,
so that it turns over on its first guess's last digits where both sides have a colour. Here what a
model saw counts until the end: its odds and those of the colours are summed, and cut once.
"""

from __future__ import annotations

from functools import partial
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl.compositing import Bytes, Floats
from layerctl.workers import work_on

Mask: TypeAlias = NDArray[np.bool_]
Doubles: TypeAlias = NDArray[np.float64]

CERTAIN = 3.2
"""Log odds from which a pixel is settled before the cut."""

ROUNDS = 2
"""How often colours are learned from a cut by those learned before."""

MIXED, SIZE = 5, 65
"""Gaussians that the colours of a side are a mixture of, and the numbers that this takes."""

COLOURS, OUTDONE = 2.0, 4.0
"""How much more the log odds of colours count than others, and what they are at most.

A mixture is as sure as it likes of colours that it hardly knows.
"""

MOST, MIDDLE, SPAN = 24.0, 128, 60
"""Log odds that count at most, and the levels of 255 that stand for none and, beyond it, for them.
"""

ANY = 1e6
"""Variance of a channel in which any level is as likely as another."""


def cut(picture: Floats, odds: Floats, apart: Floats) -> Mask:
    """Return where (h, w) things are, with a short outline along the picture's edges.

    Args:
        picture: (h, w, 3) RGB in [0, 1].
        odds: The log odds of a thing by all that is known, as finely as it is known, which may be
            less than (h, w): certain ones of both sides are among them, and those are settled.
        apart: The same by what is known apart from colours, as these count once.
    """
    size = picture.shape[1], picture.shape[0]
    levels = np.rint(picture[..., ::-1] * 255).astype(np.uint8)
    coarse: Bytes = cv2.resize(levels, odds.shape[::-1], interpolation=cv2.INTER_AREA)
    behind, things = _learned(coarse, _labels(odds))
    labels, apart = _labels(cv2.resize(odds, size)), cv2.resize(apart, size)
    inside, outside = work_on((things, behind), partial(_likelihood, levels))
    told = np.clip(inside - outside, -OUTDONE, OUTDONE)
    # Pixels that differ from all around them are noise, whatever their colour.
    return _cut_once(levels, apart + COLOURS * cv2.medianBlur(told, 3), labels)


def _labels(odds: Floats) -> Bytes:
    """Return GrabCut's labels: certain where the odds are high, probable elsewhere."""
    labels = np.where(odds > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[odds > CERTAIN] = cv2.GC_FGD
    labels[odds < -CERTAIN] = cv2.GC_BGD
    return labels


def _learned(levels: Bytes, labels: Bytes) -> tuple[Doubles, Doubles]:
    """Return what GrabCut learns of the colours behind things and of those of things."""
    cv2.setRNGSeed(0)
    behind, things = np.zeros((1, SIZE)), np.zeros((1, SIZE))
    cv2.grabCut(levels, labels.copy(), None, behind, things, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return behind, things


def _likelihood(levels: Bytes, mixture: Doubles) -> Floats:
    """Return the logarithm (h, w) of how likely a mixture of Gaussians makes each colour."""
    colours, each = levels.reshape(-1, 3).astype(np.float32), []
    for share, mean, spread in zip(*_parts(mixture), strict=True):
        if share > 0:
            # Colours are as long, so turned and stretched, as they are far from the mean.
            turned = np.linalg.cholesky(np.linalg.inv(spread))
            away = (colours - mean.astype(np.float32)) @ turned.astype(np.float32)
            densest = np.log(share) - np.log(np.linalg.det(spread)) / 2
            each.append(np.float32(densest) - np.einsum("mc,mc->m", away, away) / 2)
    likelihood: Floats = np.logaddexp.reduce(np.stack(each)).reshape(levels.shape[:2])
    return likelihood


def _parts(mixture: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Return the shares, means and covariances of a mixture as GrabCut keeps it."""
    shares, means, spreads = np.split(mixture[0], (MIXED, 4 * MIXED))
    return shares, means.reshape(MIXED, 3), spreads.reshape(MIXED, 3, 3)


def _cut_once(levels: Bytes, odds: Floats, labels: Bytes) -> Mask:
    """Return where (h, w) things are by their odds, but for what labels settle.

    With colours that are known GrabCut is a cut by any odds, if one channel of its picture bears
    these; the others show where edges are by what differs most among the colours.
    """
    picture = np.dstack([_contrasts(levels), _as_levels(odds)])
    behind, things = (_odds_alone(MIDDLE + side * SPAN) for side in (-1, 1))
    cut_labels = labels.copy()
    cv2.grabCut(picture, cut_labels, None, behind, things, 1, cv2.GC_EVAL_FREEZE_MODEL)
    inside: Mask = (cut_labels == cv2.GC_FGD) | (cut_labels == cv2.GC_PR_FGD)
    return inside


def _contrasts(levels: Bytes) -> Bytes:
    """Return the two directions (h, w, 2) in which colours (h, w, 3) differ most, as levels."""
    colours = levels.reshape(-1, 3).astype(np.float32)
    _, directions = np.linalg.eigh(np.cov(colours.T))
    # Colours are at most the diagonal of their cube apart.
    along = colours @ (directions[:, :0:-1] / np.sqrt(3)).astype(np.float32)
    contrasts: Bytes = np.rint(along - along.min(axis=0)).astype(np.uint8)
    return contrasts.reshape(*levels.shape[:2], 2)


def _as_levels(odds: Floats) -> Bytes:
    """Return log odds (h, w) as the levels that stand for them."""
    levels: Bytes = np.rint(MIDDLE + SPAN * np.clip(odds / MOST, -1, 1)).astype(np.uint8)
    return levels


def _odds_alone(level: int) -> Doubles:
    """Return a mixture of one Gaussian about a level of the last channel alone.

    With two of them as far from the middle as the odds at most, a level is likelier by one than by
    the other as its odds say.
    """
    mixture = np.zeros((1, SIZE))
    shares, means, spreads = _parts(mixture)
    shares[0], means[0, 2] = 1, level
    spreads[0] = np.diag([ANY, ANY, 2 * SPAN**2 / MOST])
    return mixture
