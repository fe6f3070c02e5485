"""What layers look like: as the photo where they are seen, and consistent with it out of sight."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl.completion import complete, sharpen
from layerctl.compositing import Floats, weights
from layerctl.lines import continue_lines
from layerctl.pyramid import spread
from layerctl.rims import Doubt, doubt_ground
from layerctl.sketch import NEARBY, SEEN, WIDE, Sketch, alone
from layerctl.surroundings import palette
from layerctl.texture import likeness, missing_grain, weave
from layerctl.workers import work_on

FINE = (7, 5, 3, 1)
"""Widths in pixels of what shows a layer alone, down to strokes that were cut."""

RIM = 0.04
"""How far from what is seen structure is a ghost's, as a share of the longest side."""

OUTLINE = 0.015
"""How far from what is seen of a thing its outline may be, as a share of the longest side."""

OWN = 0.01
"""How far from a thing's outline, as a share of the longest side, its own colours are told."""

GRAIN = 5
"""Side in pixels of the neighbourhood whose mean says what a pixel shows, whatever its noise."""

SHARP = 512
"""Longest side, in pixels, from which a model draws hidden things sharper than patches of what is
seen could tell them.
"""

ONE = 0.5
"""How far, of 1, textures have to be alike to be one."""

SLACK = 2.0
"""How many times farther than bare from a plain backdrop's colour what is narrow may be.

A soft shade that no shadow takes with it may; the rest is rims and scraps of what the cut has left,
which do not go on behind things as tables do.
"""


def paint_layers(sketch: Sketch, black: tuple[bool, ...], cut: tuple[bool, ...]) -> Floats:
    """Return what layers look like, (K, h, w, 3) in [0, 1]; the background's texture is missing.

    Args:
        sketch: The guess, cut.
        black: For each layer whether it is a shadow, whose colour is fixed.
        cut: For each layer whether it was cut along the photo's edges.
    """
    dark = np.array(black)
    observed, shares = _lit(sketch, dark)
    colours = np.zeros_like(sketch.layers[..., :3])

    def paint(k: int) -> None:
        if k:
            seen = _in_focus(alone(shares[k], FINE if cut[k] else WIDE), sketch.soft)
            colours[k] = _paint_thing(sketch, k, observed, shares, seen)
        else:
            seen = _in_focus(_bare_ground(sketch, observed, shares[0]), sketch.soft)
            colours[0] = _paint_behind(sketch, observed, shares[0], seen)

    work_on(np.flatnonzero(~dark).tolist(), paint)
    return np.clip(colours, 0, 1, out=colours)


def _paint_thing(
    sketch: Sketch, k: int, observed: Floats, shares: Floats, seen: NDArray[np.bool_]
) -> Floats:
    """Return what layer k looks like, (h, w, 3), as a thing that others may hide.

    Args:
        sketch: The guess, cut.
        k: Which of its layers.
        observed: (h, w, 3), the photo without any shadow.
        shares: (K, h, w), those of the layers without it.
        seen: (h, w), where the photo shows the layer alone.
    """
    model = _drawn(sketch.layers[k])
    structure = model - spread(model, seen)
    structure *= _belief(structure, observed, seen, shares[k] < 1 - SEEN)
    # What a coarse model draws at an outline is half of what is behind the thing, and what it draws
    # under another one half of that.
    under = shares[k + 1 :].sum(axis=0)
    rim = (_reach(seen, OUTLINE) | sketch.soft) * (1 - under)
    doubt = np.maximum(rim, under) if _blurred(sketch) else rim
    structure *= 1 - doubt[..., None] * min(1, sketch.coarse - 1)
    return spread(observed, seen) + structure


def _paint_behind(
    sketch: Sketch, observed: Floats, share: Floats, seen: NDArray[np.bool_]
) -> Floats:
    """Return what the background looks like, (h, w, 3); the share (h, w) is its own."""
    model = _drawn(sketch.layers[0])
    structure = model - spread(model, seen)
    if not sketch.backdrop.plain:
        structure *= _belief(structure, observed, seen, share < 1 - SEEN)
        missing = missing_grain(np.where(seen[..., None], observed, model), seen)
        structure -= missing * _step(structure, seen)
    painted = spread(observed, seen) + structure
    return complete(np.clip(painted, 0, 1), seen) if _patched(sketch) else painted


def _drawn(layer: Floats) -> Floats:
    """Return the colours (h, w, 3) that a model gave a layer, also where that is clear."""
    return spread(layer[..., :3], layer[..., 3] > 0.5)


