"""Where the photo's own edges are: cutting a rough figure out along them.

GrabCut (Rother et al., 2004) decides where a rough alpha and a plain backdrop leave a doubt, the
guided filter (He et al., 2010) gives the outline its softness at the photo's own size.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl.backdrop import Backdrop, figure_odds
from layerctl.compositing import Bytes, Floats, Stack, bands

CUT_SIDE = 480
"""Longest side, in pixels, at which the cut is made: its cost grows faster than the area."""

BAND = 0.03
"""Half width, as a share of the longest side, of the band in which a rough outline may be off."""

FAR, CERTAIN = 3.5, 3.2
"""Log odds of a pixel outside the band, and from which it is settled before the cut."""

SMOOTHNESS = 1e-4
"""Guided filter's epsilon: colour variance, in [0, 1] squared, below which nothing is an edge."""

CONTRAST = 0.02
"""Squared distance of two colours, in [0, 1], at which an alpha told from them is half trusted."""


def cut_out(picture: Floats, figure: Floats, backdrop: Backdrop) -> Floats:
    """Return the figure's alpha (h, w), 0 or 1 but for its outline, cut along the picture's edges.

    Args:
        picture: (h, w, 3) RGB in [0, 1].
        figure: (h, w) rough alpha in [0, 1].
        backdrop: What stands behind it, as far as that is plain.
    """
    height, width = figure.shape
    scale = min(1.0, CUT_SIDE / max(height, width))
    size = max(2, round(width * scale)), max(2, round(height * scale))
    small, rough, behind = (
        cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        for image in (picture, figure, backdrop.colours)
    )
    odds = _rough_odds(rough)
    if backdrop.plain:
        odds += figure_odds(small, replace(backdrop, colours=behind), rough)
    mask = _seeds(odds)
    if not {cv2.GC_BGD, cv2.GC_FGD} <= {int(label) for label in np.unique(mask)}:
        return figure
    levels = np.rint(small[..., ::-1] * 255).astype(np.uint8)
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(levels, mask, None, *models, 2, cv2.GC_INIT_WITH_MASK)
    inside = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    outline = inside.astype(np.float32)
    enlarged: Floats = cv2.resize(outline, (width, height), interpolation=cv2.INTER_LINEAR)
    return enlarged


def _rough_odds(rough: Floats) -> Floats:
    """Return log odds (h, w) of a rough alpha: high away from its outline, even in the band."""
    inside = (rough > 0.5).astype(np.uint8)
    reach = max(1, round(BAND * max(rough.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    odds = np.log((rough + 0.1) / (1.1 - rough))
    odds[cv2.dilate(inside, kernel) == 0] = -FAR
    odds[(cv2.erode(inside, kernel) > 0) | (rough > 0.98)] = FAR
    return odds


def _seeds(odds: Floats) -> Bytes:
    """Return GrabCut's labels: certain where the odds are high, probable elsewhere."""
    labels = np.where(odds > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[odds > CERTAIN] = cv2.GC_FGD
    labels[odds < -CERTAIN] = cv2.GC_BGD
    return labels


def follow_edges(guide: Bytes, share: Floats) -> Floats:
    """Return a small share (h, w) at the photo's size, its outline softened along the photo's.

    Args:
        guide: (H, W, 3), the photo's colours.
        share: (h, w) in [0, 1].
    """
    height, width = guide.shape[:2]
    enlarged = cv2.resize(share, (width, height), interpolation=cv2.INTER_LINEAR)
    ratio = max(height, width) / max(share.shape)
    scale = 1 / ratio if min(height, width) > 2 * ratio > 2 else 1.0
    soft = cv2.ximgproc.guidedFilter(
        guide, enlarged, max(2, round(4 * ratio)), SMOOTHNESS * 255**2, scale=scale
    )
    # The filter leaves a haze of a few percent far from any edge: stretch it away.
    soft -= 0.04
    soft /= 0.92
    clipped: Floats = np.clip(soft, 0, 1, out=soft)
    return clipped


def settle_edges(photo: Bytes, stack: Stack, ground: tuple[bool, ...]) -> Bytes:
    """Return alphas (K, H, W) that explain the photo by the colours on both sides of an outline.

    A pixel on the outline of layer k lies on the line between its colour and that of what is
    below it; how far along is its alpha. Where the two colours are alike the alpha stays.
    """
    settled = stack.alphas.copy()
    outlines = np.stack([_outline(alpha) for alpha in stack.alphas])
    for band in bands(photo.shape[:2]):
        pixels = photo[band, :, :3].astype(np.float32) / 255
        colours = stack.colours[:, band].astype(np.float32) / 255
        alphas = stack.alphas[:, band].astype(np.float32) / 255
        _settle_band(pixels, colours, alphas, outlines[:, band] & ~np.array(ground)[:, None, None])
        settled[:, band] = np.rint(alphas * 255)
    return settled


def _outline(alpha: Bytes) -> NDArray[np.bool_]:
    """Return where a layer's outline may be: as far from it as a pixel of the cut is wide."""
    reach = 1 + round(max(alpha.shape) / CUT_SIDE)
    around = cv2.blur(alpha, (2 * reach + 1, 2 * reach + 1))
    near: NDArray[np.bool_] = (around > 0) & (around < 255)
    return near


def _settle_band(
    pixels: Floats, colours: Floats, alphas: Floats, outlines: NDArray[np.bool_]
) -> None:
    """Settle the alphas on their outlines, in place, from the top layer down."""
    below = [colours[0]]
    for colour, alpha in zip(colours[1:], alphas[1:], strict=True):
        below.append(below[-1] + alpha[..., None] * (colour - below[-1]))
    rest, through = pixels.copy(), np.ones(pixels.shape[:2], np.float32)
    for k in range(len(colours) - 1, 0, -1):
        outline = outlines[k] & (through > 0.5)
        line = (colours[k] - below[k - 1])[outline]
        offset = rest[outline] / through[outline, None] - below[k - 1][outline]
        length = np.square(line).sum(axis=-1)
        along = np.clip((offset * line).sum(axis=-1) / np.maximum(length, 1e-6), 0, 1)
        trust = length / (length + CONTRAST)
        alphas[k][outline] += trust * (along - alphas[k][outline])
        rest -= (through * alphas[k])[..., None] * colours[k]
        through *= 1 - alphas[k]
