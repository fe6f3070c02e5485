"""The model's small layers become layers of the photo's own size whose pixels are the photo's.

What a photo shows of a stack are the weights of its layers (see `compositing`): edges are taken
from the photo where a layer is seen, and from the model where it is hidden. Colours are the
model's plus what the photo says about them, carried smoothly from seen into hidden parts; the
solver then makes the sum exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl.compositing import Bytes, Floats, Stack, fit_alphas, solve, weights
from layerctl.document import Role
from layerctl.matting import cut_out, follow_edges, settle_edges

Image = TypeVar("Image", Floats, Bytes)

TRUST = 0.02
"""How little of a layer must be seen before the model's alpha counts more than the photo."""

FAINT = 0.05
"""Alpha up to which a shadow is none."""

SOFT = 0.006
"""Blur of a measured shadow, as a share of the longest side: less is texture, not light."""

NEIGHBOURHOOD = 0.05
"""Reach, as a share of the longest side, within which a plain surface hardly changes."""

SEEN = 0.95
"""Share of a pixel from which it counts as showing one layer alone."""


@dataclass(frozen=True)
class Guess:
    """What the model made of a photo, bottom first.

    `layers` is (N, h, w, 4) straight RGBA in [0, 1]; the bottom one is the background and counts
    as opaque. `solid` says of each layer whether it has an outline to cut along: strokes of text
    and other thin things have not.
    """

    layers: Floats
    roles: tuple[Role, ...]
    solid: tuple[bool, ...]

    @property
    def black(self) -> tuple[bool, ...]:
        """For each layer whether it is a shadow, whose colour is fixed."""
        return tuple(role == "shadow" for role in self.roles)

    @property
    def ground(self) -> tuple[bool, ...]:
        """For each layer whether it is the background or a shadow on it, without edges to keep."""
        return tuple(role in ("background", "shadow") for role in self.roles)

    @property
    def cut(self) -> tuple[bool, ...]:
        """For each layer whether its outline is cut along the photo's edges."""
        return tuple(s and not g for s, g in zip(self.solid, self.ground, strict=True))


def lift(photo: Bytes, guess: Guess, detail: int, *, edges: bool = True) -> Stack:
    """Return the layers at the photo's size, composing to the photo within 1 level of 255.

    Args:
        photo: (H, W, 4) straight RGBA.
        guess: The model's layers, of any size and about the photo's aspect.
        detail: Longest side, in pixels, at which edges and hidden colour are worked out.
        edges: Whether edges follow the photo; the model's own, enlarged, otherwise.
    """
    small = _shrink(photo, detail).astype(np.float32) / 255
    layers = np.stack([_resize(layer, small.shape) for layer in guess.layers])
    layers[0, ..., 3] = 1
    shares = weights(layers[..., 3])
    if edges:
        shares = _cut_figures(small, shares, guess.cut)
    if "shadow" in guess.roles:
        k = guess.roles.index("shadow")
        layers[k, ..., 3] = _measure_shadow(small[..., :3], layers, shares, k)
        ground = shares[0] + shares[k]
        shares[k] = ground * layers[k, ..., 3]
        shares[0] = ground - shares[k]
    solid = guess.cut if edges else (False,) * len(guess.roles)
    native = _native_alphas(photo, layers[..., 3], shares, solid)
    native[0] = _background_alpha(photo, small, shares[0])
    colours = _colours(small, layers, shares, guess.black)
    painted = np.stack([_resize(_as_bytes(colour), photo.shape) for colour in colours])
    if edges:
        native = settle_edges(photo, Stack(native, painted, guess.black), guess.ground)
    alphas = fit_alphas(photo, native, guess.black)
    return Stack(alphas, solve(photo, Stack(alphas, painted, guess.black)), guess.black)


def _cut_figures(small: Floats, shares: Floats, solid: tuple[bool, ...]) -> Floats:
    """Return the shares with the outline of the solid layers together cut along the photo."""
    inside = np.array(solid)
    cut = cut_out(small[..., :3], shares[inside].sum(axis=0))
    # A pixel that the cut added or took goes to whatever lies next to it.
    near = np.stack([cv2.GaussianBlur(share, (0, 0), 4) for share in shares]) + 1e-9
    adjusted = np.empty_like(shares)
    for side, total in ((inside, cut), (~inside, 1 - cut)):
        split = np.where(shares[side].sum(axis=0) > 0.5, shares[side], near[side])
        adjusted[side] = split / split.sum(axis=0) * total
    return adjusted


def _measure_shadow(small: Floats, layers: Floats, shares: Floats, k: int) -> Floats:
    """Return a shadow's alpha (h, w): where the model sees one, as dark as the photo says.

    How much darker the photo is than the background would be without it, judged by the
    background around it. Light has no edges to follow, so the result is smooth.
    """
    rough, ground = layers[k, ..., 3], shares[0] + shares[k]
    model = layers[0, ..., :3]
    lit = _alone(ground) & (rough < FAINT)
    backdrop = np.clip(model + spread(small - model, lit), 0.05, 1)
    missing = np.clip(1 - small.mean(axis=-1) / backdrop.mean(axis=-1), 0, 1)
    known = spread(missing[..., None], _alone(ground))[..., 0]
    smooth = cv2.GaussianBlur(known, (0, 0), SOFT * max(rough.shape))
    alpha: Floats = smooth * np.clip((rough - FAINT) / (2 * FAINT), 0, 1)
    return alpha if alpha.max(initial=0) > FAINT else np.zeros_like(alpha)


