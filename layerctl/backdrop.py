"""What a plain backdrop looks like without what stands in front of it.

Seamless paper, a wall, a gradient: one smooth surface of colour explains nearly all that a rough
guess calls ground. Where it does, whatever it cannot explain stands in front of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl import channels
from layerctl.compositing import Floats
from layerctl.gaps import find_gaps
from layerctl.pyramid import spread

SIDE = 128
"""Longest side, in pixels, at which the surface is fitted: it has no detail to lose."""

DEGREE = 4
"""Degree of the surface's polynomial."""

STIFFNESS = 3e-4
"""What a coefficient of the surface costs, times its squared degree: bends need evidence."""

LOOSE, TIGHT = 0.4, 0.02
"""Colour error, in [0, 1], beyond which a pixel hardly counts: in the first and the last round."""

NEAR = 0.06
"""Colour error up to which a pixel belongs to the surface."""

LIT = 0.97
"""Share of a pixel that must be backdrop, not shadow, for the surface to be bent to it."""

TINT = 0.04
"""How far, in [0, 1], a shadow's colour may be from the backdrop's own, darkened."""

PLAIN = 0.83
"""Share of the ground that has to belong to the surface for the backdrop to be plain."""

EDGE = 0.02
"""Difference of neighbouring pixels, at `SIDE`, that a smooth surface does not have."""

LEVEL, NOISY = 0.012, 4.0
"""A pixel is bare backdrop up to the first plus so many times the noise from its colour."""

DENSE = 0.7
"""Share of the light from which missing light is no shadow."""

STEP = 2
"""Levels of 255 by which the light may fall from one pixel to the next within a soft shadow."""

BARE, HOLE, SHADED = -4.0, -3.0, -1.0
"""What bare backdrop, a hole and a soft shadow add to the log odds of a pixel's being a thing's."""

LEAST, DRAWN = (0.0003, 0.00003), 0.1
"""Shares of the canvas, before a grey backdrop and before a vivid one, and, of that, share drawn
over from which bare backdrop may be a hole.
"""

HOLLOW, FIRM = (0.7, 0.92), 0.9
"""Chances that a thing shows up to which it is one, before a grey backdrop and before a vivid one,
and the chance at which it ends.
"""

VIVID = 0.1, 0.3
"""Range of a backdrop's channels, in [0, 1], up to which it is grey, and from which it is vivid.

White parts and highlights are in the colour of a white backdrop; hardly any are in that of a pink.
"""

NEARLY, AROUND = 3.0, 7
"""Tolerances from a vivid backdrop's colour up to which a pixel shows it, so many pixels from a
hole at most: there its texture, light from the thing and blur change it.
"""

RARE = 0.03
"""Share of what is surely a thing up to which it may nearly have a vivid backdrop's colour."""

DIM, MAYBE = 0.5, (0.3, 0.6)
"""Share of the light up to which what is missing may be a shadow's, and the chances of a thing
between which ever more of what was drawn there is one.
"""

STANDS, MISSED, SHARP, BLURRED = 3.0, 7.0, 2.5, 0.5
"""What another colour, a sharp edge and a blurred one add to them.

Another colour may be a table's: only of what may well have been missed it outweighs a guess that
says no.
"""

HELD, SURELY = 3.0, (0.6, 0.9)
"""What is added for a thing in a shadow's colours that is drawn with a chance of its own, and how
much of both it takes for that to begin and to be all.
"""

NEVER = 0.03
"""Chance that a thing shows up to which none can have been missed."""

DIMLY, HARDLY = 0.2, 0.2
"""Light of a backdrop, in [0, 1], up to which more light of its hue tells of no thing, and the
chance that one shows up to which: it may be a cloud of light in the dark.
"""

WIDE = 0.05
"""Width, as a share of the longest side, up to which something is thin."""

LONG = 0.25
"""Length, as a share of the longest side, from which what hangs on nothing is a thing."""

BLUR = 7
"""Width in pixels below which a strip of neither backdrop nor thing is a thing's blurred edge."""


