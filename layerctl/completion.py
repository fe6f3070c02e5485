"""What goes on behind things: a skirting board, planks, the edge of a table.

Every small patch that is not seen becomes like the seen one that it is most like already, again
and again, coarse first (Wexler, Shechtman and Irani, Space-Time Completion of Video, PAMI 2007).
So lines meet what is seen of them, while a first guess at light and colours says what to look for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from layerctl.compositing import Floats
from layerctl.pyramid import spread

Mask: TypeAlias = NDArray[np.bool_]
Points: TypeAlias = tuple[NDArray[np.int_], NDArray[np.int_]]

SIDES, ROUNDS = (48, 96, 160), (6, 4, 2)
"""Longest sides, in pixels, at which patches are looked for, and how often at each."""

REACH = 3
"""Pixels from the middle of a patch to its sides."""

SOURCES = 2500
"""How many patches of what is seen are looked through, about: more of them find none better."""

FEW = 50
"""How many there have to be for it to be worth looking."""

SEEN = 0.6
"""Share of a pixel that must be known for it to be known where it is small."""

FADE, FAINT = 1.3, 0.05
"""How many times less a pixel counts than one that is nearer by one to what is seen, and its least.

What is seen decides; what was made up before has to follow.
"""

GUIDED, ROUND = 5.0, 2.0
"""What the first guess's colour counts for, of 1 for a pixel of a patch, and its blur in pixels."""

TYPICAL = 0.75
"""Quantile of the distances of patches from what they become that halves what these count."""

LEAST = 1e-6
"""What even the most unlike patch counts, so that all pixels are made of something."""

CHUNK = 2048
"""How many patches are compared with all sources at once."""


def complete(surface: Floats, known: Mask) -> Floats:
    """Return a surface with what is seen of it going on where it is not.

    Args:
        surface: (h, w, 3) in [0, 1], as seen where it is known, a smooth guess elsewhere.
        known: (h, w).
    """
    if known.all() or not known.any():
        return surface
    filled = surface
    for side, rounds in zip(SIDES, ROUNDS, strict=True):
        filled = _enlarge(_fill(_shrink(surface, filled, known, side), rounds), known.shape)
    # What was made up small meets what is seen without a step.
    whole: Floats = np.clip(filled + spread(surface - filled, known), 0, 1)
    return whole


@dataclass(frozen=True, eq=False)
class _Hole:
    """A small surface (h, w, 3), where it is known (h, w), and how it is guessed to go on."""

    surface: Floats
    known: Mask
    guess: Floats


def _shrink(surface: Floats, filled: Floats, known: Mask, side: int) -> _Hole:
    """Return a surface at most `side` pixels long, filled as it is where it is not known."""
    scale = min(1.0, side / max(known.shape))
    size = max(1, round(known.shape[1] * scale)), max(1, round(known.shape[0] * scale))
    seen, mine, guess, begun = (
        cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        for image in (known.astype(np.float32), surface * known[..., None], surface, filled)
    )
    sure = seen > SEEN
    mean = mine / np.maximum(seen, SEEN)[..., None]
    at_first, by_now = (np.where(sure[..., None], mean, image) for image in (guess, begun))
    return _Hole(by_now, sure, cv2.GaussianBlur(at_first, (0, 0), ROUND))


def _fill(hole: _Hole, rounds: int) -> Floats:
    """Return the surface with its unknown pixels made of patches of the known ones."""
    surface, side = hole.surface, 2 * REACH + 1
    near = cv2.dilate((~hole.known).astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    whole = np.zeros_like(near)
    whole[REACH:-REACH, REACH:-REACH] = ~near[REACH:-REACH, REACH:-REACH]
    sources, targets = _points(whole, 1 + int(whole.sum()) // SOURCES), _points(near)
    if len(sources[0]) < FEW:
        return surface
    weights = _patches(np.dstack([_confidence(hole.known)] * 3), targets)
    search = _Search(targets, sources, weights, _patches(surface, sources), hole.guess)
    for _ in range(rounds):
        surface = np.where(hole.known[..., None], surface, search.improve(surface))
    return surface


@dataclass(frozen=True, eq=False)
class _Search:
    """For the patches around n points, those that are most like them around m others.

    `weights` (n, k) is what the pixels of a patch count; `wanted` (m, k) are the others' patches,
    and `guess` (h, w, 3) says what colours are around both.
    """

    targets: Points
    sources: Points
    weights: Floats
    wanted: Floats
    guess: Floats

    def improve(self, surface: Floats) -> Floats:
        """Return a surface (h, w, 3) as all patches over a pixel want it, on average."""
        found = _patches(surface, self.targets)
        best = self._nearest(found)
        apart = (self.weights * np.square(found - self.wanted[best])).sum(axis=1)
        apart /= self.weights.sum(axis=1)
        likeness = np.exp(-apart / max(2 * float(np.quantile(apart, TYPICAL)), LEAST))
        votes = (likeness + LEAST) * self.weights.mean(axis=1)
        return _vote(surface, self.targets, (self.sources[0][best], self.sources[1][best]), votes)

    def _nearest(self, found: Floats) -> NDArray[np.int_]:
        """Return for each patch (n, k) the number of the one wanted that is nearest."""
        here, there = self.guess[self.targets], self.guess[self.sources]
        weights = np.hstack([self.weights, np.full_like(here, GUIDED)])
        weighted, wanted = np.hstack([found, here]) * weights, np.hstack([self.wanted, there])
        squares = np.square(wanted)
        chunks = (slice(start, start + CHUNK) for start in range(0, len(found), CHUNK))
        nearest = [
            (weights[chunk] @ squares.T - 2 * weighted[chunk] @ wanted.T).argmin(axis=1)
            for chunk in chunks
        ]
        return np.concatenate(nearest)


def _points(mask: Mask, every: int = 1) -> Points:
    """Return rows and columns (n,) of what a mask holds, or of one in so many."""
    rows, columns = np.nonzero(mask)
    return rows[::every], columns[::every]


def _confidence(known: Mask) -> Floats:
    """Return what a pixel (h, w) counts: 1 where it is known, and less the farther from that."""
    away = cv2.distanceTransform((~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    confidence: Floats = np.maximum(np.float32(FADE) ** -away, np.float32(FAINT))
    return confidence


def _patches(image: Floats, points: Points) -> Floats:
    """Return the patches (n, k) of an image (h, w, 3) around points, mirrored at its edges."""
    padded = cv2.copyMakeBorder(image, *(REACH,) * 4, cv2.BORDER_REFLECT_101)
    windows = sliding_window_view(padded, (2 * REACH + 1,) * 2, axis=(0, 1))
    return windows[points].reshape(len(points[0]), -1)


def _vote(surface: Floats, targets: Points, sources: Points, votes: Floats) -> Floats:
    """Return what patches (n,) around targets make of a surface if they are as the sources are."""
    total = np.zeros((surface.shape[0] + 2 * REACH, surface.shape[1] + 2 * REACH, 4), np.float32)
    counted = np.dstack([surface, np.ones_like(surface[..., :1])])
    for down in range(-REACH, REACH + 1):
        for across in range(-REACH, REACH + 1):
            shown = counted[sources[0] + down, sources[1] + across]
            total[targets[0] + REACH + down, targets[1] + REACH + across] += votes[:, None] * shown
    inner = total[REACH:-REACH, REACH:-REACH]
    voted: Floats = inner[..., :3] / np.maximum(inner[..., 3:], np.finfo(np.float32).tiny)
    return voted


def _enlarge(image: Floats, shape: tuple[int, ...]) -> Floats:
    enlarged: Floats = cv2.resize(image, shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return enlarged
