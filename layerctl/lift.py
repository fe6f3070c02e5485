"""The model's small layers become layers of the photo's own size whose pixels are the photo's.

What a photo shows of a stack are the weights of its layers (see `compositing`): edges are taken
from the photo where a layer is seen, and from the model where it is hidden. Colours are the
model's plus what the photo says about them (see `paint`); the solver then makes the sum exact.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl.backdrop import Backdrop, fit_backdrop
from layerctl.compositing import Bytes, Floats, Stack, bands, fit_alphas, solve, weights
from layerctl.document import Role
from layerctl.focus import soft_outlines
from layerctl.matting import (
    cut_out,
    cut_reach,
    edge_lines,
    find_outlines,
    follow_edges,
    look_around,
    settle_edges,
    sweep,
    uncover,
)
from layerctl.paint import paint_ground, paint_layers
from layerctl.pyramid import spread
from layerctl.rims import Doubt, clear_rims
from layerctl.shadow import SHADED, cast_shadow, nearby, settle_shadow
from layerctl.sketch import Guess, Sketch, alone
from layerctl.surroundings import Palette
from layerctl.workers import work_on

TRACE = 0.1
"""Share of a pixel from which the model saw something of a layer there."""

SHARPEN = 4
"""Power that makes of a soft division of a pixel between things a nearly hard one."""

RIM = 2
"""Width of what an edge may leave on the backdrop, in widths of the outline."""

SOFT = 12
"""Width of an outline out of focus at most, in widths of others."""

HALF = 0.5
"""What the ground near a shadow counts for a plain backdrop's colours: these are not bent to it."""


def lift(photo: Bytes, guess: Guess, detail: int, *, edges: bool = True) -> Stack:
    """Return the layers at the photo's size, composing to the photo within 1 level of 255.

    Args:
        photo: (H, W, 4) straight RGBA.
        guess: The model's layers, of any size and about the photo's aspect.
        detail: Longest side, in pixels, at which edges and hidden colour are worked out.
        edges: Whether edges follow the photo; the model's own, enlarged, otherwise.
    """
    sketch = _draw(photo, guess, detail)
    cut = _cut_layers(guess, sketch.backdrop) if edges else (False,) * len(guess.roles)
    if any(cut):
        sketch = _cut_figures(sketch, cut, guess)
    if "shadow" in guess.roles:
        sketch = cast_shadow(sketch, guess.roles.index("shadow"))
    with ThreadPoolExecutor(1) as beside:
        tracing = beside.submit(_native_alphas, photo, sketch, cut, guess.ground)
        painted = paint_layers(sketch, guess.black, cut)
        ground, doubt = paint_ground(sketch, guess.black, painted[0])
    reach = cut_reach(photo.shape, detail) if edges else 0
    draft = _Draft(tracing.result(), painted, ground, doubt, sketch.soft, reach)
    alphas = np.empty_like(draft.alphas)
    colours = np.empty((*alphas.shape, 3), np.uint8)

    def finish(band: slice) -> None:
        finished = _finish(photo, draft, guess, band)
        alphas[:, band], colours[:, band] = finished.alphas, finished.colours

    work_on(bands(photo.shape[:2]), finish)
    return Stack(alphas, colours, guess.black)


@dataclass(frozen=True, eq=False)
class _Draft:
    """Layers whose edges and colours are not yet the photo's, pixel by pixel.

    `alphas` (K, H, W) have its size. `colours` (K, h, w, 3) and `ground` (h, w, 3), those of the
    background with its texture, are small; so are their `doubt` and `soft` (h, w), where outlines
    are out of focus. Other outlines are off by `reach` pixels at most; by none if edges do not
    follow the photo.
    """

    alphas: Bytes
    colours: Floats
    ground: Floats
    doubt: Doubt
    soft: NDArray[np.bool_]
    reach: int