@dataclass(frozen=True)
class Backdrop:
    """A plain backdrop, complete and lit.

    `colours` is (h, w, 3) in [0, 1], `noise` the usual error of a pixel that shows it, of all or of
    each (h, w); `plain` says whether it explains the picture at all.
    """

    colours: Floats
    noise: float | Floats
    plain: bool

    @property
    def tolerance(self) -> float | Floats:
        """The colour error, in [0, 1], up to which a pixel is bare backdrop."""
        return LEVEL + NOISY * self.noise

    def shows(self, picture: Floats, slack: float = 1.0) -> NDArray[np.bool_]:
        """Return where (h, w, 3) RGB in [0, 1] is bare backdrop, so many tolerances from it."""
        away: NDArray[np.float32] = channels.length(picture - self.colours)
        return away < slack * self.tolerance


def fit_backdrop(picture: Floats, ground: Floats) -> Backdrop:
    """Return the smooth surface through what is called ground, whatever else is called so too.

    Args:
        picture: (h, w, 3) RGB in [0, 1].
        ground: (h, w) in [0, 1], roughly where the backdrop is seen without a shadow on it.
    """
    height, width = ground.shape
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    weight = cv2.resize(ground, size, interpolation=cv2.INTER_AREA)
    surface = _bend(_surface(small, weight), small, weight)
    error = channels.length(small - surface)
    near = error < NEAR
    share = float((weight * near).sum() / max(weight.sum(), 1e-6))
    noise = float(np.median(error[near])) if near.any() else 1.0
    colours = cv2.resize(surface, (width, height), interpolation=cv2.INTER_CUBIC)
    return Backdrop(np.clip(colours, 0, 1), noise, share > PLAIN)


def _surface(small: Floats, ground: Floats) -> Floats:
    """Return the polynomial (h, w, 3) through the ground, by reweighted least squares.

    Geman and McClure's weights, graduated from loose to tight, leave out what is not backdrop
    though the guess says so.
    """
    terms, degrees = _polynomials(ground.shape)
    colours, prior = small.reshape(-1, 3).astype(np.float64), np.square(ground.ravel()) + 1e-9
    stiff = np.diag(STIFFNESS * np.square(degrees) * prior.sum())
    weight, scale = prior, LOOSE
    while True:
        weighted = terms * weight[:, None]
        fitted = terms @ np.linalg.solve(weighted.T @ terms + stiff, weighted.T @ colours)
        if scale < TIGHT:
            return fitted.reshape(small.shape).astype(np.float32)
        scale *= 0.75
        apart = np.square(fitted - colours).sum(axis=1)
        weight = prior / np.square(1 + apart / scale**2)


def _polynomials(shape: tuple[int, ...]) -> tuple[Floats, NDArray[np.int_]]:
    """Return Legendre products (h * w, n) up to `DEGREE`, and the degree of each."""
    down, across = (
        np.polynomial.legendre.legvander(np.linspace(-1, 1, side), DEGREE) for side in shape
    )
    pairs = [(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)]
    terms = [np.outer(down[:, i], across[:, j]).ravel() for i, j in pairs]
    return np.stack(terms, axis=1), np.array([i + j for i, j in pairs])


def _bend(surface: Floats, small: Floats, ground: Floats) -> Floats:
    """Return the surface bent to the pixels that belong to it, and to a glow that grows from it."""
    apart = small - surface
    near = (channels.length(apart) < NEAR) & (ground > LIT)
    steps = channels.largest(np.abs(cv2.Laplacian(small, cv2.CV_32F)))
    glow = (channels.smallest(apart) > -NEAR) & (steps < EDGE) & (ground > LIT)
    labels = cv2.connectedComponents((near | glow).astype(np.uint8), connectivity=4)[1]
    known = (near | glow) & (share_of(near, labels) > 0.5)
    change = spread(apart, known)
    bent: Floats = surface + cv2.GaussianBlur(change, (0, 0), 2)
    return bent


def shade(picture: Floats, backdrop: Floats) -> tuple[Floats, Floats]:
    """Return the share of light (h, w) that a shadow took, and how far the colour is off then."""
    energy = np.maximum(channels.total(np.square(backdrop)), 1e-4)
    light = np.clip(channels.total(picture * backdrop) / energy, 0, 1)
    return 1 - light, channels.length(picture - light[..., None] * backdrop)