def _native_alphas(photo: Bytes, model: Floats, shares: Floats, solid: tuple[bool, ...]) -> Bytes:
    """Return (K, H, W) alphas: the model's, and for solid layers such as give their shares.

    Out of sight a solid layer has the model's alpha too.
    """
    through = np.ones(photo.shape[:2], np.float32)
    alphas = np.empty((len(shares), *photo.shape[:2]), np.uint8)
    for k in range(len(shares) - 1, -1, -1):
        alpha = _resize(model[k], photo.shape)
        if solid[k]:
            seen = follow_edges(photo, shares[k])
            alpha = (seen + TRUST * alpha) / (through + TRUST)
        alphas[k] = _as_bytes(alpha)
        through *= 1 - alphas[k].astype(np.float32) / 255
    return alphas


def _background_alpha(photo: Bytes, small: Floats, seen: Floats) -> Bytes:
    """Return a first guess at the background's alpha: the photo's, carried on behind the rest."""
    if photo[..., 3].min() == 255:
        return np.full(photo.shape[:2], 255, np.uint8)
    return _as_bytes(_resize(spread(small[..., 3:], _alone(seen))[..., 0], photo.shape))


def _colours(small: Floats, layers: Floats, shares: Floats, black: tuple[bool, ...]) -> Floats:
    """Return (K, h, w, 3) colours: the photo's where a layer is seen, consistent with it elsewhere.

    Light that a shadow takes away is given back first: what the photo shows of the background is
    divided by what the shadow lets through.
    """
    dark = np.array(black)
    lit = np.maximum(shares[~dark].sum(axis=0), 0.05)
    observed = np.clip(small[..., :3] / lit[..., None], 0, 1)
    colours = np.zeros_like(layers[..., :3])
    for k in np.flatnonzero(~dark):
        model = spread(layers[k, ..., :3], layers[k, ..., 3] > 0.5)
        colours[k] = _continue(observed, model, shares[k] / lit)
    return colours


def _continue(observed: Floats, model: Floats, share: Floats) -> Floats:
    """Return what is seen of a layer carried on into its hidden parts, (h, w, 3).

    The model says how the colours of the hidden parts differ from a smooth continuation, and is
    believed as far as the layer is that uneven where it is seen: on a plain backdrop such a
    difference can only be a ghost of what stands in front of it.
    """
    alone = _alone(share)
    structure = model - spread(model, alone)
    hidden = share < 1 - SEEN
    if alone.any() and hidden.any():
        uneven = _unevenness(observed, alone)
        structure *= min(1.0, uneven / max(float(np.abs(structure[hidden]).mean()), 1e-6))
    carried: Floats = np.clip(spread(observed, alone) + structure, 0, 1)
    return carried


def _unevenness(image: Floats, known: NDArray[np.bool_]) -> float:
    """Return how far known pixels are from the mean of their neighbourhood, on average."""
    weight = known.astype(np.float32)[..., None]
    sigma = NEIGHBOURHOOD * max(known.shape)
    around = cv2.GaussianBlur(image * weight, (0, 0), sigma)
    mean = around / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)[..., None]
    return float(np.abs(image - mean)[known].mean())


def _alone(share: Floats) -> NDArray[np.bool_]:
    """Return where a layer is seen and nothing else, safely away from its outline.

    A hard cut calls the soft pixels of an outline pure; they would bleed into what they border.
    """
    pure = (share > SEEN).astype(np.uint8)
    inner: Bytes = cv2.erode(pure, np.ones((5, 5), np.uint8))
    return inner > 0


def spread(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """Return values (h, w, C) with the unknown pixels filled in smoothly from the known ones.

    Push-pull on an image pyramid (Gortler et al., The Lumigraph, 1996, section 3.4); all zero
    where nothing is known at all.
    """
    return _pull(values, known.astype(np.float32)[..., None])


def _pull(values: Floats, confidence: Floats) -> Floats:
    height, width = values.shape[:2]
    if height <= 2 and width <= 2:
        total = confidence.sum(axis=(0, 1))
        mean = (values * confidence).sum(axis=(0, 1)) / np.maximum(total, 1e-6)
        blend: Floats = values * confidence + mean * (1 - confidence)
        return blend
    half = ((width + 1) // 2, (height + 1) // 2)
    weight = _area(confidence, half)
    coarse = _area(values * confidence, half) / np.maximum(weight, 1e-6)
    filled = _pull(coarse, np.minimum(1, 4 * weight))
    return values * confidence + _resize(filled, values.shape) * (1 - confidence)


def _area(image: Floats, size: tuple[int, int]) -> Floats:
    averaged: Floats = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return averaged.reshape(size[1], size[0], -1)


def _shrink(photo: Bytes, longest: int) -> Bytes:
    """Return the photo at most `longest` pixels a side."""
    height, width = photo.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return photo
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small: Bytes = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    return small


def _resize(image: Image, shape: tuple[int, ...]) -> Image:
    """Return (h, w) or (h, w, C) enlarged smoothly to the first two sizes of `shape`."""
    enlarged: Image = cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return enlarged.reshape(*shape[:2], *image.shape[2:])


def _as_bytes(image: Floats) -> Bytes:
    levels: Bytes = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return levels
