"""What a surface is made of where it is out of sight: as where it is seen.

How light a surface is and of what colour behind something is told smoothly from around it. Its
grain, weave or blades of grass are borrowed, whole regions moved by a few shifts (Pritch,
Kav-Venaki and Peleg, Shift-Map Image Editing, ICCV 2009), where they are alike all around:
objects have no place there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from layerctl import channels
from layerctl.compositing import Floats
from layerctl.pyramid import spread

Value = TypeVar("Value", bound=np.generic)
Mask: TypeAlias = NDArray[np.bool_]
Shift: TypeAlias = tuple[int, int]
Box: TypeAlias = tuple[slice, slice]

SIDE = 128
"""Longest side, in pixels, at which shifts are chosen."""

SMOOTH, GRAINY = 0.04, 0.004
"""Blurs, as shares of the longest side, that leave light and colour alone, and all but grain."""

COARSE = 256
"""Longest side, in pixels, at which light and colour are told: they have no detail to lose."""

WINDOW = 9
"""Side in pixels, at `SIDE`, of the neighbourhood that a shift has to suit."""

AROUND = 45
"""Side in pixels, at `SIDE`, of the neighbourhood in which a texture has to be equally strong."""

ENOUGH = 0.05
"""Share of it that must be known for that to be told."""

ALIKE, UNLIKE = 0.25, 0.4
"""Deviation of the logarithm of a texture's strength up to which it is one, and from which not."""

DIM = 0.05
"""Light, in [0, 1], from which on a texture is as much stronger as it is lighter."""

USUAL = 0.5
"""How much above its mean that logarithm may be where texture is borrowed."""

STRIDE = 3
"""Pixels between the shifts that are tried."""

SHIFTS = 12
"""How many of them a surface is made of at most."""

FINEST = 16
"""How many steps to each side a shift is aligned by at most."""

POINTS = 400
"""About how many points at the rim of what is seen a shift is aligned by."""

REACHED = 0.1
"""Share of what is out of sight for which a shift must lead to something that is seen."""

UNSEEN = 0.25
"""What it costs to lead to nothing, as a squared difference of colours."""

SEAM = 0.002
"""Blur of the seams between shifts, as a share of the longest side."""

GRAIN = 0.5 / 255
"""Deviation, in [0, 1], below which grain is hardly seen."""

LEAST = 0.05
"""Sum of squared shares of shifts below which texture fades out."""


def weave(surface: Floats, known: Mask) -> Floats:
    """Return a surface with the texture of what is known of it on all of it.

    Where there is no one texture around, or the surface has its own already, it stays as it is.

    Args:
        surface: (h, w, 3) in [0, 1], as seen where it is known, and more or less smooth elsewhere.
        known: (h, w).
    """
    missing = missing_grain(surface, known)
    if not missing:
        return surface
    base = _light(surface)
    detail = (surface - base) * known[..., None]
    swatch = _swatch(base, detail, known)
    if swatch.known.all() or not swatch.usual.any():
        return surface
    hidden = _box(~known)
    alike = cv2.resize(swatch.alike, known.shape[::-1], interpolation=cv2.INTER_LINEAR)[hidden]
    amount = (alike * ~known[hidden] * missing)[..., None]
    if not amount.any():
        return surface
    borrowed, share = _borrow(detail, swatch, hidden)
    woven = surface.copy()
    woven[hidden] += amount * share[..., None] * (base[hidden] + borrowed - surface[hidden])
    return np.clip(woven, 0, 1)


def likeness(surface: Floats, known: Mask) -> float:
    """Return how far, of 1, what is known of a surface is of one texture around what is not.

    Args:
        surface: (h, w, 3) in [0, 1].
        known: (h, w).
    """
    base = _light(surface)
    swatch = _swatch(base, (surface - base) * known[..., None], known)
    return 1.0 if swatch.known.all() else float(swatch.alike[~swatch.known].mean())


def missing_grain(surface: Floats, known: Mask) -> float:
    """Return how much, of 1, of the grain of what is known of a surface is missing elsewhere.

    None of what nobody would see.

    Args:
        surface: (h, w, 3) in [0, 1].
        known: (h, w).
    """
    if known.all() or not known.any():
        return 0.0
    seen, own = _grain(surface, known), _grain(surface, ~known)
    return max(0.0, seen - own) / seen if seen > GRAIN else 0.0


@dataclass(frozen=True, eq=False)
class _Swatch:
    """A surface at the size at which shifts are chosen.

    `base` and `detail` (h, w, 3) are its colour and its texture, `known` (h, w) is where, `usual`
    where it may be borrowed; `alike` (h, w) in [0, 1] is how far there is one texture around.
    """

    base: Floats
    detail: Floats
    known: Mask
    usual: Mask
    alike: Floats