def figure_odds(picture: Floats, backdrop: Backdrop, figure: Floats, chance: Floats) -> Floats:
    """Return what the backdrop says of each pixel, as log odds (h, w) that a thing covers it.

    Args:
        picture: (h, w, 3) RGB in [0, 1].
        backdrop: As fitted, of the same size.
        figure: (h, w) in [0, 1], roughly where the things are.
        chance: (h, w) in [0, 1], how surely a pixel shows any.
    """
    bare, missing, off, stands = _told_apart(picture, backdrop)
    gaps, _ = find_gaps(picture, missing, off, stands, chance)
    patches = _patches(bare)
    inside = share_of(figure, patches)
    inside[patches == 0] = 0.5
    open_ground = (bare & (inside < 0.3)) | gaps
    shaded = ~bare & ~stands & _falls_gently(missing, open_ground, stands)
    odds = np.full(figure.shape, SHARP, np.float32)
    odds[_edges(~bare & ~stands & ~shaded, stands)] = BLURRED
    odds[shaded] = SHADED
    odds += HELD * _ramp(np.minimum(figure, chance), *SURELY)
    odds[bare] = (BARE + HOLE * _ramp(0.6 - inside, 0, 0.4))[bare]
    odds[gaps] = BARE
    odds[stands] = STANDS
    odds[_thin(stands) & _missed(picture, stands, figure) & (chance > NEVER)] = MISSED
    odds[stands & _glows(picture, backdrop.colours) & (chance < HARDLY)] = 0
    return odds


def clear_ground(picture: Floats, backdrop: Backdrop, figure: Floats, chance: Floats) -> Floats:
    """Return the figure (h, w) without what was drawn over bare backdrop and shadows.

    Bare backdrop in a handle, say, is told from what shines in its colours as one patch.

    Args:
        picture: (h, w, 3) RGB in [0, 1].
        backdrop: As fitted, of the same size.
        figure: (h, w) in [0, 1], roughly where the things are.
        chance: (h, w) in [0, 1], how surely a pixel shows any.
    """
    bare, missing, off, stands = _told_apart(picture, backdrop)
    gaps, edges = find_gaps(picture, missing, off, stands, chance)
    patches = _patches(bare)
    outside = (patches > 0) & (share_of(figure, patches) <= DRAWN)
    holes = _find_holes(picture, backdrop, outside, chance)
    around = _falls_gently(missing, holes | gaps, stands | outside) & (chance < FIRM)
    opened = np.where(holes | gaps | around, 0, figure)
    opened = np.where(edges & ~stands, np.minimum(opened, 0.5), opened)
    dim = ~bare & ~stands & (missing < DIM)
    cleared: Floats = np.where(dim, np.minimum(opened, _ramp(chance, *MAYBE)), opened)
    return cleared


def _told_apart(
    picture: Floats, backdrop: Backdrop
) -> tuple[NDArray[np.bool_], Floats, Floats, NDArray[np.bool_]]:
    """Return where bare backdrop is, what `shade` says, and where no shadow on it could be either.

    That is of another hue, or far too dark; on a black backdrop nothing bare may count as dark.
    """
    bare = backdrop.shows(picture)
    missing, off = shade(picture, backdrop.colours)
    stands: NDArray[np.bool_] = ~bare & ((off > TINT + 0.1 * missing) | (missing > DENSE))
    return bare, missing, off, stands


def _glows(picture: Floats, backdrop: Floats) -> NDArray[np.bool_]:
    """Return where (h, w) a picture has more light of a dark backdrop's own hue, (h, w, 3) both."""
    energy = np.maximum(channels.total(np.square(backdrop)), 1e-4)
    light = channels.total(picture * backdrop) / energy
    off = channels.length(picture - light[..., None] * backdrop)
    glows: NDArray[np.bool_] = (channels.mean(backdrop) < DIMLY) & (light > 1) & (off < TINT)
    return glows


