"""From the separator's fields to things: pixels that agree on what they are part of are one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from layerctl_model.grouping import SPLIT, group_pixels
from layerctl_model.separator import KINDS, Fields, answers

BACKGROUND, PRODUCT = KINDS.index("background"), KINDS.index("product")

SURE = 0.5
"""Chance that a pixel shows a product from which it is asked where the rest of that is."""

ASKED = 1024
"""How many pixels are asked at most."""

TOUCH = 0.002
"""Share of the picture in which two things have to meet for one to hide a part of the other."""

HIDDEN = 2.0
"""How much more hidden parts tell of the order than nearness does."""

LEAST = 0.004
"""Share of the picture that a thing shows at least."""

SHARPER = 2.0
"""How much more decided a pixel is than its answers: things have edges, no gradients."""

DETAIL = 0.012
"""Blur, as a share of the longer side, in which all that is lost is what a larger look is for."""

FINER = 2
"""How much finer than masks is what was seen from nearer."""

OUTLINED = 4.0
"""How much more decided it is where a hidden part ends: nobody can use half of one."""


@dataclass(frozen=True, eq=False)
class Things:
    """The things in a picture, back to front; everything in [0, 1].

    `shares` (K, H, W) say how much of what a pixel shows is whose and sum to 1, also where no thing
    is. `whole` (K, H, W) is where things are, hidden parts included. `kinds` (3, H, W) are the
    chances that a pixel shows background, product or text. `near` (`FINER` * H, `FINER` * W) is the
    chance that it shows anything, where there is a look from nearer.
    """

    shares: Tensor
    whole: Tensor
    kinds: Tensor
    near: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Asked:
    """What things ask on average, (K, D), and how near they are, (K,)."""

    queries: Tensor
    nearness: Tensor


def find_things(fields: Fields, size: tuple[int, int], more: Sequence[Fields] = ()) -> Things:
    """Return the things that fields (1, C, h, w) tell of, for a picture of (height, width).

    Fields that are not finite tell of none, and their kinds are no numbers either. `more` are those
    of the same picture at other sizes; what a pixel shows is what all of them say on average.
    """
    if not all(field.isfinite().all() for one in (fields, *more) for field in vars(one).values()):
        none = torch.full((len(KINDS), *size), torch.nan)
        return Things(none[:0], none[:0], none)
    asked = tell_apart(fields, torch.ones_like(fields.kinds[0, 0]), LEAST)
    kinds = chances((fields, *more), size)
    shares, whole = outline(asked, fields, kinds[PRODUCT])
    return Things(shares, whole, kinds)


def chances(looks: Sequence[Fields], size: tuple[int, int]) -> Tensor:
    """Return what each pixel of a picture of (height, width) may show: (3, H, W) in [0, 1].

    Args:
        looks: The fields (1, C, h, w) of that picture, of any sizes; all count as much.
        size: Height and width.
    """
    each = [_enlarged(fields.kinds.softmax(dim=1)[0], size) for fields in looks]
    return torch.stack(each).mean(dim=0)


def sharpen(kinds: Tensor, fields: Fields) -> Tensor:
    """Return what pixels show (3, H, W), with the detail of things that a larger look saw.

    That knows better where things end and where there are gaps in them, but what fills it may be
    background to it, and letters products. So what is broad stays, and so does the kind: the bands
    of a picture are put together from two (Burt and Adelson, A Multiresolution Spline With
    Application to Image Mosaics, 1983).

    Args:
        kinds: What looks that see things whole say; chances that sum to 1.
        fields: (1, C, h, w), the larger look, of the same picture.
    """
    height, width = kinds.shape[1:]
    ground = _with_detail(kinds[:1], chances((fields,), (height, width))[:1])
    little = torch.finfo(kinds.dtype).tiny
    shares = (kinds[1:] + little) / (kinds[1:] + little).sum(dim=0)
    return torch.cat([ground, (1 - ground) * shares])


def come_nearer(kinds: Tensor, fields: Fields, rows: slice, columns: slice) -> Tensor:
    """Return how surely pixels show anything, `FINER` than kinds, with detail seen from near.

    Args:
        kinds: (3, H, W), as for `sharpen`.
        fields: (1, C, h, w), of a part of the picture.
        rows: Where that is, in rows of the kinds.
        columns: And in columns.
    """
    height, width = kinds.shape[1:]
    there = _enlarged(1 - kinds[BACKGROUND, None], (FINER * height, FINER * width))
    rows, columns = (slice(FINER * span.start, FINER * span.stop) for span in (rows, columns))
    part = there[:, rows, columns]
    seen = 1 - chances((fields,), (part.shape[1], part.shape[2]))[BACKGROUND, None]
    there[:, rows, columns] = _with_detail(part, seen)
    return there[0]


def tell_apart(fields: Fields, where: Tensor, least: float, price: float = SPLIT) -> Asked:
    """Return what the things in fields (1, C, h, w) ask, of those that show at least so much.

    Args:
        fields: What the network says of a picture.
        where: (h, w) in [0, 1]; only what is more there than not is asked.
        least: What a thing must show, as a share of the picture.
        price: Of a split, as `SPLIT`.
    """
    product = fields.kinds.softmax(dim=1)[0, PRODUCT]
    pixels = ((product > SURE) & (where > SURE)).flatten().nonzero()[:, 0]
    stride = 1 + len(pixels) // ASKED
    pixels = pixels[::stride]
    queries = fields.queries[0].flatten(1)[:, pixels].T
    groups = group_pixels(queries, fields.seen[0].flatten(1)[:, pixels], price)
    groups = [group for group in groups if len(group) * stride >= least * product.numel()]
    means = torch.stack([queries[group].mean(dim=0) for group in groups]) if groups else queries[:0]
    nearness = fields.nearness[0, 0].flatten()[pixels]
    near = torch.tensor([float(nearness[group].median()) for group in groups])
    return Asked(means, near)


def outline(asked: Asked, fields: Fields, shown: Tensor) -> tuple[Tensor, Tensor]:
    """Return the `shares` and the `whole` of things, back to front, as in `Things`.

    Args:
        asked: What they ask.
        fields: (1, C, h, w), what answers.
        shown: (H, W) in [0, 1], how surely the picture shows any of them.
    """
    size = shown.shape[0], shown.shape[1]
    # Enlarged first: the edges of what is enlarged afterwards are no sharper than the fields.
    seen, whole = (
        _enlarged(answers(asked.queries[None], keys)[0], size)
        for keys in (fields.seen, fields.whole)
    )
    shares, whole = seen.mul(SHARPER).softmax(dim=0), whole.mul(OUTLINED).sigmoid()
    order = back_to_front(asked.nearness, shares * shown, whole)
    return shares[order], whole[order]


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


def _with_detail(broad: Tensor, fine: Tensor) -> Tensor:
    """Return masks (C, H, W) in [0, 1] with the detail of others of what is seen there."""
    return (fine + _blur(broad - fine, DETAIL * max(broad.shape[1:]))).clamp(0, 1)


def _blur(masks: Tensor, sigma: float) -> Tensor:
    """Return masks (C, H, W) blurred by a Gaussian, as if each edge went on outside."""
    reach = math.ceil(3 * sigma)
    line = torch.linspace(-reach, reach, 2 * reach + 1).div(sigma).square().div(-2).softmax(dim=0)
    padded = F.pad(masks[:, None], (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, line[None, None, None]), line[None, None, :, None])[:, 0]


def _enlarged(fields: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(fields[:, None], size=size, mode="bilinear")[:, 0]
