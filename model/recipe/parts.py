"""A picture as what lies behind and the things in front of it: what true and found layers share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from layerctl.compositing import Bytes, Floats, over, straight
from layerctl.document import Document, Role


@dataclass(frozen=True)
class Parts:
    """A picture taken apart; everything float32 in [0, 1].

    `backdrop` is (H, W, 3), also where things hide it. `alphas` is (K, H, W), one for each thing,
    bottom first, as if it were not occluded. `colour` is (H, W, 3), straight: the things together,
    as seen.
    """

    backdrop: Floats
    alphas: Floats
    colour: Floats

    @property
    def union(self) -> Floats:
        """The alpha (H, W) of all things together."""
        clear = np.ones(self.backdrop.shape[:2], np.float32)
        for alpha in self.alphas:
            clear *= 1 - alpha
        return 1 - clear


def gather(backdrop: Bytes, things: Sequence[Bytes]) -> Parts:
    """Return layers as parts: `backdrop` (H, W, 3) and `things` (H, W, 4) RGBA, bottom first."""
    alphas = np.zeros((len(things), *backdrop.shape[:2]), np.float32)
    for alpha, thing in zip(alphas, things, strict=True):
        alpha[:] = thing[..., 3] / np.float32(255)
    return Parts(_unit(backdrop), alphas, _unit(flatten(backdrop.shape, things)[..., :3]))


def flatten(shape: tuple[int, ...], layers: Sequence[Bytes]) -> Bytes:
    """Return source-over of layers (H, W, 4), bottom first, rounded once, straight RGBA."""
    canvas = np.zeros((*shape[:2], 4), np.float32)
    for layer in layers:
        over(canvas, layer)
    return straight(canvas)


def parts_of(document: Document) -> Parts:
    """Return a document as parts; its shadows belong to neither side.

    A hidden part of the backdrop counts with its colour as stored, before any shadow falls on it.
    """
    size = document.height, document.width
    backdrop = flatten(size, _canvases(document, {"background"}))
    return gather(backdrop[..., :3], _canvases(document, {"product", "text"}))


def _canvases(document: Document, roles: set[Role]) -> list[Bytes]:
    """Return the layers of those roles, each on a canvas of the document's size."""
    chosen = [layer for _, layer in document.walk() if layer.role in roles]
    return [replace(document, children=(layer,)).flatten() for layer in chosen]


def _unit(levels: Bytes) -> Floats:
    return levels.astype(np.float32) / 255