def paint_ground(sketch: Sketch, black: tuple[bool, ...], smooth: Floats) -> tuple[Floats, Doubt]:
    """Return the background's colours with its texture where it is not seen, and their doubt.

    Colours are (h, w, 3) in [0, 1].

    Args:
        sketch: The guess, cut.
        black: For each layer whether it is a shadow.
        smooth: (h, w, 3), what `paint_layers` says of the background.
    """
    observed, shares = _lit(sketch, np.array(black))
    seen = _bare_ground(sketch, observed, shares[0]) & (sketch.small[..., 3] > SEEN)
    seen = _in_focus(seen, sketch.soft)
    surface = np.where(seen[..., None], observed, smooth)
    # What is all of one stuff is woven of large pieces; a room's patches know what belongs where.
    if _patched(sketch) and likeness(surface, seen) < ONE:
        finished = continue_lines(sharpen(surface, seen), surface, seen)
    else:
        finished = weave(surface, seen)
    own = palette(sketch.small[..., :3], alone(1 - shares[0], FINE), OWN)
    return finished, doubt_ground(observed, seen, own, plain=sketch.backdrop.plain)


def _patched(sketch: Sketch) -> bool:
    """Whether the background is made of patches where it is not seen."""
    opaque = bool(sketch.small[..., 3].min() > SEEN)
    return not sketch.backdrop.plain and _blurred(sketch) and opaque


def _blurred(sketch: Sketch) -> bool:
    """Whether the model draws less sharply than what is seen tells."""
    return bool(max(sketch.small.shape) < SHARP * sketch.coarse)


def _in_focus(seen: NDArray[np.bool_], soft: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what is seen without the blurred outlines, whose colours are of both sides."""
    clear: NDArray[np.bool_] = seen & ~soft
    return clear if clear.any() else seen


def _bare_ground(sketch: Sketch, observed: Floats, share: Floats) -> NDArray[np.bool_]:
    """Return where (h, w) the background is seen, and nothing that the cut has left on it."""
    if not sketch.backdrop.plain:
        # What the model takes for a thing would bleed into the backdrop where the cut is wrong.
        return alone(share * (weights(sketch.layers[..., 3])[0] > 0.5))
    near = sketch.backdrop.shows(cv2.blur(observed, (GRAIN, GRAIN)), SLACK)
    seen: NDArray[np.bool_] = alone(share) & (near | _runs_out(~near & (share > SEEN)))
    return seen


def _runs_out(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return what of a mask is broad and goes on beyond the picture, as a table or a floor does."""
    side = 2 * round(NEARBY * max(mask.shape) / 2) + 1
    broad = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    labels = cv2.connectedComponents(broad)[1]
    frame = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    beyond: NDArray[np.bool_] = (broad > 0) & np.isin(labels, frame)
    return beyond


def _lit(sketch: Sketch, dark: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the photo (h, w, 3) and the shares (K, h, w) of its layers, without any shadow.

    What the photo shows is divided by what the shadow lets through.
    """
    light = np.maximum(1 - sketch.shares[dark].sum(axis=0), 0.05)
    return np.clip(sketch.small[..., :3] / light[..., None], 0, 1), sketch.shares / light


def _step(structure: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Return the part of a hidden structure that begins where a layer is no longer seen.

    A surface goes on from what is seen of it, while the blurred ghost of what hides it does not.
    """
    rim = _reach(seen, RIM) & ~seen
    return spread(structure, rim) * ~seen[..., None]


def _reach(mask: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """Return a mask and what is no farther from it than a share of the longest side."""
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    near: NDArray[np.bool_] = away <= share * max(mask.shape)
    return near


def _belief(
    structure: Floats, observed: Floats, seen: NDArray[np.bool_], hidden: NDArray[np.bool_]
) -> float:
    """Return how far, of 1, to believe the model that hidden colours are not just smooth.

    As far as the layer is that uneven where it is seen alone: behind a plain surface structure
    can only be a ghost of what stands in front of it.
    """
    if not seen.any() or not hidden.any():
        return 1.0
    uneven = _unevenness(observed, seen)
    return min(1.0, uneven / max(float(np.abs(structure[hidden]).mean()), 1e-6))


def _unevenness(image: Floats, known: NDArray[np.bool_]) -> float:
    """Return how far known pixels are from the mean of their neighbourhood, on average."""
    weight = known.astype(np.float32)[..., None]
    side = 2 * round(2 * NEARBY * max(known.shape)) + 1
    around = cv2.blur(image * weight, (side, side))
    mean = around / np.maximum(cv2.blur(weight, (side, side)), 1e-3)[..., None]
    return float(np.abs(image - mean)[known].mean())