def _swatch(base: Floats, detail: Floats, known: Mask) -> _Swatch:
    """Return a small piece of a surface, and how much alike its texture is all over it."""
    scale = min(1.0, SIDE / max(known.shape))
    size = max(1, round(known.shape[1] * scale)), max(1, round(known.shape[0] * scale))
    base, small, squares, share = (
        cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        for image in (base, detail, channels.mean(np.square(detail)), known.astype(np.float32))
    )
    seen = share > 1 - 1e-3
    weight = seen.astype(np.float32)
    lit = np.square(channels.mean(base) + DIM)
    strength = np.log(np.maximum(_mean(squares, share, WINDOW) / lit, 1e-8)) / 2
    mean, square = (_mean(x * weight, weight, AROUND) for x in (strength, np.square(strength)))
    deviation = np.sqrt(np.maximum(square - np.square(mean), 0))
    alike: Floats = np.clip((UNLIKE - deviation) / (UNLIKE - ALIKE), 0, 1)
    enough = cv2.blur(weight, (AROUND, AROUND)) > ENOUGH
    alike = spread(alike[..., None], enough)[..., 0]
    return _Swatch(base, small, seen, seen & (strength < mean + USUAL), alike)


def _grain(surface: Floats, where: Mask) -> float:
    """Return the deviation of a surface from the mean of what is next to it there."""
    weight = where.astype(np.float32)[..., None]
    total = np.maximum(_blurred(weight, GRAINY), 1e-6)[..., None]
    mean = _blurred(surface * weight, GRAINY) / total
    return float(np.sqrt(np.square(surface - mean)[where].mean()))


def _borrow(detail: Floats, swatch: _Swatch, box: Box) -> tuple[Floats, Floats]:
    """Return the texture of a box (h, w, 3) of a surface, and how much was found for it (h, w)."""
    height, width = detail.shape[:2]
    size, seam = (width, height), max(1.0, SEAM * max(height, width))
    usual = cv2.resize(swatch.usual.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)
    labels, shifts = _choose(swatch)
    rim = _rim(swatch.known) & swatch.known
    total = np.zeros_like(detail[box])
    squares = np.zeros(total.shape[:2], np.float32)
    for number, small in enumerate(shifts):
        mine = labels == number
        share = cv2.resize(mine.astype(np.float32), size)[box] > 0.5
        share = cv2.GaussianBlur(share.astype(np.float32), (0, 0), seam)
        shift = _align(detail, usual, small, mine & rim if (mine & rim).any() else rim)
        share *= _moved(usual, shift, box)
        total += share[..., None] * _moved(detail, shift, box)
        squares += np.square(share)
    # Textures do not add up as colours do: where two are mixed, their squares do.
    return total / np.sqrt(np.maximum(squares, LEAST))[..., None], np.minimum(squares / LEAST, 1)


