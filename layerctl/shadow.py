"""Shadows: how much light they take from the background, and what they take from its colours.

Where the model sees a shadow the photo says how dense it is: as much as it is darker there than the
background would be. That is smooth, as light has no edges. Only beside the things themselves it is
told pixel by pixel, on a plain backdrop: a sharpened photo has lines of light there, which a smooth
shadow would leave to the backdrop as a drawing of what stood before it.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl import channels
from layerctl.backdrop import TINT, shade, share_of
from layerctl.compositing import Bytes, Floats, Stack, pick
from layerctl.pyramid import spread
from layerctl.sketch import NEARBY, Sketch, alone

FAINT, SHADED = 0.05, 0.15
"""Alphas up to which a shadow is none, and from which it is one."""

HINT = 0.02
"""Alpha up to which a whole shadow is none on a plain backdrop, where nothing else is darker."""

GLOOMY = 0.2
"""Light of a plain backdrop, in [0, 1], up to which it is too dark to show a shadow."""

NIGHT = 0.06
"""Light of any background up to which it shows none; it shows all of one from twice as much."""

BESIDE = 9
"""Width in pixels of a thing's outline, beside which a shadow begins."""

EVEN, TEXTURED = 0.003, 0.006
"""Blurs of a measured shadow, as shares of the longest side, on a plain backdrop and on others:
less is grain and texture, not light.
"""

DENSEST = 0.6
"""Alpha of a shadow at most where a backdrop is not plain: what is darker is dark itself, and would
come out as a glaring colour in full light.
"""

TINTED = 0.06, 0.16
"""How far, in [0, 1], colours may be from those of the background, darkened, to be shaded surely,
and to be at all: beyond that something else is there, out of focus, say.
"""

LEAST = 1e-6
"""What nothing is divided by less than."""

DARK = 0.05
"""Sum of the squares of a colour, in [0, 1], that tells of light half as surely as a bright one."""


def cast_shadow(sketch: Sketch, k: int) -> Sketch:
    """Return the sketch with the alpha of its shadow, layer k, as the photo says."""
    ground = sketch.shares[0] + sketch.shares[k]
    layers, shares = sketch.layers.copy(), sketch.shares.copy()
    layers[k, ..., 3] = _measure_shadow(sketch, layers[k, ..., 3], ground)
    shares[k] = ground * layers[k, ..., 3]
    shares[0] = ground - shares[k]
    return replace(sketch, layers=layers, shares=shares)


def _measure_shadow(sketch: Sketch, rough: Floats, ground: Floats) -> Floats:
    """Return a shadow's alpha (h, w): near where the model sees one, as dark as the photo says.

    How much darker the photo is than the background would be without it. Light has no edges to
    follow, so the result is smooth.
    """
    picture, lit = sketch.small[..., :3], sketch.layers[0, ..., :3]
    bare = alone(ground * sketch.small[..., 3])
    if sketch.backdrop.plain:
        rough = cv2.blur(nearby(rough), _window(rough))
    else:
        lit = lit + spread(picture - lit, bare & (rough < FAINT))
    light = channels.mean(np.clip(lit, LEAST, 1))
    missing = (1 - channels.mean(picture) / light) * np.clip(light / NIGHT - 1, 0, 1)
    # Noise has to cancel out, while a highlight gives no light back to what is around it.
    missing = np.maximum(missing, -FAINT)
    known = spread(missing[..., None], bare)[..., 0]
    blur = (EVEN if sketch.backdrop.plain else TEXTURED) * max(rough.shape)
    smooth = np.maximum(cv2.GaussianBlur(known, (0, 0), blur), 0)
    near = np.clip((rough - FAINT) / (SHADED - FAINT), 0, 1)
    if sketch.backdrop.plain:
        near = np.maximum(near, _reached(picture, lit, smooth, near > 0.5, ground))
    alpha: Floats = smooth * near
    if not sketch.backdrop.plain:
        alpha = np.minimum(alpha * _neutral(picture, lit, bare), DENSEST)
    least = HINT if sketch.backdrop.plain else FAINT
    return alpha if alpha.max(initial=0) > least else np.zeros_like(alpha)


