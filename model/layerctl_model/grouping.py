"""Which pixels are part of one thing: those that agree on what they are part of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from layerctl_model.separator import answers

SPLIT = 0.24
"""Share of a thing's pixels that must be better explained for it to become two."""

APART = 0.05
"""How sure the pixels of two groups are of each other, on average, that surely are two things."""

GONE = -1.0
"""Agreement with itself, and with a group that has become part of another: less than any."""


def group_pixels(queries: Tensor, keys: Tensor, price: float = SPLIT) -> list[Tensor]:
    """Return which pixels, by number, are part of one thing each.

    The two groups that agree most become one again and again, each pixel being a group at first:
    average linkage, in the far fewer steps of chains of nearest neighbours (Murtagh, The Computer
    Journal 26(4), 1983). The things are those groups on the way that together are worth most;
    what surely is apart stays so.

    Args:
        queries: (P, D), what the pixels ask.
        keys: (D, P), what they answer.
        price: Of a split, as `SPLIT`.
    """
    # Products of finite numbers may overflow, and no number is nearer than any other.
    chances = answers(queries[None], keys[None, :, None])[0, :, 0].sigmoid().nan_to_num()
    agreement = (chances * chances.T).sqrt()
    alone = zip(agreement.diag().tolist(), agreement.sum(dim=1).tolist(), strict=True)
    groups = {pixel: _group([pixel], *sums) for pixel, sums in enumerate(alone)}
    agreement.fill_diagonal_(GONE)
    parts, chain = [], list[int]()
    while groups:
        chain = chain or [next(iter(groups))]
        last = chain[-1]
        nearest = int(agreement[last].argmax())
        if agreement[last, nearest] <= APART:
            parts += groups.pop(chain.pop()).parts
        elif len(chain) > 1 and agreement[last, nearest] <= agreement[last, chain[-2]]:
            one, other = chain.pop(), chain.pop()
            first, second = groups[one], groups.pop(other)
            groups[one] = _united(first, second, float(agreement[one, other]), price)
            _average(agreement, len(first.pixels) / len(groups[one].pixels), one, other)
        else:
            chain.append(nearest)
    return [torch.tensor(part) for part in parts]


@dataclass(frozen=True)
class _Group:
    """Pixels that may be one thing, or several.

    `within` and `around` are the sums of their agreement with each other and with all pixels.
    `parts` are the things they are best taken for. `worth` is what these explain, each its pixels
    times its soft IoU with what they ask for, less the price of every split.
    """

    pixels: list[int]
    within: float
    around: float
    worth: float
    parts: list[list[int]]


def _group(pixels: list[int], within: float, around: float) -> _Group:
    """Return pixels as one thing."""
    count = len(pixels)
    return _Group(pixels, within, around, count * within / (count**2 + around - within), [pixels])


def _united(one: _Group, other: _Group, agreement: float, price: float) -> _Group:
    """Return two groups as one thing, or as what each is if that is worth more than the split.

    Its price grows with the two, so that small things may be as many as large ones.
    """
    across = len(one.pixels) * len(other.pixels) * agreement
    within, around = one.within + other.within + 2 * across, one.around + other.around
    whole = _group(one.pixels + other.pixels, within, around)
    apart = one.worth + other.worth - price * len(whole.pixels)
    if whole.worth >= apart:
        return whole
    return replace(whole, worth=apart, parts=one.parts + other.parts)


def _average(agreement: Tensor, share: float, one: int, other: int) -> None:
    """Make two groups one: it agrees with the rest as its pixels do on average."""
    mean = torch.lerp(agreement[other], agreement[one], share)
    # A mean that rounding left above both would send a chain of neighbours in a circle.
    mean = mean.minimum(agreement[[one, other]].amax(dim=0))
    mean[one] = mean[other] = GONE
    agreement[one] = agreement[:, one] = mean
    agreement[other] = agreement[:, other] = GONE
