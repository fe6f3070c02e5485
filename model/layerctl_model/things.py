"""From the separator's fields to things: pixels that agree on what they are part of are one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from layerctl_model.separator import KINDS, Fields, answers

PRODUCT = KINDS.index("product")

SURE = 0.5
"""Chance that a pixel shows a product from which it is asked where the rest of that is."""

ASKED = 1024
"""How many pixels are asked at most."""

AGREE = 0.5
"""How sure two pixels have to be of each other to be part of one thing."""

JOIN = 0.35
"""How sure the pixels of two groups have to be of each other on average to be one thing."""

TOUCH = 0.002
"""Share of the picture in which two things have to meet for one to hide a part of the other."""

HIDDEN = 2.0
"""How much more hidden parts tell of the order than nearness does."""

LEAST = 0.004
"""Share of the picture from which a thing is one."""

SHARPER = 2.0
"""How much more decided a pixel is than its answers: things have edges, no gradients."""


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


def find_things(fields: Fields, size: tuple[int, int]) -> Things:
    """Return the things that fields (1, C, h, w) tell of, for a picture of (height, width)."""
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
    seen, whole, chances = (_enlarged(masks, size) for masks in (seen, whole, kinds[0]))
    shares, whole = seen.mul(SHARPER).softmax(dim=0), whole.sigmoid()
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

    The pixel on which most agree speaks first; those that belong to its thing are not asked again.
    Groups that agree with each other on average are one.

    Args:
        queries: (P, D), what the pixels ask.
        keys: (D, P), what they answer.
    """
    chances = answers(queries[None], keys[None, :, None])[0, :, 0].sigmoid()
    mutual = (chances * chances.T).sqrt()
    left = torch.ones(len(queries), dtype=torch.bool)
    groups: list[Tensor] = []
    while left.any():
        first = int(((mutual * left).sum(dim=1) * left).argmax())
        agreed = (mutual[first] > AGREE) & left
        agreed[first] = True
        mean = queries[agreed].mean(dim=0)[None, None]
        agreed |= (answers(mean, keys[None, :, None])[0, 0, 0] > 0) & left
        left &= ~agreed
        groups.append(agreed)
    return [group.nonzero()[:, 0] for group in _joined(groups, mutual)]


def _joined(groups: list[Tensor], mutual: Tensor) -> list[Tensor]:
    """Return groups, masks of pixels (P,), of which no two agree by more than `JOIN`."""
    while len(groups) > 1:
        members = torch.stack(groups).float()
        sizes = members.sum(dim=1)
        agreement = (members @ mutual @ members.T) / (sizes[:, None] * sizes)
        agreement.fill_diagonal_(0)
        one, other = divmod(int(agreement.argmax()), len(groups))
        if agreement[one, other] <= JOIN:
            break
        both = groups[one] | groups[other]
        groups = [group for k, group in enumerate(groups) if k not in (one, other)] + [both]
    return groups


def _enlarged(fields: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(fields[:, None], size=size, mode="bilinear")[:, 0]