def _finish(photo: Bytes, draft: _Draft, guess: Guess, band: slice) -> Stack:
    """Return a band of the layers at the photo's size, whose pixels they compose to."""
    pixels, shape = photo[band], photo.shape
    smooth, *rest = (_as_bytes(_enlarge(layer, shape, band)) for layer in draft.colours)
    rough = Stack(draft.alphas[:, band], np.stack([smooth, *rest]), guess.black)
    if draft.reach:
        blurred = _enlarge(draft.soft.astype(np.float32), shape, band) > 0.5
        outlines = _outlines(draft.alphas, blurred, band, draft.reach)
        outlines &= ~np.array(guess.ground)[:, None, None]
        doubt = _enlarge_doubt(draft.doubt, shape, band)
        grain = doubt.grain * ~(blurred | doubt.plain)
        rough = replace(rough, alphas=settle_edges(pixels, rough, outlines, grain))
    # Only now: edges were told from smooth colours, which grain would have led astray.
    rough.colours[0] = _as_bytes(_enlarge(draft.ground, shape, band))
    if draft.reach:
        around = look_around(draft.alphas, band, RIM * draft.reach)
        rough = _clear_ground(pixels, rough, around, guess.ground, doubt)
    fitted = replace(rough, alphas=fit_alphas(pixels, rough.alphas, guess.black))
    return replace(fitted, colours=solve(pixels, fitted))


def _clear_ground(
    photo: Bytes, stack: Stack, near: Bytes, ground: tuple[bool, ...], doubt: Doubt
) -> Stack:
    """Return the stack without what edges would leave on the background, as in `clear_rims`."""
    settled = settle_shadow(photo, stack, near, ground) if doubt.plain else stack
    return clear_rims(photo, settled, near, ground, doubt)


def _draw(photo: Bytes, guess: Guess, detail: int) -> Sketch:
    """Return the guess as it is, save for the backdrop where that is plain in an opaque photo."""
    small = _shrink(photo, detail).astype(np.float32) / 255
    layers = np.stack([_resize(layer, small.shape) for layer in guess.layers])
    layers[0, ..., 3] = 1
    shares = weights(layers[..., 3])
    backdrop = fit_backdrop(small[..., :3], shares[0] * _lit(layers, guess.roles))
    if small[..., 3].min() < 1:
        backdrop = replace(backdrop, plain=False)
    if backdrop.plain:
        layers[0, ..., :3] = backdrop.colours
    coarse = max(1.0, max(small.shape) / max(guess.layers.shape[1:3]))
    return Sketch(small, layers, shares, backdrop, coarse, np.zeros(small.shape[:2], np.bool_))


def _lit(layers: Floats, roles: tuple[Role, ...]) -> Floats:
    """Return how surely (h, w) no shadow falls: on plain ground they reach farther than drawn."""
    lit = np.ones(layers.shape[1:3], np.float32)
    for layer, role in zip(layers, roles, strict=True):
        if role == "shadow":
            lit[nearby(layer[..., 3]) > SHADED] = HALF
    return lit


def _cut_layers(guess: Guess, backdrop: Backdrop) -> tuple[bool, ...]:
    """Return which layers to cut out: thin ones only if more is known of the ground than drawn."""
    known = backdrop.plain or guess.chance.min() < 1
    return tuple(not ground for ground in guess.ground) if known else guess.cut


def _cut_figures(sketch: Sketch, cut: tuple[bool, ...], guess: Guess) -> Sketch:
    """Return the sketch with the outline of the layers to cut together moved onto the photo's."""
    inside, shares = np.array(cut), sketch.shares
    rough = shares[inside].sum(axis=0)
    chance = _resize(guess.chance, rough.shape)
    text = np.array([role == "text" for role in guess.roles])
    figure = cut_out(sketch.small[..., :3], rough, chance, sketch.backdrop)
    figure = sweep(figure, chance, shares[text].sum(axis=0))
    adjusted = np.empty_like(shares)
    for side, total, power in ((inside, figure, SHARPEN), (~inside, 1 - figure, 1)):
        adjusted[side] = _claim(shares[side], total > 0.5, power) * total
    soft = soft_outlines(sketch.small[..., :3], figure)
    return replace(sketch, shares=adjusted, soft=soft)


def _claim(shares: Floats, where: NDArray[np.bool_], power: int) -> Floats:
    """Return shares (K, h, w) that sum to one: a pixel nobody had goes to whoever is nearest."""
    total = shares.sum(axis=0)
    nearest = spread(np.moveaxis(shares, 0, -1), where & (total > TRACE)).argmax(axis=-1)
    owner = np.arange(len(shares))[:, None, None] == nearest
    claimed = np.where(where & (total > 0.5), shares**power, owner)
    split: Floats = claimed / claimed.sum(axis=0)
    return split


