"""Layer, Group, Document: numbering, boxes and flattening."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from layerctl.address import find
from layerctl.compositing import Floats, bands, over, straight
from layerctl.texts.prompt import Prompt

Pixels: TypeAlias = NDArray[np.uint8]
Blend: TypeAlias = Literal["normal", "multiply"]
Role: TypeAlias = Literal["background", "shadow", "product", "text"]
Box: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True)
class Quality:
    """How far a layer can be trusted.

    `coverage` is the share of the canvas it covers (0 to 1), `softness` the share of its covered
    pixels that are half transparent (0 to 1); `doubts` are sentences for the user.
    """

    coverage: float
    softness: float
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layer:
    """One picture on the canvas: (h, w, 4) uint8 straight RGBA, trimmed to its box."""

    name: str
    role: Role
    pixels: Pixels
    left: int = 0
    top: int = 0
    opacity: float = 1.0
    blend: Blend = "normal"
    visible: bool = True
    quality: Quality | None = None

    @property
    def box(self) -> Box:
        """Left, top, right, bottom on the canvas; right and bottom are exclusive."""
        height, width = self.pixels.shape[:2]
        return self.left, self.top, self.left + width, self.top + height


@dataclass(frozen=True)
class Group:
    """Layers that move together, bottom first."""

    name: str
    children: tuple[Node, ...]
    opacity: float = 1.0
    blend: Blend = "normal"
    visible: bool = True


Node: TypeAlias = Layer | Group


@dataclass(frozen=True)
class Document:
    """A canvas and what lies on it, bottom first; `dpi` is pixels per inch, across and down."""

    width: int
    height: int
    children: tuple[Node, ...]
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None

    def flatten(self) -> Pixels:
        """Return what a reader shows: (height, width, 4) uint8 straight RGBA."""
        flat = np.empty((self.height, self.width, 4), np.uint8)
        for band in bands((self.height, self.width)):
            canvas = np.zeros((band.stop - band.start, self.width, 4), np.float32)
            _paint(canvas, band.start, self.children)
            flat[band] = straight(canvas)
        return flat

    def walk(self) -> Iterator[tuple[str, Layer]]:
        """Yield every layer with its number, bottom first."""
        for number, node in numbered(self.children):
            if isinstance(node, Layer):
                yield number, node

    def at(self, address: str) -> Node:
        """Return the layer or group with that number ("2/1"), path of names or name.

        Raises:
            DocumentError: Nothing is called so, or several are; the sentence lists them.
        """
        nodes = dict(numbered(self.children))
        return nodes[find(address, {number: node.name for number, node in nodes.items()})]


def numbered(children: tuple[Node, ...], prefix: str = "") -> Iterator[tuple[str, Node]]:
    """Yield every node with its number: 1 at the bottom, "2/1" the first inside group 2."""
    for index, node in enumerate(children, start=1):
        number = f"{prefix}{index}"
        yield number, node
        if isinstance(node, Group):
            yield from numbered(node.children, f"{number}/")


def _paint(canvas: Floats, top: int, children: tuple[Node, ...]) -> None:
    """Composite nodes onto a band of the canvas, premultiplied, whose first row is `top`."""
    for node in children:
        if not node.visible:
            continue
        if isinstance(node, Layer):
            _paint_layer(canvas, top, node)
        elif node.opacity == 1 and node.blend == "normal":
            _paint(canvas, top, node.children)
        else:
            _paint_isolated(canvas, top, node)


def _paint_layer(canvas: Floats, top: int, layer: Layer) -> None:
    height, width = canvas.shape[:2]
    left, upper, right, lower = layer.box
    x0, x1 = max(left, 0), min(right, width)
    y0, y1 = max(upper, top), min(lower, top + height)
    if x0 < x1 and y0 < y1:
        over(
            canvas[y0 - top : y1 - top, x0:x1],
            layer.pixels[y0 - upper : y1 - upper, x0 - left : x1 - left],
            opacity=layer.opacity,
            multiply=layer.blend == "multiply",
        )


def _paint_isolated(canvas: Floats, top: int, group: Group) -> None:
    inner = np.zeros_like(canvas)
    _paint(inner, top, group.children)
    over(canvas, straight(inner), opacity=group.opacity, multiply=group.blend == "multiply")


@dataclass(frozen=True)
class Decomposition:
    """A photo taken apart, and the seconds each stage took.

    `prompt` is the text that the network read, None if it reads none; `notes` are sentences about
    how it went that the user should see.
    """

    document: Document
    seconds: Mapping[str, float]
    prompt: Prompt | None = None
    notes: tuple[str, ...] = ()


def trimmed(layer: Layer) -> Layer:
    """Return the layer cut down to the box of its non-transparent pixels (at least one pixel)."""
    rows = np.flatnonzero(layer.pixels[..., 3].any(axis=1))
    columns = np.flatnonzero(layer.pixels[..., 3].any(axis=0))
    if not len(rows):
        return replace(layer, pixels=layer.pixels[:1, :1])
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return replace(
        layer,
        pixels=np.ascontiguousarray(layer.pixels[top:bottom, left:right]),
        left=layer.left + int(left),
        top=layer.top + int(top),
    )


def grouped(layer: Layer, inside: tuple[Node, ...]) -> Group:
    """Return the group that stands for a layer: all of it but its pixels."""
    return Group(layer.name, inside, layer.opacity, layer.blend, layer.visible)


def planted(children: tuple[Node, ...], number: str, node: Node) -> tuple[Node, ...]:
    """Return nodes with another one in the place of that number ("2/1")."""
    first, _, rest = number.partition("/")
    place = int(first) - 1
    old = children[place]
    if rest and isinstance(old, Group):
        node = replace(old, children=planted(old.children, rest, node))
    return (*children[:place], node, *children[place + 1 :])
