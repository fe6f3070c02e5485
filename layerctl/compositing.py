"""Source-over arithmetic, and the solver that makes a stack of layers give a photo back exactly.

A stack of layers k = 0..K-1, bottom first, with alpha a_k and straight colour c_k shows
sum_k w_k c_k with the weights w_k = a_k * prod_{j>k} (1 - a_j) (Porter and Duff 1984).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]
"""float32 in fact; NumPy's stubs lose the width in arithmetic with plain numbers."""

Bytes: TypeAlias = NDArray[np.uint8]

Values = TypeVar("Values", Floats, Bytes, NDArray[np.bool_])

BAND_PIXELS = 1 << 19
"""Pixels worked on at once: bounds memory at any photo size."""

SWEEPS = 6
"""Clipping moves a residual to the other layers; after so many rounds none is left in practice."""

TOLERANCE = 0.01
"""Residual, in levels of 255, that rounding hides anyway."""


def over(canvas: Floats, source: Bytes, *, opacity: float = 1.0, multiply: bool = False) -> None:
    """Composite `source` onto `canvas` in place.

    `canvas` is (h, w, 4) premultiplied in [0, 1]; `source` is (h, w, 4) straight RGBA.
    Multiply follows the PDF blend-mode formula, which equals source-over where `source` is black.
    """
    alpha = source[..., 3:].astype(np.float32) * np.float32(opacity / 255)
    painted = alpha * source[..., :3].astype(np.float32) / 255
    if multiply:
        painted *= 1 - canvas[..., 3:] + canvas[..., :3]
    canvas *= 1 - alpha
    canvas[..., :3] += painted
    canvas[..., 3:] += alpha


def straight(canvas: Floats) -> Bytes:
    """Return a premultiplied canvas in [0, 1] as straight RGBA bytes, rounded once."""
    alpha = canvas[..., 3:]
    colour = canvas[..., :3] / np.maximum(alpha, 1e-6)
    pixels = np.concatenate([np.where(alpha > 0, colour, 0), alpha], axis=-1)
    levels: Bytes = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return levels


def weights(alphas: Floats) -> Floats:
    """Return w_k, each layer's share of what is seen: (K, ...) in, (K, ...) out, in [0, 1]."""
    shares = alphas.copy()
    through = np.ones(alphas.shape[1:], np.float32)
    for share in shares[::-1]:
        clear = 1 - share
        share *= through
        through *= clear
    return shares


def fit_alphas(photo: Bytes, alphas: Bytes, black: tuple[bool, ...]) -> Bytes:
    """Return the alphas nearest to a first guess under which the photo can be met exactly.

    Two conditions: the alphas compose to the photo's own alpha, and black layers let through at
    least the light that the photo shows. The bottom layer is solved for; where it cannot be seen
    at all its guess stands.

    Args:
        photo: (H, W, 4) straight RGBA.
        alphas: (K, H, W), bottom first; a first guess.
        black: For each layer whether its colour is fixed at black, as a shadow's is.
    """
    fitted, shadows = alphas.copy(), np.array(black)
    for band in bands(photo.shape[:2]):
        dark = alphas[shadows, band].any(axis=0)
        bound = dark | (photo[band, :, 3] < 255) | (alphas[0, band] < 255)
        some = pick(photo[None, band], bound)[0], pick(alphas[:, band], bound)
        for alpha, levels in zip(fitted, _fit(*some, black), strict=True):
            alpha[band][bound] = levels
    return fitted


def _fit(photo: Bytes, alphas: Bytes, black: tuple[bool, ...]) -> Bytes:
    """Return the fitted alphas (K, M) of M pixels (M, 4)."""
    fitted = np.empty_like(alphas)
    target = photo[..., 3].astype(np.float32) / 255
    # The stack's alpha may come out half a level short of the photo's: count on the less.
    least = np.where(target < 1, np.maximum(target - 0.5 / 255, 0), 1)
    brightest = np.maximum(np.maximum(photo[..., 0], photo[..., 1]), photo[..., 2])
    dark = least * (1 - brightest.astype(np.float32) / 255)
    through = np.ones_like(target)
    for k in range(len(alphas) - 1, 0, -1):
        seen = np.maximum(through, 1e-6)
        cap = 1 - (1 - target) / seen
        if black[k]:
            cap = np.minimum(cap, dark / seen)
        # The small step keeps a cap that is a whole level from being floored one level lower.
        levels = np.floor(np.clip(cap, 0, 1) * 255 + 1e-3).astype(np.uint8)
        fitted[k] = np.minimum(alphas[k], levels)
        alpha = fitted[k].astype(np.float32) / 255
        if black[k]:
            dark -= alpha * through
        through *= 1 - alpha
    exact = np.rint(255 * np.clip(1 - (1 - target) / np.maximum(through, 1e-6), 0, 1))
    fitted[0] = np.where(through > 1e-4, exact, alphas[0])
    return fitted


