"""Where the photo's own edges are: cutting a rough figure out along them.

A graph cut decides where a rough alpha and a plain backdrop leave a doubt, the guided filter (He et
al., 2010) gives the outline its softness at the photo's own size.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl import channels
from layerctl.backdrop import Backdrop, clear_ground, figure_odds, share_of
from layerctl.compositing import Bytes, Floats, Stack, pick
from layerctl.gaps import open_gaps
from layerctl.graphcut import CERTAIN, cut
from layerctl.limbs import find_limbs
from layerctl.surroundings import surrounding_odds

CUT_SIDE, TOLD_SIDE = 1024, 720
"""Longest sides, in pixels, at which the cut is made, whose cost grows faster than the area, and at
which it is told what it goes by.
"""

BAND = 0.05
"""Half width, as a share of the longest side, of the band in which a rough outline may be off."""

SPECK, SURE = 0.0003, 0.9
"""Share of the canvas up to which a gap is filled, and the mean of a rough alpha from which.

Things shine and bear letters, in colours of the backdrop, too. What stands apart and is as small is
a crumb, if the chance of a thing is less than that.
"""

PORE, DRAWN = 0.0001, 0.2
"""Share of the canvas up to which a gap is filled if a rough alpha only doubts that it goes on, and
the mean of that from which. So little may have a backdrop's colour by chance.
"""

VAGUE, PLAIN = 0.1, 0.02
"""What is added to a rough alpha and to its rest before their odds are taken: the second where the
backdrop is plain. That has its own word, which of white before white is that nothing is there; the
model's has to weigh as much.
"""

HEART = 0.6
"""Share of the greatest depth from which a pixel is safely inside, where all things are thin."""

TRACE, UNLIKELY = 0.1, 0.03
"""Rough alpha and chance of a thing below which nothing has to be cut out of the band."""

SOLID = 0.9
"""Chance of a thing from which what is drawn of it stays, where the backdrop is not plain.

The colours of a room are many, a checked mug's among them: they must not outvote a model that has
no doubt.
"""

FAR = 3.5
"""Log odds of a pixel outside the band: it is settled before the cut."""

AGAINST = 0.5
"""Share of what is around things that still speaks against one when their colours are known.

These say the same of most pixels, but not where both sides have them.
"""

SMOOTHNESS = 1e-4
"""Guided filter's epsilon: colour variance, in [0, 1] squared, below which nothing is an edge."""

RADIUS = 4
"""Guided filter's reach in pixels: an edge follows one line of colours within it."""

EVEN = 1e-4
"""Mean of a neighbourhood, from 0 or 1, up to which nothing varies in it."""

HAZE = 0.04
"""What the guided filter leaves of a share far from any edge: stretched away at both ends."""

TRUST = 0.02
"""How little of a layer must be seen before the model's alpha counts more than the photo."""

CONTRAST, FRAYS = 0.02, 14.0
"""Squared distance of two colours, in [0, 1], at which an alpha told from them is half trusted. To
it comes the square of so many times the grain of what is behind, which would fray an outline.
"""


def cut_out(picture: Floats, figure: Floats, chance: Floats, backdrop: Backdrop) -> Floats:
    """Return the figure's alpha (h, w), 0 or 1 but for its outline, cut along the picture's edges.

    Args:
        picture: (h, w, 3) RGB in [0, 1].
        figure: (h, w) rough alpha in [0, 1].
        chance: (h, w) in [0, 1], how surely a pixel shows any: ground may have been drawn over.
        backdrop: What stands behind it, as far as that is plain.
    """
    size, fine = _within(figure.shape, TOLD_SIDE), _within(figure.shape, CUT_SIDE)
    small, rough, behind, likely = (
        cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        for image in (picture, figure, backdrop.colours, chance)
    )
    shown = replace(backdrop, colours=behind)
    if backdrop.plain:
        rough = clear_ground(small, shown, rough, likely)
    else:
        rough = open_gaps(rough, likely)
    seen = _rough_odds(rough, likely, PLAIN if shown.plain else VAGUE)
    told = _told(small, rough, likely, shown)
    odds = seen + told
    if not ((odds > CERTAIN).any() and (odds < -CERTAIN).any()):
        return figure
    sharp = cv2.resize(picture, fine, interpolation=cv2.INTER_AREA)
    inside = cut(sharp, odds, seen + AGAINST * np.minimum(told, 0))
    inside = _begun(inside, cv2.resize(odds, fine) > 0)
    found = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    limbs = find_limbs(small, found, likely, backdrop).astype(np.float32)
    inside |= cv2.resize(limbs, fine) > 0.5
    outline = _filled(inside, cv2.resize(rough, fine)).astype(np.float32)
    enlarged: Floats = cv2.resize(outline, figure.shape[::-1])
    return enlarged


