"""Source-over arithmetic, and the solver that makes a stack of layers give a photo back exactly.

A stack of layers k = 0..K-1, bottom first, with alpha a_k and straight colour c_k shows
sum_k w_k c_k with the weights w_k = a_k * prod_{j>k} (1 - a_j) (Porter and Duff 1984).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]
"""float32 in fact; NumPy's stubs lose the width in arithmetic with plain numbers."""

Bytes: TypeAlias = NDArray[np.uint8]

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
    fitted = np.empty_like(alphas)
    for band in bands(photo.shape[:2]):
        fitted[:, band] = _fit_band(photo[band], alphas[:, band], black)
    return fitted


def _fit_band(photo: Bytes, alphas: Bytes, black: tuple[bool, ...]) -> Bytes:
    fitted = np.empty_like(alphas)
    target = photo[..., 3].astype(np.float32) / 255
    # The stack's alpha may come out half a level short of the photo's: count on the less.
    least = np.where(target < 1, np.maximum(target - 0.5 / 255, 0), 1)
    dark = least * (1 - photo[..., :3].max(axis=-1).astype(np.float32) / 255)
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
    solved = np.empty_like(stack.colours)
    for band in bands(photo.shape[:2]):
        _solve_band(photo[band, :, :3], stack, band, solved)
    return solved


def _solve_band(photo: Bytes, stack: Stack, band: slice, solved: Bytes) -> None:
    shares = weights(stack.alphas[:, band].astype(np.float32) / np.float32(255))
    total = shares.sum(axis=0)
    shares /= np.maximum(total, 1e-9)
    colours = solved[:, band]
    colours[:] = stack.colours[:, band]
    for k, black in enumerate(stack.black):
        if black:
            colours[k] = 0
            continue
        np.copyto(colours[k], photo, where=(shares[k] > 0.9999)[..., None])
    mixed = (total > 0) & (shares.max(axis=0) <= 0.9999)
    free = shares[:, mixed] * ~np.array(stack.black)[:, None]
    colours[:, mixed] = _meet(photo[mixed].astype(np.float32), free, colours[:, mixed])


def _meet(target: Floats, free: Floats, guess: Bytes) -> Bytes:
    """Return colours (K, M, 3) with sum_k free_k c_k = target (M, 3), nearest to the guess."""
    colours = guess.astype(np.float32)
    for _ in range(SWEEPS):
        residual = target - np.einsum("km,kmc->mc", free, colours)
        if np.abs(residual).max(initial=0) < TOLERANCE:
            break
        movable = np.where(residual > 0, colours < 255, colours > 0) * free[..., None]
        energy = np.einsum("kmc,kmc->mc", movable, movable)
        colours += movable * (residual / np.maximum(energy, 1e-9))
        np.clip(colours, 0, 255, out=colours)
    np.rint(colours, out=colours)
    residual = target - np.einsum("km,kmc->mc", free, colours)
    top, column = free.argmax(axis=0), np.arange(free.shape[1])
    step = np.rint(residual / np.maximum(free[top, column], 1e-6)[:, None])
    colours[top, column] += step
    return np.clip(colours, 0, 255).astype(np.uint8)


def bands(shape: tuple[int, int]) -> Iterator[slice]:
    """Yield row slices of about `BAND_PIXELS` pixels that cover a (height, width) canvas."""
    height, width = shape
    rows = max(1, BAND_PIXELS // max(width, 1))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