@dataclass(frozen=True)
class Stack:
    """Layers of one size, bottom first, some of them fixed at black.

    `alphas` is (K, H, W) and `colours` (K, H, W, 3), both uint8; the bottom layer is never black.
    """

    alphas: Bytes
    colours: Bytes
    black: tuple[bool, ...]


def solve(photo: Bytes, stack: Stack) -> Bytes:
    """Return colours (K, H, W, 3) under which the stack composes to the photo.

    The residual r = photo - sum_k w_k c_k is removed with the least change,
    dc_k = w_k r / sum_j w_j^2 over the layers that can still move; black layers stay black, and
    hidden colours (w_k = 0) stay as they are. At most 1 level of 255 is left at any pixel, given
    alphas from `fit_alphas`.

    Args:
        photo: (H, W, 4) straight RGBA.
        stack: Alphas to keep, and a first guess at the colours.
    """
    solved = np.empty(stack.colours.shape, np.uint8)
    for band in bands(photo.shape[:2]):
        _solve_band(photo[band, :, :3], stack, band, solved)
    return solved


def _solve_band(photo: Bytes, stack: Stack, band: slice, solved: Bytes) -> None:
    alphas, colours = stack.alphas[:, band], solved[:, band]
    colours[:] = stack.colours[:, band]
    colours[np.array(stack.black)] = 0
    shown, bare = np.ascontiguousarray(photo), np.ones(photo.shape[:2], np.bool_)
    mixed = np.zeros_like(bare)
    for k in range(len(alphas) - 1, -1, -1):
        if not stack.black[k]:
            np.copyto(_whole(colours[k]), _whole(shown), where=bare & (alphas[k] == 255))
        mixed |= bare & (alphas[k] > 0) & (alphas[k] < 255)
        bare &= alphas[k] == 0
    shares = weights(pick(alphas, mixed) / np.float32(255))
    movable = [k for k, black in enumerate(stack.black) if not black]
    free = (shares / shares.sum(axis=0))[movable]
    target = pick(shown[None], mixed)[0].astype(np.float32)
    met = _meet(target, free, pick(colours, mixed)[movable])
    for k, pixels in zip(movable, met, strict=True):
        _whole(colours[k])[mixed] = _whole(pixels)


def pick(images: Values, where: NDArray[np.bool_]) -> Values:
    """Return what images (K, *where.shape, ...) show at M places: (K, M, ...)."""
    flat = images.reshape(len(images), where.size, *images.shape[1 + where.ndim :])
    return np.take(flat, np.flatnonzero(where), axis=1)


def _whole(images: Values) -> NDArray[np.void]:
    """Return a view (...) of images (..., C) that NumPy moves by the pixel, not by the channel."""
    view: NDArray[np.void] = images.view(f"V{images.shape[-1] * images.itemsize}")[..., 0]
    return view


def _meet(target: Floats, free: Floats, guess: Bytes) -> Bytes:
    """Return colours (K, M, 3) with sum_k free_k c_k = target (M, 3), nearest to the guess."""
    colours = guess.astype(np.float32)
    for _ in range(SWEEPS):
        residual = target - np.einsum("km,kmc->mc", free, colours)
        off = np.flatnonzero(np.einsum("mc,mc->m", residual, residual) > TOLERANCE**2)
        if not len(off):
            break
        some = (values.take(off, axis=1) for values in (residual[None], free, colours))
        moved = _moved(*some)
        _whole(colours)[:, off] = _whole(moved)
    np.rint(colours, out=colours)
    residual = target - np.einsum("km,kmc->mc", free, colours)
    top, column = free.argmax(axis=0), np.arange(free.shape[1])
    step = np.rint(residual / np.maximum(free[top, column], 1e-6)[:, None])
    colours[top, column] += step
    return np.clip(colours, 0, 255).astype(np.uint8)


def _moved(residual: Floats, free: Floats, colours: Floats) -> Floats:
    """Return the colours with the residual removed as far as those that can still move go."""
    movable = np.where(residual > 0, colours < 255, colours > 0) * free[..., None]
    energy = np.einsum("kmc,kmc->mc", movable, movable)
    colours += movable * (residual / np.maximum(energy, 1e-9))
    return np.clip(colours, 0, 255, out=colours)


def bands(shape: tuple[int, int]) -> Iterator[slice]:
    """Yield row slices of about `BAND_PIXELS` pixels that cover a (height, width) canvas."""
    height, width = shape
    rows = max(1, BAND_PIXELS // max(width, 1))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
