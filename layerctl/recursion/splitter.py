"""A layer becomes layers that give it back: taken apart like a photo with alpha, as deep as asked.

The network sees the layer cut down to its box, so that small layers are split at full detail. What
comes back is judged by what is seen of it: a split that shows no second thing is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from layerctl.compositing import Bytes, Stack, bands, fit_alphas, solve, weights
from layerctl.document import Box, Document, Layer, Node, Pixels, grouped, trimmed
from layerctl.errors import DocumentError
from layerctl.photo import Photo

Count: TypeAlias = int | Literal["auto"]

TakeApart: TypeAlias = Callable[[Photo, Count], Document]
"""What takes a photo apart into so many layers, bottom first, that compose to it."""

MARGIN = 0.05
"""Room around a cut-out, as a share of its longer side, so that the network sees its outline."""

SMALLEST = 16
"""Pixels of the longer side below which there is nothing to take apart."""

CLOSE = 4
"""Mean difference in levels of 255 up to which two layers are the same thing twice."""

BASE = "base"
"""What is left of a cut-out under its parts: a background it has not."""

EXACT = 1
"""Levels of 255 that the parts together may be off at any pixel."""


@dataclass(frozen=True)
class Splitter:
    """How layers are split.

    `canvas` is the document they are in, without its children; `layers` is how many to ask the
    network for, `depth` how often parts are split again, and `least` the share of what is seen of
    a layer (0 to 1) from which a part counts.
    """

    take_apart: TakeApart
    canvas: Document
    layers: Count = "auto"
    depth: int = 1
    least: float = 0.002

    def split(self, layer: Layer) -> tuple[Node, ...]:
        """Return nodes that compose to the layer's pixels, at most 1 level of 255 off at any.

        They lie where the layer lies, and share neither its opacity nor its blend mode; a group is
        a part that was split again. There are none if the split brings nothing.

        Raises:
            DocumentError: Nothing that composes to the layer can be made of the network's layers.
        """
        nodes = self._descend(layer, self.depth)
        if not nodes:
            return ()
        exact = _exact(nodes, layer)
        return _rebuilt(exact, map(self._judged, _leaves(exact)))

    def _descend(self, layer: Layer, depth: int) -> tuple[Node, ...]:
        parts = self._parts(layer)
        if depth == 1:
            return parts
        whole = trimmed(layer)
        return tuple(
            part if part.role == "shadow" or _twins(part, whole) else self._deeper(part, depth - 1)
            for part in parts
        )

    def _deeper(self, part: Layer, depth: int) -> Node:
        """Return a part as a group of its own parts, or as it is if it has none."""
        inside = self._descend(part, depth)
        return grouped(part, inside) if inside else part

    def _judged(self, leaf: Layer) -> Layer:
        """Return a part whose coverage is a share of the canvas, not of what was taken apart."""
        if leaf.quality is None:
            return leaf
        covered = np.count_nonzero(leaf.pixels[..., 3]) / (self.canvas.width * self.canvas.height)
        return replace(leaf, quality=replace(leaf.quality, coverage=round(covered, 4)))

    def _parts(self, layer: Layer) -> tuple[Layer, ...]:
        seen = trimmed(layer)
        if not seen.pixels[..., 3].any() or max(seen.pixels.shape[:2]) < SMALLEST:
            return ()
        room = _room(seen.pixels)
        photo = Photo(Path(layer.name), np.pad(_bare(seen.pixels), room), self.canvas.icc)
        left, top = seen.left - room[1][0], seen.top - room[0][0]
        found = [part for _, part in self.take_apart(photo, self.layers).walk()]
        shares = _shares(found, photo)
        parts = [p for p, share in zip(found, shares, strict=True) if share >= self.least]
        if all(_twins(below, above) for below, above in pairwise(parts)):
            return ()
        cut_out = bool((photo.pixels[..., 3] < 255).any())
        return tuple(
            trimmed(replace(part, left=part.left + left, top=part.top + top))
            for part in _named(parts, cut_out=cut_out)
        )


def _room(pixels: Pixels) -> tuple[tuple[int, int], ...]:
    """Return what to pad rows, columns and channels with: an opaque picture needs no room."""
    if pixels[..., 3].min() == 255:
        return (0, 0), (0, 0), (0, 0)
    margin = max(1, round(MARGIN * max(pixels.shape[:2])))
    return (margin, margin), (margin, margin), (0, 0)


def _bare(pixels: Pixels) -> Pixels:
    """Return pixels without the colour that hides where alpha is 0, as photos are."""
    return np.where(pixels[..., 3:], pixels, np.uint8(0))


def _shares(parts: Sequence[Layer], photo: Photo) -> list[float]:
    """Return for each part the share (0 to 1) of all that is seen that is seen of it."""
    if not parts:
        return []
    seen = np.zeros(len(parts))
    frame = 0, 0, photo.width, photo.height
    alphas = np.stack([_within(part, frame)[..., 3] for part in parts])
    for band in bands((photo.height, photo.width)):
        seen += weights(alphas[:, band].astype(np.float32) / 255).sum(axis=(1, 2))
    return [float(share) for share in seen / max(seen.sum(), 1)]


def _within(layer: Layer, frame: Box) -> Pixels:
    """Return what of a layer lies in a frame, as large as the frame."""
    left, top, right, bottom = frame
    found = np.zeros((bottom - top, right - left, 4), np.uint8)
    x0, y0 = max(layer.box[0], left), max(layer.box[1], top)
    x1, y1 = min(layer.box[2], right), min(layer.box[3], bottom)
    if x0 < x1 and y0 < y1:
        inside = np.s_[y0 - layer.top : y1 - layer.top, x0 - layer.left : x1 - layer.left]
        found[y0 - top : y1 - top, x0 - left : x1 - left] = layer.pixels[inside]
    return found


def _twins(below: Layer, above: Layer) -> bool:
    """Whether two layers draw the same thing at the same place."""
    if below.box != above.box:
        return False
    apart = np.abs(below.pixels.astype(np.int16) - above.pixels).max(axis=-1)
    return bool(apart.mean() <= CLOSE)


def _named(parts: Iterable[Layer], *, cut_out: bool) -> list[Layer]:
    """Return the parts; the lowest one of a cut-out is no background."""
    return [
        replace(part, name=BASE, role="product") if cut_out and part.role == "background" else part
        for part in parts
    ]


def _exact(nodes: tuple[Node, ...], layer: Layer) -> tuple[Node, ...]:
    """Return the nodes, their pixels moved as little as makes them give the layer back."""
    if _furthest(list(_leaves(nodes)), layer) > EXACT:
        nodes = _rebuilt(nodes, iter(_solved(list(_leaves(nodes)), layer)))
        if _furthest(list(_leaves(nodes)), layer) > EXACT:
            raise DocumentError(f"the parts of '{layer.name}' do not give it back")
    return nodes


def _leaves(nodes: Iterable[Node]) -> Iterator[Layer]:
    for node in nodes:
        if isinstance(node, Layer):
            yield node
        else:
            yield from _leaves(node.children)


def _rebuilt(nodes: tuple[Node, ...], leaves: Iterator[Layer]) -> tuple[Node, ...]:
    """Return the same tree with other layers, which come in its order."""
    return tuple(
        next(leaves)
        if isinstance(node, Layer)
        else replace(node, children=_rebuilt(node.children, leaves))
        for node in nodes
    )


def _furthest(leaves: Sequence[Layer], layer: Layer) -> int:
    """Return how far layers together are from one, in levels of 255; colour as far as it shows."""
    left, top, right, bottom = layer.box
    moved = tuple(replace(leaf, left=leaf.left - left, top=leaf.top - top) for leaf in leaves)
    flat, worst = Document(right - left, bottom - top, moved).flatten(), 0
    for band in bands(flat.shape[:2]):
        one, other = flat[band].astype(np.float32), layer.pixels[band].astype(np.float32)
        for pixels in (one, other):
            pixels[..., :3] *= pixels[..., 3:] / 255
        worst = max(worst, int(np.rint(np.abs(one - other)).max(initial=0)))
    return worst


def _solved(leaves: Sequence[Layer], layer: Layer) -> list[Layer]:
    """Return leaves that compose to the layer, as near as may be to what they were."""
    found: Bytes = np.stack([_within(leaf, layer.box) for leaf in leaves])
    black = (False, *(leaf.blend == "multiply" for leaf in leaves[1:]))
    alphas = fit_alphas(layer.pixels, found[..., 3], black)
    colours = solve(layer.pixels, Stack(alphas, found[..., :3], black))
    left, top, _, _ = layer.box
    return [
        trimmed(replace(leaf, pixels=np.dstack([colour, alpha]), left=left, top=top))
        for leaf, colour, alpha in zip(leaves, colours, alphas, strict=True)
    ]
