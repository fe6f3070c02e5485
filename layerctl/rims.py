"""What an edge leaves on the backdrop, which belongs to what stands before it.

A sharpened photo has lines beside its edges, a blurred one tails, and in a pixel that both share
the sum may ask of the thing a colour that does not exist. The backdrop would show all of that as a
drawing of the thing. Where it is even enough to tell what goes on behind the edge, it stays as it
is there, and the thing takes the rest; of a plain one that is surest of the hue. Where it is not,
it takes what is of a light or a hue that nothing nearby has.

Where several things share a pixel the backdrop has little to show of it, and would come out in any
colour: if that is beyond doubt, the lowest of them covers it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from layerctl import channels
from layerctl.compositing import Bytes, Floats, Stack, pick, solve
from layerctl.surroundings import NEARBY, Palette, hues, palette, unevenness

LEVEL, UNEVEN = 0.02, 3.0
"""A backdrop may be off by the first, in [0, 1], plus so many times its own unevenness nearby."""

FINE = 0.005
"""Reach of grain, as a share of the longest side."""

STRANGE = 0.02
"""How far, in [0, 1], light or hue is from all nearby to be a thing's; surely so twice as far."""

ALONE = 0.02
"""Alpha of all other things up to which a pixel is between one thing and the backdrop."""

FAINT, HARD = 0.2, 0.4
"""Alpha that a rim may gain freely, and from which it would be seen before another backdrop.

A bright line on a light backdrop disturbs nobody; the same line in white around a product does.
"""

PLAINLY = 0.15
"""Distance from the backdrop's colour, in [0, 1], from which on a pixel is more than a rim."""

TINT, BLACK = 0.006, 0.05
"""How far off, in [0, 1], the hue of a plain backdrop may be, and the sum of the squares of its
colour up to which it has none.
"""

LEAST = 1 / 255
"""The least alpha and the least room above or below a colour."""


@dataclass(frozen=True, eq=False)
class Doubt:
    """How far off a background's colours may be from what they are told to be.

    That is by `colour` (H, W) in [0, 1], of which `grain` (H, W) is from pixel to pixel. It has
    light and hues as it has `nearby`, while `own` are those of things. A plain one has its hue
    instead: it changes so little that its own noise would be nothing nearby.
    """

    colour: Floats
    grain: Floats
    nearby: Palette | None
    own: Palette

    @property
    def plain(self) -> bool:
        """Whether it is of a plain backdrop."""
        return self.nearby is None


def doubt_ground(observed: Floats, seen: NDArray[np.bool_], own: Palette, *, plain: bool) -> Doubt:
    """Return how far off the colours of a background may be.

    Args:
        observed: (h, w, 3) in [0, 1], the photo without any shadow.
        seen: (h, w), where it shows the background alone.
        own: Of things.
        plain: Whether that is a plain backdrop.
    """
    uneven, grain = (unevenness(observed, seen, reach) for reach in (NEARBY, FINE))
    nearby = None if plain else palette(observed, seen)
    return Doubt(LEVEL + UNEVEN * uneven, grain, nearby, own)


def clear_rims(
    photo: Bytes, stack: Stack, near: Bytes, ground: tuple[bool, ...], doubt: Doubt
) -> Stack:
    """Return the stack with what edges leave on the backdrop given to the nearest thing.

    Args:
        photo: (H, W, 4) straight RGBA.
        stack: Alphas and a first guess at the colours, the background's complete.
        near: (K, H, W), how much of each layer is around each pixel.
        ground: For each layer whether it is the background or a shadow on it.
        doubt: Of the background.
    """
    things = np.flatnonzero(~np.array(ground))
    if not len(things):
        return stack
    where = near[things].any(axis=0) & (stack.alphas[things].max(axis=0) < 255)
    alphas, colours = (
        pick(levels, where) / np.float32(255) for levels in (stack.alphas, stack.colours)
    )
    pixels = pick(photo[None], where)[0, :, :3] / np.float32(255)
    light = np.prod(1 - alphas[np.array(stack.black)], axis=0)[:, None]
    lit = pixels / np.maximum(light, LEAST)
    owner = things[pick(near[things], where).argmax(axis=0)]
    mine = owner, np.arange(len(owner))
    rim = _Rim(
        pixels,
        alphas[mine],
        colours[mine],
        colours[0] * light,
        pick(doubt.colour[None], where)[0],
        np.clip(_outside(lit, doubt.nearby, where) / STRANGE - 1, 0, 1) if doubt.nearby else 0.0,
        1 - np.clip(_outside(pixels, doubt.own, where) / STRANGE, 0, 1),
        TINT if doubt.plain else np.inf,
    )
    alone = alphas[things].sum(axis=0) - rim.alpha < ALONE
    cleared = stack.alphas.copy(), stack.colours.copy()
    at = owner[alone], np.flatnonzero(where)[alone]
    for levels, values in zip(cleared, rim.cleared(), strict=True):
        flat = levels.reshape(len(levels), where.size, *levels.shape[3:])
        flat[at] = np.rint(values[alone] * 255)
    between = np.flatnonzero(where)[~alone]
    return _cover_between(photo, Stack(*cleared, stack.black), things, between, rim.doubt[~alone])


