"""The things that a picture shows, as a model tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import cv2
import numpy as np

from layerctl.compositing import Floats

BACKGROUND, PRODUCT, TEXT = range(3)
"""The kinds of what a pixel may show."""

WRITTEN = 0.3, 0.7
"""Shares of text, beside products, from which a pixel is text a little, and is nothing else."""

DOUBT, LIKELY = 0.2, 0.3
"""Chances that a thing is there: below the first less and less of what was drawn of it is kept,
above the second more and more of it counts though nothing was drawn.
"""

SURE, SOMEWHERE = 0.9, 0.1
"""A chance, and the share of a thing that has more: what stands apart and is less sure is none."""

BARE, WORDS = 0.2, 0.1
"""Shares of what shows of a shadow: on the background at least, and on letters at most."""

GAP = 0.02
"""Distance, as a share of the longest side, from which parts do not belong together."""

PART = 0.1
"""Share of the largest thing, hidden parts included, up to which what touches a thing is its part.

A small piece of what goes on behind other things is no trimming.
"""

OWN = 0.012
"""Share of the canvas from which a part by itself is a thing of its own."""

LEAST = 0.15
"""Share of its thing from which it is: smaller ones are trimmings."""

SOLID = 0.5
"""Alpha from which something is there."""


@dataclass(frozen=True, eq=False)
class Things:
    """The things that a picture shows, back to front; everything in [0, 1].

    `shares` (K, h, w) say how much of what a pixel shows is whose and sum to 1. `whole` (K, h, w)
    is where things are, hidden parts included. `kinds` (3, h, w) are the chances that a pixel
    shows background, a product or text. `near` is the chance that it shows anything, of a finer
    size, if there was a look from nearer.
    """

    shares: Floats
    whole: Floats
    kinds: Floats
    near: Floats | None = None

    @property
    def chance(self) -> Floats:
        """How surely a pixel shows anything, as finely as that was seen: (h', w')."""
        return 1 - self.kinds[BACKGROUND] if self.near is None else self.near

    @property
    def written(self) -> Floats:
        """How much of what a pixel shows is text: (h, w)."""
        share = self.kinds[TEXT] / np.maximum(self.kinds[PRODUCT] + self.kinds[TEXT], 1e-6)
        little, all_ = WRITTEN
        written: Floats = np.clip((share - little) / (all_ - little), 0, 1)
        return written

    @property
    def possible(self) -> Floats:
        """How much of what seems to be there at a pixel may be a thing: (h, w)."""
        possible: Floats = np.clip((1 - self.kinds[BACKGROUND]) / DOUBT, 0, 1)
        return possible

    def cover(self, layers: Sequence[Floats]) -> Floats:
        """Return how much of each pixel things cover, of which a model drew these layers: (h, w).

        As much as the layers do, but where the chances speak for more of it or clearly against it.
        They speak for nothing that stands apart and is not sure anywhere, save for letters.
        """
        there = 1 - self.kinds[BACKGROUND]
        drawn = 1 - np.prod([1 - layer[..., 3] for layer in layers], axis=0)
        likely = (there - LIKELY) / (1 - LIKELY) * np.maximum(_sure(there), self.written)
        cover: Floats = np.maximum(drawn, likely) * self.possible
        return cover.astype(np.float32)

    def bare(self, shown: Floats) -> bool:
        """Whether enough of what is seen of a layer (h, w) is no thing for it to be a shadow."""
        background, _, text = (shown * self.kinds).sum(axis=(1, 2)) / max(float(shown.sum()), 1e-6)
        return bool(background > BARE and text < WORDS)

    def showing(self, products: Floats, least: float) -> Things:
        """Return those that show at least so much, as a share of the canvas, of (h, w) products.

        What the others show goes to the nearest in kind; all of it to one thing if none is left.
        """
        kept = [k for k, share in enumerate(self.shares) if (share * products).mean() >= least]
        if not kept and products.mean() >= least:
            return replace(self, shares=np.ones_like(products)[None], whole=products[None])
        shares = self.shares[kept]
        shares = shares / np.maximum(shares.sum(axis=0), 1e-6)
        return replace(self, shares=shares, whole=self.whole[kept])

    def parted(self) -> Things:
        """Return them with what stands clear of the rest of its thing as a thing of its own."""
        shown = self.shares * self.kinds[PRODUCT]
        shares, whole = [], []
        for k, mask in enumerate(shown):
            # What is seen on both sides of something in front of it may be one thing behind that.
            for where in _regions(mask, shown[k + 1 :].sum(axis=0)):
                shares.append(self.shares[k] * where)
                whole.append(self.whole[k] * where)
        return replace(self, shares=np.stack(shares), whole=np.stack(whole)) if shares else self

    def trimmed(self) -> Things:
        """Return them with what is small beside a large thing, and touches it, as part of that."""
        things = self
        while len(things.shares) > 1:
            shown = things.shares * things.kinds[PRODUCT]
            sizes = np.maximum(shown, things.whole).sum(axis=(1, 2))
            small = int(sizes.argmin())
            away = [_distance(one, shown[small]) for one in shown]
            away[small] = np.inf
            near = int(np.argmin(away))
            if sizes[small] > PART * sizes.max() or away[near] > GAP * max(shown.shape[1:]):
                break
            things = things._joined(small, near)
        return things

    def merged(self, most: int) -> Things:
        """Return at most so many: the nearest become one, of those that touch the smallest.

        Only where nothing lies between them in depth, as far as it touches the one that moves.
        """
        things = self
        while len(things.shares) > most:
            shown = things.shares * things.kinds[PRODUCT]
            away = np.array([[_distance(one, other) for other in shown] for one in shown])
            touching = away <= GAP * max(shown.shape[1:])
            sizes = shown.sum(axis=(1, 2))
            moves = [
                (away[k, to] * ~touching[k, to], min(sizes[k], sizes[to]), k, to)
                for k, to in permutations(range(len(shown)), 2)
                if not touching[k, min(k, to) + 1 : max(k, to)].any()
            ]
            *_, one, other = min(moves)
            things = things._joined(one, other)
        return things

    def _joined(self, one: int, other: int) -> Things:
        """Return them with one as a part of another, in the other's place."""
        shares, whole = self.shares.copy(), self.whole.copy()
        shares[other] += shares[one]
        whole[other] = np.maximum(whole[other], whole[one])
        return replace(self, shares=np.delete(shares, one, 0), whole=np.delete(whole, one, 0))