def _reached(
    picture: Floats, lit: Floats, missing: Floats, drawn: NDArray[np.bool_], ground: Floats
) -> Floats:
    """Return how surely (h, w) a plain backdrop is in a shadow that begins where one is known.

    That is where one was drawn, or at a thing: the whole patch that is darker there, if it has the
    backdrop's hue and is nowhere as dark as dark things are.

    Args:
        picture: (h, w, 3), the photo.
        lit: (h, w, 3), the backdrop without a shadow on it.
        missing: (h, w), the share of the light that is missing, smooth.
        drawn: (h, w), where a shadow was drawn.
        ground: (h, w), the share of the backdrop and its shadow.
    """
    blur = EVEN * max(ground.shape)
    off = cv2.GaussianBlur(shade(picture, lit)[1], (0, 0), blur)
    things = (ground < 0.5).astype(np.uint8)
    dim = (missing > HINT) & (off < TINT) & (things == 0) & (channels.mean(lit) > GLOOMY)
    begun = drawn | (cv2.dilate(things, np.ones((BESIDE, BESIDE), np.uint8)) > 0)
    patches = cv2.connectedComponents(dim.astype(np.uint8))[1]
    shadow = dim & (share_of(begun, patches) > 0) & (share_of(missing > DENSEST, patches) == 0)
    reached = cv2.GaussianBlur(shadow.astype(np.float32), (0, 0), blur)
    surely: Floats = np.clip(2 * reached, 0, 1)
    return surely


def _neutral(picture: Floats, lit: Floats, bare: NDArray[np.bool_]) -> Floats:
    """Return how surely (h, w) what the photo shows is the background, whatever its light.

    Args:
        picture: (h, w, 3), the photo.
        lit: (h, w, 3), the background without a shadow on it.
        bare: (h, w), where the photo shows the background.
    """
    light = channels.total(picture * lit) / np.maximum(channels.total(np.square(lit)), 1e-4)
    other = spread(picture - light[..., None] * lit, bare)
    # Texture has to cancel out: its colours are other ones, too.
    off = channels.length(cv2.GaussianBlur(other, (0, 0), TEXTURED * max(bare.shape)))
    sure, never = TINTED
    neutral: Floats = np.clip((never - off) / (never - sure), 0, 1)
    return neutral


def nearby(alpha: Floats) -> Floats:
    """Return the most (h, w) there is of an alpha within reach on a plain surface."""
    most: Floats = cv2.dilate(alpha, np.ones(_window(alpha)))
    return most


def _window(image: Floats) -> tuple[int, int]:
    """Return the size in pixels of what is within reach on a plain surface."""
    side = 2 * round(NEARBY * max(image.shape)) + 1
    return side, side


def settle_shadow(photo: Bytes, stack: Stack, near: Bytes, ground: tuple[bool, ...]) -> Stack:
    """Return the stack with its shadow, around things, as dense as keeps the background as it is.

    Where things cover most of a pixel, or where the background is nearly black, the photo says
    little of a shadow, and it hardly changes. Of several shadows none does.

    Args:
        photo: (H, W, 4) straight RGBA.
        stack: Alphas and colours, the background's complete and plain.
        near: (K, H, W), how much of each layer is around each pixel.
        ground: For each layer whether it is the background or a shadow on it.
    """
    things, shadows = np.flatnonzero(~np.array(ground)), np.flatnonzero(stack.black)
    if not len(things) or len(shadows) != 1:
        return stack
    where = near[things].any(axis=0) & (stack.alphas[things].max(axis=0) < 255)
    alphas, colours = (
        pick(levels, where) / np.float32(255) for levels in (stack.alphas, stack.colours)
    )
    clear, shown = np.ones(alphas.shape[1], np.float32), np.zeros_like(colours[0])
    for k in things[::-1]:
        shown += (clear * alphas[k])[:, None] * colours[k]
        clear *= 1 - alphas[k]
    behind = pick(photo[None], where)[0, :, :3] / np.float32(255) - shown
    energy = channels.total(np.square(colours[0]))
    needed = 1 - channels.total(behind * colours[0]) / np.maximum(energy * clear, LEAST)
    sure = np.square(clear) / (np.square(clear) + np.square(1 - clear))
    sure *= energy / (energy + DARK)
    (shadow,) = shadows
    density = np.clip(alphas[shadow] + sure * (needed - alphas[shadow]), 0, 1)
    settled = stack.alphas.copy()
    settled[shadow][where] = np.rint(density * 255)
    return replace(stack, alphas=settled)