def _native_alphas(
    photo: Bytes, sketch: Sketch, cut: tuple[bool, ...], ground: tuple[bool, ...]
) -> Bytes:
    """Return (K, H, W) alphas: the model's, and for layers that were cut such as give their shares.

    These are outlined together with those above them, so that nothing shines through where two
    of them meet. Out of sight they have the model's alpha.
    """
    small = (_background_alpha(sketch), *sketch.layers[1:, ..., 3])
    lines = _outline_together(photo, sketch, cut, ~np.array(cut) & ~np.array(ground))
    alphas = np.empty((len(cut), *photo.shape[:2]), np.uint8)

    def trace(band: slice) -> None:
        pixels = photo[band] / np.float32(255)
        pixels[..., 3] = 1
        covered = np.zeros(pixels.shape[:2], np.float32)
        for alpha, rough in zip(alphas, small, strict=True):
            alpha[band] = _as_bytes(_enlarge(rough, photo.shape, band))
        for k, line in lines.items():
            covering = follow_edges(pixels, _enlarge(line, photo.shape, band))
            alphas[k, band] = _as_bytes(uncover(covering, covered, alphas[k, band]))
            covered = np.maximum(covering, covered)

    work_on(bands(photo.shape[:2]), trace)
    return alphas


def _outlines(
    native: Bytes, blurred: NDArray[np.bool_], band: slice, reach: int
) -> NDArray[np.bool_]:
    """Return where in a band outlines of alphas (K, H, W) may be: farther off if out of focus."""
    outlines = find_outlines(native, band, reach)
    if blurred.any():
        outlines |= blurred & find_outlines(native, band, SOFT * reach)
    return outlines


def _outline_together(
    photo: Bytes, sketch: Sketch, cut: tuple[bool, ...], thin: NDArray[np.bool_]
) -> dict[int, Floats]:
    """Return the edge lines of each layer that is cut, together with those above, top first."""
    behind_thin = np.maximum(1 - sketch.shares[thin].sum(axis=0), 0.05)
    together = np.zeros_like(behind_thin)
    # Sampled, not averaged: as noisy as the pixels that the lines are for.
    sampled = cv2.resize(photo, together.shape[::-1])[..., :3] / np.float32(255)
    lines = {}
    for k in np.flatnonzero(cut)[::-1]:
        together += sketch.shares[k] / behind_thin
        lines[int(k)] = edge_lines(sampled, together)
    return lines


def _background_alpha(sketch: Sketch) -> Floats:
    """Return a first guess at the background's alpha: the photo's, carried on behind the rest."""
    return spread(sketch.small[..., 3:], alone(sketch.shares[0]))[..., 0]


def _shrink(photo: Bytes, longest: int) -> Bytes:
    """Return the photo at most `longest` pixels a side."""
    height, width = photo.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return photo
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small: Bytes = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    return small


def _resize(image: Floats, shape: tuple[int, ...]) -> Floats:
    """Return (h, w) or (h, w, C) enlarged smoothly to the first two sizes of `shape`."""
    enlarged: Floats = cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return enlarged.reshape(*shape[:2], *image.shape[2:])


def _enlarge(image: Floats, shape: tuple[int, ...], band: slice) -> Floats:
    """Return a band of (h, w) or (h, w, C) enlarged smoothly to the first two sizes of `shape`."""
    last = len(image) - 1
    at = (np.arange(band.start, band.stop) + 0.5) * len(image) / shape[0] - 0.5
    above = np.clip(np.floor(at), 0, last).astype(int)
    below = np.minimum(above + 1, last)
    near = np.clip(at - above, 0, 1).astype(np.float32).reshape(-1, *(1,) * (image.ndim - 1))
    return _resize(image[above] * (1 - near) + image[below] * near, (len(at), shape[1]))


def _enlarge_doubt(doubt: Doubt, shape: tuple[int, ...], band: slice) -> Doubt:
    """Return a band of a background's doubt (h, w) enlarged to the first two sizes of `shape`."""

    def enlarged(palette: Palette) -> Palette:
        least, most = (_enlarge(bound, shape, band) for bound in (palette.least, palette.most))
        return Palette(least, most)

    colour, grain = (_enlarge(off, shape, band) for off in (doubt.colour, doubt.grain))
    nearby = enlarged(doubt.nearby) if doubt.nearby else None
    return Doubt(colour, grain, nearby, enlarged(doubt.own))


def _as_bytes(image: Floats) -> Bytes:
    """Return the levels of an image in [0, 1]."""
    levels: Bytes = cv2.convertScaleAbs(np.ascontiguousarray(image).reshape(-1), alpha=255)
    return levels.reshape(image.shape)
