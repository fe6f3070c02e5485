"""Straight lines that go on behind things: a skirting board, the edge of a table, seams of tiles.

Patches (see `completion`) are too coarse for what is thin, and where things hide much they end what
goes in on one side and comes out on the other. So the ends of lines are looked for all around what
is not seen, each with its direction and with what it looks like across, and two are one line if
they point at each other and each finds the other the likest of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl import channels
from layerctl.compositing import Floats
from layerctl.workers import work_on

Mask: TypeAlias = NDArray[np.bool_]
Numbers: TypeAlias = NDArray[np.intp]

SIDE = 512
"""Longest side, in pixels, at which ends are looked for."""

BROAD = 0.02
"""Blur, as a share of the longest side, that leaves no line."""

TURNS = 64
"""Directions that are told apart."""

LONG, ACROSS, STEP = 20, 3, 2
"""Pixels of a line that make its end, and how many are looked at to each side, so far apart."""

FAINT = 0.012
"""Contrast across, in [0, 1], below which there is no line."""

HINT = 0.7
"""Share of it that all around has at least where there may be one."""

PEAK, ROUND = 0.85, 0.7
"""Share of the contrast in the best direction that another may have for a line's, and up to which
all have on average: a blot looks the same from everywhere.
"""

ALIKE = 0.75
"""Share of what ends look like across that both have in common if they are one line's."""

CREDIBLE = 3.0
"""How many times more likeness there has to be than of ends with their opposite, dark for light.

That is by chance: where texture is alike by chance, nobody can tell its lines.
"""

FEW = 8
"""How many pairs there have to be for that to be told."""

BEST = 0.98
"""Share of the best likeness that is as good."""

BESIDE, COMPANY = 3, 2
"""Pixels up to which lines are beside each other at both ends, and how many make one credible."""

NARROW = 9
"""Width in pixels of what is hidden that patches bridge better."""

LOOKS, RIM = 24, 2
"""How often it is made sure that nothing is seen between two ends, and how close to them it may."""

OFTEN, SOFT = 1.5, 0.8
"""Samples of a line to a pixel, and the blur of what they make, in pixels."""

MOST = 3000
"""About how many places at the rim of what is hidden are looked at, at most."""

WHOLE, MOSTLY = 0.999, 0.9
"""Shares of what is looked at that are all of it, and enough."""

LEAST = 1e-6
"""What nothing is divided by less than."""


def continue_lines(surface: Floats, smooth: Floats, known: Mask) -> Floats:
    """Return a surface with the straight lines of what is known of it going on where it is not.

    Args:
        surface: (h, w, 3) in [0, 1], as seen where it is known, completed elsewhere.
        smooth: (h, w, 3), without what was made up of texture.
        known: (h, w).
    """
    scale = min(1.0, SIDE / max(known.shape))
    size = max(1, round(known.shape[1] * scale)), max(1, round(known.shape[0] * scale))
    small = cv2.resize(smooth, size, interpolation=cv2.INTER_AREA)
    seen = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA) > WHOLE
    detail = _detail(small)
    places = _rim(seen & (_contrast(detail, seen) > FAINT * HINT), ~seen)
    if not len(places):
        return surface
    ends = _find_ends(detail, seen, places)
    one, other = _match(ends, seen)
    if not len(one):
        return surface
    larger = np.array(known.shape[::-1]) / size
    native = ((ends.places + 0.5) * larger - 0.5).astype(np.float32)
    drawn = _draw(smooth, native[one], native[other])
    line = drawn[..., :3] / np.maximum(drawn[..., 3:], LEAST)
    covered = np.minimum(drawn[..., 3:], 1) * ~known[..., None]
    continued: Floats = np.clip(surface + covered * (line - _detail(surface)), 0, 1)
    return continued