def _cover_between(
    photo: Bytes, stack: Stack, things: NDArray[np.intp], at: NDArray[np.intp], doubt: Floats
) -> Stack:
    """Return the stack with no background, at some pixels, where it would be far from its colour.

    Args:
        photo: (H, W, 4) straight RGBA.
        stack: Alphas and a first guess at the colours, the background's complete.
        things: Which layers are things, lowest first; more than one is seen at these pixels.
        at: (M,), their flat positions.
        doubt: (M,), how far off the background may be there, in [0, 1].
    """
    flat = stack.alphas.reshape(len(stack.alphas), -1).copy()
    colours = stack.colours.reshape(len(flat), -1, 3)[:, at]
    some = Stack(flat[:, None, at], colours[:, None], stack.black)
    shown = solve(photo.reshape(1, -1, 4)[:, at], some)[0, 0].astype(np.float32)
    ghost = channels.length(shown - colours[0]) > 2 * 255 * doubt
    lowest = things[(flat[things][:, at[ghost]] > 0).argmax(axis=0)]
    flat[lowest, at[ghost]] = 255
    return replace(stack, alphas=flat.reshape(stack.alphas.shape))


@dataclass(frozen=True, eq=False)
class _Rim:
    """Pixels beside or on an edge, their thing, and what is behind: (M,) or (M, 3), in [0, 1]."""

    pixels: Floats
    alpha: Floats
    colour: Floats
    behind: Floats
    doubt: Floats
    strange: Floats | float
    akin: Floats
    tint: float

    def cleared(self) -> tuple[Floats, Floats]:
        """Return the alpha and the colour of the thing with which what is behind can stay."""
        ghost = self._beyond(self._moved())
        alpha = self.alpha + (ghost > 0) * self._gain()
        rest = self.pixels - _mix(alpha, self.colour, self.behind)
        hue = self._hue(rest)
        tinged = np.clip(_left(hue, alpha) / self.tint - 1, 0, 1)
        tinged *= channels.total(np.square(self.behind)) > BLACK
        taken = ghost[:, None] * rest + np.maximum(tinged - ghost, 0)[:, None] * hue
        own = self.colour + taken / np.maximum(alpha, LEAST)[:, None]
        return alpha, np.clip(own, 0, 1)

    def _hue(self, rest: Floats) -> Floats:
        """Return what of a difference (M, 3) is no more or less light on what is behind."""
        length = np.maximum(channels.length(self.behind)[:, None], LEAST)
        light = self.behind / length
        hue: Floats = rest - channels.total(rest * light)[:, None] * light
        return hue

    def _moved(self) -> Floats:
        """Return how far the solver would move what is behind to meet the photo."""
        rest = self.pixels - _mix(self.alpha, self.colour, self.behind)
        clear, shared = 1 - self.alpha, _left(rest, self.alpha)
        most = np.clip(self.colour + rest / np.maximum(self.alpha, LEAST)[:, None], 0, 1)
        left = self.pixels - _mix(self.alpha, most, self.behind)
        unmet = channels.length(left) / np.maximum(clear, LEAST)
        moved: Floats = np.where(clear > 0, np.maximum(shared, unmet), 0)
        return moved

    def _gain(self) -> Floats:
        """Return the alpha that is missing to show the photo before what is behind.

        None of it where it would make a hard line of a faint one, unless the thing has that colour.
        """
        apart = self.pixels - self.behind
        distance = channels.length(apart)
        apart = apart * self._beyond(distance)[:, None]
        room = np.where(apart > 0, 1 - self.behind, self.behind)
        needed = np.minimum(channels.largest(np.abs(apart) / np.maximum(room, LEAST)), 1)
        missing = np.maximum(np.ceil(needed * 255) / 255 - self.alpha, 0)
        faint = np.clip((HARD - missing) / (HARD - FAINT), 0, 1)
        plainly = np.clip(distance / PLAINLY - 1, 0, 1)
        gain: Floats = missing * np.maximum(np.maximum(faint, self.akin), plainly)
        return gain

    def _beyond(self, distance: Floats) -> Floats:
        """Return from 0 to 1 how far a distance is beyond doubt: all of it at twice the doubt."""
        beyond: Floats = np.maximum(np.clip(distance / self.doubt - 1, 0, 1), self.strange)
        return beyond


def _left(rest: Floats, alpha: Floats) -> Floats:
    """Return how much of a difference (M, 3) the solver leaves to what is behind alpha: (M,)."""
    clear = 1 - alpha
    left: Floats = channels.length(rest) * clear / (np.square(alpha) + np.square(clear))
    return left


def _mix(alpha: Floats, colour: Floats, behind: Floats) -> Floats:
    """Return a colour over another, (M, 3) each, by alpha (M,)."""
    mixed: Floats = behind + alpha[:, None] * (colour - behind)
    return mixed


def _outside(colours: Floats, palette: Palette, where: NDArray[np.bool_]) -> Floats:
    """Return how far (M,) light or hue of colours (M, 3) at M places is from all of a palette's."""
    tinted = hues(np.clip(colours, 0, 1))
    least, most = (pick(bound[None], where)[0] for bound in (palette.least, palette.most))
    outside: Floats = np.maximum(channels.largest(np.maximum(least - tinted, tinted - most)), 0)
    return outside