def _sure(there: Floats) -> Floats:
    """Return 1 where a region of what is likely (h, w) is sure somewhere, and 0 elsewhere."""
    _, labels = cv2.connectedComponents((there > LIKELY).astype(np.uint8))
    sure, size = (np.bincount(labels.ravel(), x) for x in ((there > SURE).ravel(), None))
    held: Floats = (sure >= SOMEWHERE * size).astype(np.float32)[labels]
    return held


def _regions(mask: Floats, before: Floats) -> list[Floats]:
    """Return where (h, w) each of the parts of a mask is nearest that stand clear of the others.

    From left to right; parts that something in front connects are one.
    """
    reach = 2 * round(GAP * max(mask.shape) / 2) + 1
    # The stem of a flower may be no more than likely.
    there = (mask > DOUBT) | (before > SOLID)
    near = cv2.dilate(there.astype(np.uint8), np.ones((reach, reach), np.uint8))
    count, labels = cv2.connectedComponents(near)
    labels[mask <= SOLID] = 0
    sizes = np.bincount(labels.ravel(), minlength=count)
    least = max(OWN * mask.size, LEAST * sizes[1:].sum())
    large = [label for label in range(1, count) if sizes[label] >= least]
    if len(large) < 2:
        return [np.ones_like(mask)]
    large.sort(key=lambda label: float(np.nonzero(labels == label)[1].mean()))
    away = [
        cv2.distanceTransform((labels != label).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        for label in large
    ]
    nearest = np.argmin(away, axis=0)
    return [(nearest == place).astype(np.float32) for place in range(len(large))]


def _distance(one: Floats, other: Floats) -> float:
    """Return how far, in pixels, the nearest parts of two masks are from each other."""
    if min(one.max(), other.max()) < SOLID:
        return 0.0
    away = cv2.distanceTransform((one < SOLID).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return float(away[other >= SOLID].min())