def _within(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    """Return the width and height of an image (h, w) made at most so long."""
    height, width = shape
    scale = min(1.0, longest / max(height, width))
    return max(2, round(width * scale)), max(2, round(height * scale))


def _told(picture: Floats, rough: Floats, chance: Floats, backdrop: Backdrop) -> Floats:
    """Return what is around things says of each pixel, as log odds (h, w) of a thing.

    In a room a model that has no doubt settles it.
    """
    if backdrop.plain:
        return figure_odds(picture, backdrop, rough, chance)
    told = surrounding_odds(picture, rough, chance)
    # Of a model that tells no chances it is 1 everywhere, and says nothing.
    sure = (rough > 0.5) & (chance > SOLID) & (chance.min() < SOLID)
    return np.where(sure, FAR, told)


def _rough_odds(rough: Floats, chance: Floats, doubt: float) -> Floats:
    """Return log odds (h, w) of a rough alpha: high away from its outline, even in the band.

    High as well, against a thing, where there is neither a trace of one nor much of a chance.
    """
    inside = (rough > 0.5).astype(np.uint8)
    reach = max(1, round(BAND * max(rough.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    odds = np.log((rough + doubt) / (1 + doubt - rough))
    nothing = (rough < TRACE) & (chance < UNLIKELY)
    odds[nothing | (cv2.dilate(inside, kernel) == 0)] = -FAR
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_5)
    odds[depth > min(reach, HEART * depth.max())] = FAR
    return odds


def _begun(inside: NDArray[np.bool_], likely: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the regions of what was cut out in which something was likely before.

    What stands apart has no more than its colours in common with a thing.
    """
    labels = cv2.connectedComponents(inside.astype(np.uint8))[1]
    begun: NDArray[np.bool_] = inside & (share_of(likely, labels) > 0)
    return begun


def _filled(inside: NDArray[np.bool_], rough: Floats) -> NDArray[np.bool_]:
    """Return what was cut out without small gaps in it where a rough alpha says that it goes on."""
    _, gaps, boxes, _ = cv2.connectedComponentsWithStats((~inside).astype(np.uint8), connectivity=4)
    size, goes_on = boxes[gaps, cv2.CC_STAT_AREA] / rough.size, share_of(rough, gaps)
    small = (size < SPECK) & (goes_on > SURE) | (size < PORE) & (goes_on > DRAWN)
    filled: NDArray[np.bool_] = inside | small
    return filled


def sweep(figure: Floats, chance: Floats, lettering: Floats) -> Floats:
    """Return a figure without crumbs: specks that stand apart, of no letter, and nobody is sure of.

    Args:
        figure: (h, w) in [0, 1], as it was cut out.
        chance: (h, w) in [0, 1], how surely a pixel shows any thing.
        lettering: (h, w) in [0, 1], how surely strokes of text.
    """
    regions = cv2.connectedComponents((figure > 0.5).astype(np.uint8))[1]
    size = np.bincount(regions.ravel())[regions] / regions.size
    crumbs = (regions > 0) & (size < SPECK) & (share_of(chance, regions) < SURE)
    crumbs &= share_of(lettering, regions) < 0.5
    around = cv2.dilate(crumbs.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return np.where(around & ((regions == 0) | crumbs), 0, figure)


def edge_lines(picture: Floats, share: Floats) -> Floats:
    """Return how a share follows from the colours around each pixel: (h, w, 4), slopes and offset.

    The guided filter up to where it is applied, which may be at another size.

    Args:
        picture: (h, w, 3) RGB in [0, 1].
        share: (h, w) in [0, 1].
    """
    mean = partial(cv2.blur, ksize=(2 * RADIUS + 1,) * 2, borderType=cv2.BORDER_REFLECT)
    level, centre = mean(share), mean(picture)
    lines = np.dstack([np.zeros_like(picture), level])
    varies = (level > EVEN) & (level < 1 - EVEN)
    level, centre = level[varies, None], centre[varies]
    products = np.stack([mean(picture * picture[..., c, None])[varies] for c in range(3)], axis=1)
    covariance = products - centre[:, None] * centre[..., None]
    together = mean(picture * share[..., None])[varies] - centre * level
    stiff = covariance + SMOOTHNESS * np.eye(3, dtype=np.float32)
    slopes = np.linalg.solve(stiff, together[..., None])[..., 0]
    offset = level - channels.total(slopes * centre)[:, None]
    lines[varies] = np.hstack([slopes, offset])
    smooth: Floats = mean(lines)
    smooth[..., 3] -= HAZE
    return smooth / (1 - 2 * HAZE)


def follow_edges(pixels: Floats, lines: Floats) -> Floats:
    """Return the share (H, W) that pixels (H, W, 4), RGB in [0, 1] and 1, have by their lines."""
    share = np.einsum("hwc,hwc->hw", pixels, lines)
    clipped: Floats = np.clip(share, 0, 1, out=share)
    return clipped


def uncover(together: Floats, covered: Floats, model: Bytes) -> Floats:
    """Return a layer's alpha, given what it covers together with the layers above, and they alone.

    What little of it is seen through them says little about it: there the model's alpha counts.
    """
    clear = 1 - covered
    seen = np.maximum(together - covered, 0)
    doubt = TRUST * covered
    return (seen * clear + doubt * (model / np.float32(255))) / (clear * clear + doubt)


def settle_edges(photo: Bytes, stack: Stack, outlines: NDArray[np.bool_], grain: Floats) -> Bytes:
    """Return alphas (K, H, W) that explain the photo by the colours on both sides of an outline.

    A pixel on the outline of layer k lies on the line between its colour and that of what is
    below it; how far along is its alpha. Where the two colours are alike the alpha stays, or
    hardly differ more than what is behind does from pixel to pixel.

    Args:
        photo: (H, W, 4) straight RGBA.
        stack: Alphas and colours.
        outlines: (K, H, W), where the outline of each layer may be.
        grain: (H, W), how far a pixel of what is behind is from its colour, in [0, 1].
    """
    settled, where = stack.alphas.copy(), np.logical_or.reduce(outlines)
    pixels = pick(photo[None], where)[0, :, :3] / np.float32(255)
    colours, alphas = (
        pick(levels, where) / np.float32(255) for levels in (stack.colours, stack.alphas)
    )
    doubt = CONTRAST + np.square(FRAYS * pick(grain[None], where)[0])
    _settle(pixels, colours, alphas, pick(outlines, where), doubt)
    settled[:, where] = np.rint(alphas * 255)
    return settled


def find_outlines(alphas: Bytes, band: slice, reach: int) -> NDArray[np.bool_]:
    """Return where in a band the outlines of layers (K, H, W) may be, so many pixels from them."""
    around = look_around(alphas, band, reach)
    near: NDArray[np.bool_] = (around > 0) & (around < 255)
    return near


def look_around(alphas: Bytes, band: slice, reach: int) -> Bytes:
    """Return the mean of layers' alphas (K, H, W) around each pixel of a band: (K, h, W)."""
    top = max(0, band.start - reach)
    inner = slice(band.start - top, band.stop - top)
    around = [
        cv2.blur(alpha[top : band.stop + reach], (2 * reach + 1,) * 2)[inner] for alpha in alphas
    ]
    return np.stack(around)


def cut_reach(shape: tuple[int, ...], detail: int) -> int:
    """Return how many pixels of the photo a pixel of the cut is wide, and one more.

    The cut was made at `CUT_SIDE` pixels, or at `detail` if those were fewer.
    """
    return 1 + round(max(shape[:2]) / min(CUT_SIDE, detail))


def _settle(
    pixels: Floats, colours: Floats, alphas: Floats, outlines: NDArray[np.bool_], doubt: Floats
) -> None:
    """Settle the alphas (K, M) of M pixels on their outlines, in place, from the top layer down.

    The doubt (M,) is the squared distance of two colours at which they are half trusted.
    """
    below = [colours[0]]
    for colour, alpha in zip(colours[1:], alphas[1:], strict=True):
        below.append(below[-1] + alpha[..., None] * (colour - below[-1]))
    rest, through = pixels.copy(), np.ones(len(pixels), np.float32)
    for k in range(len(colours) - 1, 0, -1):
        outline = np.flatnonzero(outlines[k] & (through > 0.5))
        own, behind, pixels = (
            image.take(outline, axis=0) for image in (colours[k], below[k - 1], rest)
        )
        line, offset = own - behind, pixels / through[outline, None] - behind
        length = np.einsum("mc,mc->m", line, line)
        along = np.einsum("mc,mc->m", offset, line) / np.maximum(length, 1e-6)
        trust = length / (length + doubt[outline])
        alphas[k][outline] += trust * (np.clip(along, 0, 1) - alphas[k][outline])
        rest -= (through * alphas[k])[..., None] * colours[k]
        through *= 1 - alphas[k]