@dataclass(frozen=True, eq=False)
class _Ends:
    """Where lines meet what is hidden.

    `places` (n, 2) are columns and rows. For each direction that leads away from what is hidden
    `looks` (n, TURNS, m, 3) is how what is across differs from its mean, and `lines` (n, TURNS) how
    surely, from 0 to 1, a line leads there.
    """

    places: Floats
    looks: Floats
    lines: Floats


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Ends (m,) and others, by their numbers of so many, and the direction to these."""

    one: Numbers
    other: Numbers
    turn: Numbers
    ends: int


def _find_ends(detail: Floats, known: Mask, places: Floats) -> _Ends:
    """Return which places (n, 2) at the rim of what is known are ends of lines, and where to.

    Args:
        detail: (h, w, 3).
        known: (h, w).
        places: Columns and rows.
    """
    image = np.dstack([detail, np.ones_like(detail[..., :1])]) * known[..., None]
    views = work_on(_directions(), partial(_look, image, places))
    looks, clear = (np.stack(parts, axis=1) for parts in zip(*views, strict=True))
    contrast = np.sqrt(np.square(looks).sum(axis=(2, 3)) / looks.shape[2]) * clear
    best = contrast.max(axis=1, keepdims=True)
    usual = contrast.sum(axis=1, keepdims=True) / np.maximum(clear.sum(axis=1, keepdims=True), 1)
    line = (contrast > FAINT) & (contrast > PEAK * best) & (usual < ROUND * best)
    lines = line * np.square(contrast / np.maximum(best, LEAST))
    some = line.any(axis=1)
    return _Ends(places[some], looks[some], lines[some])


def _rim(known: Mask, hidden: Mask) -> Floats:
    """Return columns and rows (n, 2) of what is known beside what is hidden, but for the narrow."""
    wide = cv2.morphologyEx(hidden.astype(np.uint8), cv2.MORPH_OPEN, np.ones((NARROW, NARROW)))
    rows, columns = np.nonzero(known & (cv2.dilate(wide, np.ones((3, 3), np.uint8)) > 0))
    places: Floats = np.stack([columns, rows], axis=1).astype(np.float32)
    return places[:: 1 + len(places) // MOST]


def _contrast(detail: Floats, known: Mask) -> Floats:
    """Return how far (h, w) what is known of a detail is from its mean around each pixel."""
    window, weight = (2 * ACROSS * STEP + 1,) * 2, known.astype(np.float32)[..., None]
    total = np.maximum(cv2.blur(weight, window), LEAST)[..., None]
    mean, square = (cv2.blur(x * weight, window) / total for x in (detail, np.square(detail)))
    contrast: Floats = np.sqrt(channels.total(np.maximum(square - np.square(mean), 0)))
    return contrast


def _detail(surface: Floats) -> Floats:
    """Return how far (h, w, 3) a surface is from the mean around each of its pixels."""
    broad = cv2.GaussianBlur(surface, (0, 0), BROAD * max(surface.shape[:2]))
    detail: Floats = surface - broad
    return detail


def _directions() -> Floats:
    """Return the directions (TURNS, 2) that are told apart, each opposite the one half way on."""
    angles = np.arange(TURNS, dtype=np.float32) * (2 * np.pi / TURNS)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _look(image: Floats, places: Floats, direction: Floats) -> tuple[Floats, Mask]:
    """Return what is across a direction (n, m, 3), and where all of it is known.

    Args:
        image: (h, w, 4), a detail and 1 where it is known.
        places: (n, 2), from where to look.
        direction: (2,), of length 1.
    """
    across = np.arange(-ACROSS, ACROSS + 1) * STEP
    views = _sample(image, places, np.broadcast_to(direction, places.shape), across)
    shown = views[..., 3]
    clear = (shown[:, :, ACROSS].min(axis=1) > WHOLE) & (shown.mean(axis=(1, 2)) > MOSTLY)
    mean = views[..., :3].mean(axis=1)
    return mean - mean.mean(axis=1, keepdims=True), clear


def _sample(
    image: Floats, places: Floats, directions: Floats, across: Numbers, pace: float = 1.0
) -> Floats:
    """Return an image (h, w, C) along directions (n, 2) and across them: (n, LONG, m, C)."""
    sideways = np.stack([-directions[:, 1], directions[:, 0]], axis=1)
    along = np.arange(LONG, dtype=np.float32)[:, None, None] * pace * directions[:, None, None]
    aside = across.astype(np.float32)[:, None] * sideways[:, None, None]
    spots = places[:, None, None] + along + aside
    columns, rows = np.moveaxis(spots.reshape(len(places), -1, 2), -1, 0)
    shape = *spots.shape[:3], image.shape[2]
    views: Floats = cv2.remap(image, columns, rows, cv2.INTER_LINEAR).reshape(shape)
    return views


def _match(ends: _Ends, known: Mask) -> tuple[Numbers, Numbers]:
    """Return which ends (m,) are one line's with which others."""
    pairs = _facing(ends, known)
    back = (pairs.turn + TURNS // 2) % TURNS
    near, far = ends.looks[pairs.one, back], ends.looks[pairs.other, pairs.turn][:, ::-1]
    energy = [np.square(looks).sum(axis=(1, 2)) for looks in (near, far)]
    shared = (near * far).sum(axis=(1, 2)) / np.maximum(np.maximum(*energy), LEAST)
    surely = ends.lines[pairs.one, back] * ends.lines[pairs.other, pairs.turn]
    strength = np.sqrt(np.minimum(*energy)) * surely
    likeness, stray = (
        strength * np.where(sign * shared > ALIKE, sign * shared, 0) for sign in (1, -1)
    )
    liked, strayed = _best(pairs, likeness), _best(pairs, stray)
    lines = np.flatnonzero((likeness > 0) & (likeness >= BEST * np.maximum(liked, strayed)))
    chance = np.flatnonzero((stray > 0) & (stray >= np.maximum(BEST * strayed, liked / BEST)))
    if len(lines) < FEW or likeness[lines].sum() < CREDIBLE * stray[chance].sum():
        return lines[:0], lines[:0]
    one, other = pairs.one[lines], pairs.other[lines]
    sides = np.stack([ends.places[one], ends.places[other]], axis=1)
    beside = np.abs(sides[:, None] - sides).max(axis=(2, 3)) <= BESIDE
    together = beside.sum(axis=1) > COMPANY
    return one[together], other[together]


def _best(pairs: _Pairs, likeness: Floats) -> Floats:
    """Return the best likeness (m,) of all pairs that either of a pair's ends is in."""
    best = np.zeros(pairs.ends)
    np.maximum.at(best, pairs.one, likeness)
    np.maximum.at(best, pairs.other, likeness)
    best_of_both: Floats = np.maximum(best[pairs.one], best[pairs.other])
    return best_of_both


def _facing(ends: _Ends, known: Mask) -> _Pairs:
    """Return the ends that point at each other, and nothing is seen between them."""
    apart = ends.places[None] - ends.places[:, None]
    turns = np.rint(np.arctan2(apart[..., 1], apart[..., 0]) * (TURNS / (2 * np.pi))).astype(int)
    turns %= TURNS
    number = np.arange(len(turns))
    lines, back = ends.lines > 0, (turns + TURNS // 2) % TURNS
    facing = lines[number[:, None], back] & lines[number, turns]
    length = channels.length(apart)
    one, other = np.nonzero(np.triu(facing & (length > NARROW)))
    hidden = np.ones(len(one), np.bool_)
    for share in np.linspace(0, 1, LOOKS + 2)[1:-1]:
        spots = ends.places[one] + share * apart[one, other]
        columns, rows = np.rint(spots).astype(int).T
        at_end = min(share, 1 - share) * length[one, other] < RIM
        hidden &= ~known[rows, columns] | at_end
    one, other = one[hidden], other[hidden]
    return _Pairs(one, other, turns[one, other], len(ends.places))


def _draw(surface: Floats, starts: Floats, stops: Floats) -> Floats:
    """Return lines (n, 2) that look as they do at both ends: (h, w, 4), the last their density."""
    height, width = surface.shape[:2]
    detail, scale = _detail(surface), max(1.0, max(height, width) / SIDE)
    reach = round(ACROSS * STEP * scale)
    across = np.arange(-reach, reach + 1)
    along = (stops - starts) / np.linalg.norm(stops - starts, axis=1, keepdims=True)
    first = _sample(detail, starts, -along, -across, scale).mean(axis=1)
    last = _sample(detail, stops, along, across, scale).mean(axis=1)
    total = np.zeros((height, width, 4), np.float32)
    for n in range(len(starts)):
        rows, columns, share = _stroke(starts[n], stops[n], across)
        looks = np.dstack([first[n] + share * (last[n] - first[n]), np.ones_like(rows)])
        looks *= (1 - np.abs(across) / (reach + 1))[:, None]
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        np.add.at(total, (rows[inside], columns[inside]), looks[inside])
    drawn: Floats = cv2.GaussianBlur(total, (0, 0), SOFT)
    return drawn


def _stroke(start: Floats, stop: Floats, across: Numbers) -> tuple[Numbers, Numbers, Floats]:
    """Return rows and columns (m, k) of a line and what is across, and how far along (m, 1, 1)."""
    length = float(np.linalg.norm(stop - start))
    sideways = np.array([start[1] - stop[1], stop[0] - start[0]]) / length
    share: Floats = np.linspace(0, 1, int(OFTEN * length) + 1)[:, None, None]
    spots = start + share * (stop - start) + across[:, None] * sideways
    columns, rows = np.moveaxis(np.rint(spots).astype(int), -1, 0)
    return rows, columns, share