def _align(detail: Floats, usual: Floats, shift: Shift, rim: Mask) -> Shift:
    """Return the shift at full size with which textures meet best on a small rim (h, w)."""
    scale = np.array(detail.shape[:2]) / rim.shape
    reach = [np.arange(-int(by), int(by) + 1, 1 + int(by) // FINEST) for by in scale * STRIDE / 2]
    steps = np.stack(np.meshgrid(*reach), axis=-1).reshape(-1, 2)
    near = np.rint(scale * shift).astype(int) + steps
    points = np.argwhere(rim)
    points = ((points[:: 1 + len(points) // POINTS] + 0.5) * scale).astype(int)
    rows, columns = (points + near[:, None]).transpose(2, 0, 1)
    height, width = detail.shape[:2]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    rows, columns = rows * inside, columns * inside
    apart = np.square(detail[rows, columns] - detail[points[:, 0], points[:, 1]]).sum(axis=-1)
    apart[~inside | (usual[rows, columns] == 0)] = UNSEEN
    best = near[apart.sum(axis=1).argmin()]
    return int(best[0]), int(best[1])


def _choose(swatch: _Swatch) -> tuple[NDArray[np.int_], list[Shift]]:
    """Return the number (h, w) of the shift for every pixel, and the shifts.

    A shift suits where it leads to a like colour and, at the rim of what is seen, to a like
    texture. Those that suit most pixels best are kept.
    """
    hidden = ~swatch.known
    rim = _rim(swatch.known)
    box = _box(rim)
    surface = np.dstack([swatch.base, swatch.detail])
    asked = np.dstack([rim] * 3 + [rim & swatch.known] * 3)[box].astype(np.float32)
    around, unusual = _framed(surface, 0), _framed(~swatch.usual, 1)
    reached = _reached(hidden, swatch.usual)

    def costs(shift: Shift) -> Floats:
        there = _seen_from(box, shift, rim.shape)
        apart = (surface[box] - around[there]) * asked
        apart = np.einsum("hwc,hwc->hw", apart, apart)
        apart[unusual[there]] = UNSEEN
        cost: Floats = cv2.blur(apart, (WINDOW, WINDOW))
        return cost

    enough, hidden, tried = REACHED * hidden.sum(), hidden[box], list[Shift]()
    least, best = np.full(hidden.shape, np.inf, np.float32), np.zeros(hidden.shape, int)
    for shift in _shifts(rim.shape):
        if reached[shift] >= enough:
            cost = costs(shift)
            best[cost < least] = len(tried)
            least = np.minimum(cost, least)
            tried.append(shift)
    labels = np.zeros(rim.shape, int)
    if not tried:
        return labels, []
    votes = np.bincount(best[hidden], minlength=len(tried))
    shifts = [tried[n] for n in np.argsort(-votes)[:SHIFTS]]
    wide = [cv2.blur(costs(shift), (WINDOW, WINDOW)) for shift in shifts]
    labels[box] = np.argmin(wide, axis=0)
    return labels, shifts


def _reached(hidden: Mask, usual: Mask) -> NDArray[np.int_]:
    """Return for how many hidden pixels (h, w) each shift, as an index, leads to a usual one."""
    size = [2 * side for side in hidden.shape]
    here, there = (np.fft.rfft2(mask, size) for mask in (hidden, usual))
    return np.rint(np.fft.irfft2(there * here.conj(), size)).astype(int)


def _framed(image: NDArray[Value], outside: float) -> NDArray[Value]:
    """Return an image (h, w, ...) with as much around it on each side as no shift leads beyond."""
    rows, columns = image.shape[:2]
    rest = [(0, 0)] * (image.ndim - 2)
    return np.pad(image, [(rows, rows), (columns, columns), *rest], constant_values=outside)


def _seen_from(box: Box, shift: Shift, shape: tuple[int, ...]) -> Box:
    """Return what of a framed image (h, w) is so many pixels down and across from a box of it."""
    down, across = (
        slice(part.start + by + side, part.stop + by + side)
        for part, by, side in zip(box, shift, shape, strict=True)
    )
    return down, across


def _rim(known: Mask) -> Mask:
    """Return all that is not known, and what is next to it."""
    rim: Mask = cv2.erode(known.astype(np.uint8), np.ones((WINDOW, WINDOW), np.uint8)) == 0
    return rim


def _shifts(shape: tuple[int, ...]) -> Iterator[Shift]:
    """Yield the shifts that leave some of a picture in it."""
    # Through zero: stripes and planks go on straight across or straight down.
    downs, acrosses = (range(-((side - 1) // STRIDE) * STRIDE, side, STRIDE) for side in shape)
    for down in downs:
        for across in acrosses:
            if max(abs(down), abs(across)) > STRIDE:
                yield down, across


def _moved(image: NDArray[Value], shift: Shift, box: Box) -> NDArray[Value]:
    """Return a box of what is so many pixels down and across from each pixel, zero outside."""
    starts = [part.start + by for part, by in zip(box, shift, strict=True)]
    sides = [part.stop - part.start for part in box]
    moved = np.zeros((*sides, *image.shape[2:]), image.dtype)
    inner, outer = [], []
    for start, side, end in zip(starts, sides, image.shape, strict=False):
        first = min(max(0, -start), side)
        last = max(first, min(side, end - start))
        inner.append(slice(first, last))
        outer.append(slice(start + first, start + last))
    moved[tuple(inner)] = image[tuple(outer)]
    return moved


def _box(mask: Mask) -> Box:
    """Return the smallest box of all that a mask, which is not empty, holds."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _mean(values: Floats, weight: Floats, side: int) -> Floats:
    """Return the mean of neighbourhoods of values that are multiplied by their weight already."""
    total = np.maximum(cv2.blur(weight, (side, side)), 1e-3)
    mean: Floats = cv2.blur(values, (side, side)) / total
    return mean


def _light(surface: Floats) -> Floats:
    """Return a surface without its texture."""
    scale = min(1.0, COARSE / max(surface.shape[:2]))
    size = surface.shape[1::-1]
    small = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    coarse = _blurred(cv2.resize(surface, small, interpolation=cv2.INTER_AREA), SMOOTH)
    light: Floats = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    return light


def _blurred(image: Floats, share: float) -> Floats:
    """Return an image blurred by a share of its longest side."""
    blurred: Floats = cv2.GaussianBlur(image, (0, 0), share * max(image.shape[:2]))
    return blurred