def _patches(bare: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the number (h, w) of the patch of bare backdrop that a pixel is in, and 0 elsewhere.

    Specks and necks are no part of any.
    """
    core = cv2.morphologyEx(bare.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    patches: NDArray[np.int32] = cv2.connectedComponents(core, connectivity=4)[1]
    return patches


def _find_holes(
    picture: Floats, backdrop: Backdrop, outside: NDArray[np.bool_], chance: Floats
) -> NDArray[np.bool_]:
    """Return which patches of bare backdrop within things are no part of these, as (h, w).

    A vivid backdrop is known there by a colour that is only nearly its own, if things have hardly
    any such colour where they are sure.
    """
    nearly, sure = backdrop.shows(picture, NEARLY), chance > FIRM
    vivid = _ramp(channels.largest(backdrop.colours) - channels.smallest(backdrop.colours), *VIVID)
    vivid *= nearly[sure].sum() <= RARE * sure.sum()
    least, hollow = (np.interp(vivid, (0, 1), bounds) for bounds in (LEAST, HOLLOW))
    told = nearly & (vivid > 0.5)
    patches = _patches((told | backdrop.shows(picture)) & ~outside)
    size = np.bincount(patches.ravel())[patches] / patches.size
    holes = (patches > 0) & (size > least) & (share_of(chance, patches) < hollow)
    near = cv2.dilate(holes.astype(np.uint8), np.ones((2 * AROUND + 1,) * 2, np.uint8)) > 0
    found: NDArray[np.bool_] = holes | (near & told)
    return found


def _thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the parts of a mask that are far from all that is broad, whose rims are ragged."""
    side = 2 * round(WIDE * max(mask.shape) / 2) + 1
    there, kernel = mask.astype(np.uint8), np.ones((side, side), np.uint8)
    broad = cv2.dilate(cv2.morphologyEx(there, cv2.MORPH_OPEN, kernel), kernel)
    thin: NDArray[np.bool_] = mask & (broad == 0)
    return thin


def _missed(picture: Floats, stands: NDArray[np.bool_], figure: Floats) -> NDArray[np.bool_]:
    """Return where something is figure for the most part, or long, sharp and clear of the frame.

    A table's edge runs out of the picture, dust is small, and clouds have no edge.
    """
    height, width = stands.shape
    there, kernel = stands.astype(np.uint8), np.ones((3, 3), np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(there)
    left, top, across, down = boxes.T[:4]
    clear = (left > 0) & (top > 0) & (left + across < width) & (top + down < height)
    steps = channels.largest(cv2.morphologyEx(picture, cv2.MORPH_GRADIENT, kernel))
    rims = np.where(cv2.erode(there, kernel) == 0, labels, 0)
    rim, sharp = (np.bincount(rims.ravel(), x, len(boxes)) for x in (None, steps.ravel() > NEAR))
    alone = clear & (np.maximum(across, down) > LONG * max(stands.shape)) & (sharp > rim / 2)
    missed: NDArray[np.bool_] = alone[labels] | (share_of(figure, labels) > 0.5)
    return missed


def _edges(neither: NDArray[np.bool_], stands: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what is neither backdrop nor thing only because it is the blurred edge of a thing."""
    kernel, around = np.ones((BLUR, BLUR), np.uint8), np.ones((2 * BLUR + 1,) * 2, np.uint8)
    wide = cv2.morphologyEx(neither.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    near = cv2.dilate(stands.astype(np.uint8), around)
    edges: NDArray[np.bool_] = neither & (near > 0) & (wide == 0)
    return edges


def _falls_gently(
    missing: Floats, start: NDArray[np.bool_], barrier: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return where one comes from the start without a sudden step in the light that is missing."""
    levels = np.rint(cv2.GaussianBlur(missing, (0, 0), 1) * 255).astype(np.uint8)
    reached = np.pad(barrier.astype(np.uint8), 1)
    begun = start.astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(begun, connectivity=4)
    depths = cv2.distanceTransform(begun, cv2.DIST_L1, 3)
    flags = cv2.FLOODFILL_MASK_ONLY | (2 << 8) | 4
    for label in range(1, count):
        left, top, width, height, area = (int(number) for number in boxes[label])
        if area > 20:
            # On the rim of a hole the light still falls.
            box = np.s_[top : top + height, left : left + width]
            deepest = int(np.where(labels[box] == label, depths[box], 0).argmax())
            row, column = top + deepest // width, left + deepest % width
            if not reached[row + 1, column + 1]:
                cv2.floodFill(levels, reached, (column, row), 0, STEP, STEP, flags)
    gentle: NDArray[np.bool_] = reached[1:-1, 1:-1] == 2
    return gentle


def share_of(values: NDArray[np.generic], labels: NDArray[np.int32]) -> Floats:
    """Return at each pixel (h, w) the mean of the values over its region."""
    sums = np.bincount(labels.ravel(), values.ravel())
    sizes = np.maximum(np.bincount(labels.ravel()), 1)
    mean: Floats = (sums / sizes)[labels].astype(np.float32)
    return mean


def _ramp(values: Floats, start: float, end: float) -> Floats:
    """Return values from 0 at the start to 1 at the end, smoothly (Hermite)."""
    t = np.clip((values - start) / (end - start), 0, 1)
    smooth: Floats = t * t * (3 - 2 * t)
    return smooth
