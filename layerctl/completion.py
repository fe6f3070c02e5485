"""What goes on behind things: a skirting board, planks, the edge of a table.

Every small patch that is not seen becomes like the seen one that it is most like already, again
and again, coarse first (Wexler, Shechtman and Irani, Space-Time Completion of Video, PAMI 2007).
So lines meet what is seen of them, while a first guess at light and colours says what to look for.

What is too fine for that is moved there from where most of the patches came from (He and Sun,
Statistics of Patch Offsets for Image Completion, ECCV 2012): knots of wood, leaves on a path.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from layerctl import channels
from layerctl.compositing import Floats
from layerctl.pyramid import spread

Mask: TypeAlias = NDArray[np.bool_]
Points: TypeAlias = tuple[NDArray[np.int_], NDArray[np.int_]]
Shifts: TypeAlias = NDArray[np.int_]

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

BIN, SHIFTS = 3, 80
"""Pixels within which shifts are the same one, and how many of the most usual detail comes by."""

PIECE = 9
"""Width in pixels of what detail comes in at least: in crumbs it would be noise."""

UNSEEN = 0.25
"""What it costs to lead to nothing that is seen, as a squared difference of colours."""

FINE = 1.5
"""Blur that leaves out what patches are too coarse for, in pixels of theirs.

