"""From the separator's fields to things: pixels that agree on what they are part of are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from layerctl_model.separator import KINDS, Fields, answers

PRODUCT = KINDS.index("product")

SURE = 0.5
"""Chance that a pixel shows a product from which it is asked where the rest of that is."""

ASKED = 1024
"""How many pixels are asked at most."""

SPLIT = 0.16
"""Share of a thing's pixels that must be better explained for it to become two."""

APART = 0.05
"""How sure the pixels of two groups are of each other, on average, that surely are two things."""

GONE = -1.0
"""Agreement with itself, and with a group that has become part of another: less than any."""

TOUCH = 0.002
"""Share of the picture in which two things have to meet for one to hide a part of the other."""

HIDDEN = 2.0
"""How much more hidden parts tell of the order than nearness does."""

LEAST = 0.004
"""Share of the picture that a thing shows at least."""

SHARPER = 2.0
"""How much more decided a pixel is than its answers: things have edges, no gradients."""

OUTLINED = 4.0
"""How much more decided it is where a hidden part ends: nobody can use half of one."""


@dataclass(frozen=True, eq=False)
class Things:
    """The things in a picture, back to front; everything in [0, 1].

    `shares` (K, H, W) say how much of what a pixel shows is whose and sum to 1, also where no thing
    is. `whole` (K, H, W) is where things are, hidden parts included. `kinds` (3, H, W) are the
    chances that a pixel shows background, product or text.
    """

    shares: Tensor
    whole: Tensor
    kinds: Tensor


def find_things(fields: Fields, size: tuple[int, int], more: Sequence[Fields] = ()) -> Things:
    """Return the things that fields (1, C, h, w) tell of, for a picture of (height, width).

    Fields that are not finite tell of none, and their kinds are no numbers either. `more` are those
    of the same picture at other sizes; what a pixel shows is what all of them say on average.
    """
    if not all(field.isfinite().all() for one in (fields, *more) for field in vars(one).values()):
        none = torch.full((len(KINDS), *size), torch.nan)
        return Things(none[:0], none[:0], none)
    kinds = fields.kinds.softmax(dim=1)
    asked = (kinds[0, PRODUCT].flatten() > SURE).nonzero()[:, 0]
    stride = 1 + len(asked) // ASKED
    asked = asked[::stride]
    queries = fields.queries[0].flatten(1)[:, asked].T
    groups = _groups(queries, fields.seen[0].flatten(1)[:, asked])
    least = LEAST * kinds[0, 0].numel() / stride
    nearness = fields.nearness[0, 0].flatten()[asked]
    groups = [group for group in groups if len(group) >= least]
    means = torch.stack([queries[group].mean(dim=0) for group in groups]) if groups else queries[:0]
    near = torch.tensor([float(nearness[group].median()) for group in groups])
    seen, whole = (answers(means[None], keys)[0] for keys in (fields.seen, fields.whole))
    # Enlarged first: the edges of what is enlarged afterwards are no sharper than the fields.
    seen, whole = _enlarged(seen, size), _enlarged(whole, size)
    chances = torch.stack([_chances(one, size) for one in (fields, *more)]).mean(dim=0)
    shares, whole = seen.mul(SHARPER).softmax(dim=0), whole.mul(OUTLINED).sigmoid()
    order = back_to_front(near, shares * chances[PRODUCT], whole)
    return Things(shares[order], whole[order], chances)


def back_to_front(nearness: Tensor, seen: Tensor, whole: Tensor) -> list[int]:
    """Return the numbers of things in their order, the farthest first.

    What goes on behind what another one shows is behind it; so is, less surely, what is less near.

    Args:
        nearness: (K,), as the network says.
        seen: (K, h, w), what shows of each.
        whole: (K, h, w), where each is.
    """
    under = whole.flatten(1).round() @ seen.flatten(1).T
    shared = (under + under.T).clamp_min(TOUCH * seen[:1].numel())
    before = (nearness[:, None] - nearness).div(2).tanh() + HIDDEN * (under.T - under) / shared
    before.fill_diagonal_(-torch.inf)
    waiting, order = list(range(len(nearness))), []
    while waiting:
        reasons = before[waiting][:, waiting].amax(dim=1)
        order.append(waiting.pop(int(reasons.argmin())))
    return order


def _groups(queries: Tensor, keys: Tensor) -> list[Tensor]:
    """Return which pixels, by number, are part of one thing each.

    The two groups that agree most become one again and again, each pixel being a group at first:
    average linkage, in the far fewer steps of chains of nearest neighbours (Murtagh, The Computer
    Journal 26(4), 1983). The things are those groups on the way that together are worth most;
    what surely is apart stays so.

    Args:
        queries: (P, D), what the pixels ask.
        keys: (D, P), what they answer.
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
            groups[one] = _united(first, second, float(agreement[one, other]))
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


def _united(one: _Group, other: _Group, agreement: float) -> _Group:
    """Return two groups as one thing, or as what each is if that is worth more than the split.

    Its price grows with the two, so that small things may be as many as large ones.
    """
    across = len(one.pixels) * len(other.pixels) * agreement
    within, around = one.within + other.within + 2 * across, one.around + other.around
    whole = _group(one.pixels + other.pixels, within, around)
    apart = one.worth + other.worth - SPLIT * len(whole.pixels)
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


def _chances(fields: Fields, size: tuple[int, int]) -> Tensor:
    """Return what each pixel of a picture of (height, width) may show: (3, H, W)."""
    return _enlarged(fields.kinds.softmax(dim=1)[0], size)


def _enlarged(fields: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(fields[:, None], size=size, mode="bilinear")[:, 0]