Where many of them overlap what they agree on is no sharper than that.
"""


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


def sharpen(surface: Floats, known: Mask) -> Floats:
    """Return a completed surface with the detail of what it was made of.

    Args:
        surface: (h, w, 3) in [0, 1], as seen where it is known, without detail elsewhere.
        known: (h, w).
    """
    if known.all() or not known.any():
        return surface
    hole = _shrink(surface, surface, known, SIDES[-1])
    search = _search(hole)
    if search.idle:
        return surface
    shifts = _choose(hole, _usual(search.shifts(hole.surface)))
    blur = FINE * len(known) / len(hole.known)
    detail = _moved(_detail(surface, known, blur), shifts, _points(~known))
    sharp = surface.copy()
    sharp[~known] = cv2.GaussianBlur(surface, (0, 0), blur)[~known] + detail
    return np.clip(sharp, 0, 1)


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
    surface, search = hole.surface, _search(hole)
    if search.idle:
        return surface
    for _ in range(rounds):
        surface = np.where(hole.known[..., None], surface, search.improve(surface))
    return surface


def _search(hole: _Hole) -> _Search:
    side = 2 * REACH + 1
    near = cv2.dilate((~hole.known).astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    whole = np.zeros_like(near)
    whole[REACH:-REACH, REACH:-REACH] = ~near[REACH:-REACH, REACH:-REACH]
    sources, targets = _points(whole, 1 + int(whole.sum()) // SOURCES), _points(near)
    weights = _patches(np.dstack([_confidence(hole.known)] * 3), targets)
    return _Search(targets, sources, weights, _patches(hole.surface, sources), hole.guess)


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

    @property
    def idle(self) -> bool:
        """Whether there is too little to look through, or nothing to look for: a speck, say."""
        return len(self.sources[0]) < FEW or not len(self.targets[0])

    def improve(self, surface: Floats) -> Floats:
        """Return a surface (h, w, 3) as all patches over a pixel want it, on average."""
        found = _patches(surface, self.targets)
        best = self._nearest(found)
        apart = (self.weights * np.square(found - self.wanted[best])).sum(axis=1)
        apart /= self.weights.sum(axis=1)
        likeness = np.exp(-apart / max(2 * float(np.quantile(apart, TYPICAL)), LEAST))
        votes = (likeness + LEAST) * self.weights.mean(axis=1)
        return _vote(surface, self.targets, (self.sources[0][best], self.sources[1][best]), votes)

    def shifts(self, surface: Floats) -> Shifts:
        """Return how far down and across from each of n points what is most like it is: (n, 2)."""
        best = self._nearest(_patches(surface, self.targets))
        there, here = (np.stack(points, axis=1) for points in (self.sources, self.targets))
        shifts: Shifts = there[best] - here
        return shifts

    def _nearest(self, found: Floats) -> NDArray[np.int_]:
        """Return for each patch (n, k) the number of the one wanted that is nearest."""
        here, there = self.guess[self.targets], self.guess[self.sources]
        weights = np.hstack([self.weights, np.full_like(here, GUIDED)])
        weighted, wanted = np.hstack([found, here]) * weights, np.hstack([self.wanted, there])
        asked, told = np.hstack([weights, -2 * weighted]), np.hstack([np.square(wanted), wanted]).T
        starts = range(0, len(found), CHUNK)
        nearest = [(asked[start : start + CHUNK] @ told).argmin(axis=1) for start in starts]
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
    side = 2 * REACH + 1
    windows = sliding_window_view(padded, (side, side), axis=(0, 1))
    return windows[points].reshape(len(points[0]), 3 * side * side)


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


def _usual(shifts: Shifts) -> Shifts:
    """Return the most usual ones (k, 2) of shifts (n, 2), one of each bin."""
    _, bins, counts = np.unique(shifts // BIN, axis=0, return_inverse=True, return_counts=True)
    usual = []
    for number in np.argsort(-counts, kind="stable")[:SHIFTS]:
        alike, often = np.unique(shifts[bins.ravel() == number], axis=0, return_counts=True)
        usual.append(alike[often.argmax()])
    return np.stack(usual)


def _choose(hole: _Hole, shifts: Shifts) -> Shifts:
    """Return for each pixel (h, w, 2) the one of the shifts that leads to the likest around it."""
    seen = np.dstack([hole.surface, hole.known]).astype(np.float32)
    costs = np.stack([_cost(seen, shift) for shift in shifts])
    chosen: Shifts = shifts[costs.argmin(axis=0)]
    return chosen


def _cost(seen: Floats, shift: Shifts) -> Floats:
    """Return what it costs each pixel (h, w) to come by a shift, from a surface and its mask."""
    move = np.array([[1, 0, -shift[1]], [0, 1, -shift[0]]], np.float32)
    there = cv2.warpAffine(seen, move, seen.shape[1::-1], flags=cv2.INTER_NEAREST)
    known, patch = there[..., 3] > 0, 2 * REACH + 1
    apart = np.where(known, channels.total(np.square(seen - there)[..., :3]), np.float32(UNSEEN))
    around = cv2.blur(cv2.blur(apart, (patch, patch)), (PIECE, PIECE))
    cost: Floats = np.where(known, around, np.inf)
    return cost


def _detail(surface: Floats, known: Mask, blur: float) -> Floats:
    """Return how far (h, w, 3) known pixels are from the mean of those around; zero elsewhere."""
    weight = known.astype(np.float32)[..., None]
    around = cv2.GaussianBlur(surface * weight, (0, 0), blur)
    total = cv2.GaussianBlur(weight, (0, 0), blur)[..., None]
    detail: Floats = (surface - around / np.maximum(total, LEAST)) * weight
    return detail


def _moved(detail: Floats, shifts: Shifts, points: Points) -> Floats:
    """Return what detail (n, 3) is at points once it is moved by the shifts of a smaller size."""
    height, width = detail.shape[:2]
    scale = np.array([height, width]) / shifts.shape[:2]
    places = np.stack(points, axis=1)
    at = (places + 0.5) / scale - 0.5
    first = np.floor(at).astype(int)
    moved = np.zeros((len(places), 3), np.float32)
    for corner in product(range(2), repeat=2):
        weight = np.abs(1 - np.array(corner) - (at - first)).prod(axis=1)
        rows, columns = np.clip(first + corner, 0, np.array(shifts.shape[:2]) - 1).T
        rows, columns = np.rint(places + shifts[rows, columns] * scale).astype(int).T
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        there = detail[rows * inside, columns * inside]
        moved += (weight * inside).astype(np.float32)[:, None] * there
    return moved


def _enlarge(image: Floats, shape: tuple[int, ...]) -> Floats:
    enlarged: Floats = cv2.resize(image, shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return enlarged
