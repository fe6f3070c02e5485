"""One layer as a PNG that remembers its place: what PNG stacks and slides are made of.

A sheet carries its description twice: as standard chunks that other programs read (title, profile,
resolution, offset) and as JSON under the keyword `layerctl`, from which the document is rebuilt.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from layerctl.document import Box, Document, Group, Layer, Node, Pixels
from layerctl.errors import DocumentError

KEYWORD = "layerctl"
"""The tEXt keyword of the JSON description."""

AFTER_HEADER = 33
"""Bytes up to the end of a PNG's IHDR chunk: 8 of signature, 25 of chunk."""

BROKEN = (LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error, zlib.error)
"""What Pillow and JSON raise on damaged files."""


@dataclass(frozen=True)
class Sheet:
    """A layer on its own.

    `path` holds its place at each level, counted from 0 at the bottom; `groups` the groups it is
    in, outermost first, without their children; `canvas` the document, without its children.
    """

    path: tuple[int, ...]
    layer: Layer
    groups: tuple[Group, ...]
    canvas: Document


def sheets(document: Document) -> Iterator[Sheet]:
    """Yield every layer of the document as a sheet, bottom first (empty groups are left out)."""
    canvas = replace(document, children=())

    def descend(
        children: tuple[Node, ...], path: tuple[int, ...], groups: tuple[Group, ...]
    ) -> Iterator[Sheet]:
        for index, node in enumerate(children):
            if isinstance(node, Layer):
                yield Sheet((*path, index), node, groups, canvas)
            else:
                outer = (*groups, replace(node, children=()))
                yield from descend(node.children, (*path, index), outer)

    return descend(document.children, (), ())


def assemble(found: Iterable[Sheet]) -> Document:
    """Return the document whose sheets these are, in whatever order they come.

    Raises:
        DocumentError: There are none, or they are of different documents.
    """
    ordered = sorted(found, key=lambda sheet: sheet.path)
    if not ordered:
        raise DocumentError("there is no layer in it")
    canvas = ordered[0].canvas
    if any((s.canvas.width, s.canvas.height) != (canvas.width, canvas.height) for s in ordered):
        raise DocumentError("its layers belong to pictures of different sizes")
    return replace(canvas, children=_nest(ordered, 0))


def _nest(ordered: list[Sheet], depth: int) -> tuple[Node, ...]:
    nodes: list[Node] = []
    for _, same in groupby(ordered, key=lambda sheet: sheet.path[depth]):
        members = list(same)
        first = members[0]
        if len(first.path) == depth + 1:
            nodes.append(first.layer)
        else:
            nodes.append(replace(first.groups[depth], children=_nest(members, depth + 1)))
    return tuple(nodes)


def encode(sheet: Sheet, *, level: int, full: bool = False) -> bytes:
    """Return the sheet as a PNG, a Multiply layer as black with alpha.

    Args:
        sheet: What to encode.
        level: zlib's compression level, 0 to 9.
        full: Pad the layer to the whole canvas; else it is as large as its box, and its offset
            is in an oFFs chunk (PNG extensions 1.5, section 3.1).
    """
    canvas = sheet.canvas
    layer = _clipped(sheet.layer, canvas) if full else sheet.layer
    pixels = source_over(layer)
    description = PngImagePlugin.PngInfo()
    description.add_itxt("Title", layer.name.encode(errors="ignore").decode())
    description.add_text(KEYWORD, json.dumps(_describe(sheet, layer), sort_keys=True))
    buffer = BytesIO()
    Image.fromarray(_spread(pixels, layer.box, canvas) if full else pixels).save(
        buffer,
        "PNG",
        compress_level=level,
        pnginfo=description,
        icc_profile=canvas.icc,
        dpi=canvas.dpi,
    )
    data = buffer.getvalue()
    return data if full else _with_offset(data, layer.left, layer.top)


def decode(source: Path | BytesIO) -> Sheet:
    """Return the sheet that `encode` wrote.

    Raises:
        DocumentError: It is damaged, or no sheet.
    """
    try:
        # Image.open would refuse what is larger than Pillow expects of a stranger's picture.
        with PngImagePlugin.PngImageFile(source) as image:
            pixels = np.asarray(image.convert("RGBA"))
            description, icc = image.info[KEYWORD], image.info.get("icc_profile")
        return _rebuild(json.loads(description), pixels, icc)
    except BROKEN as error:
        raise DocumentError(f"a picture in it was not written by layerctl ({error})") from error


def source_over(layer: Layer) -> Pixels:
    """Return pixels that look the same without a blend mode.

    A black layer on Multiply darkens exactly as the same layer on Normal; a grey one as black
    with less alpha. A coloured one darkens by its mean: no picture could do it channel by channel.
    """
    if layer.blend == "normal":
        return layer.pixels
    light = layer.pixels[..., :3].mean(axis=-1, dtype=np.float32)
    pixels = np.zeros_like(layer.pixels)
    pixels[..., 3] = np.rint(layer.pixels[..., 3] * (1 - light / 255))
    return pixels


def _clipped(layer: Layer, canvas: Document) -> Layer:
    left, top, right, bottom = layer.box
    x0, y0 = min(max(left, 0), canvas.width), min(max(top, 0), canvas.height)
    x1, y1 = max(min(right, canvas.width), x0), max(min(bottom, canvas.height), y0)
    inside = layer.pixels[y0 - top : y1 - top, x0 - left : x1 - left]
    return replace(layer, pixels=inside, left=x0, top=y0)


def _spread(pixels: Pixels, box: Box, canvas: Document) -> Pixels:
    left, top, right, bottom = box
    full = np.zeros((canvas.height, canvas.width, 4), np.uint8)
    full[top:bottom, left:right] = pixels
    return full


def _with_offset(data: bytes, left: int, top: int) -> bytes:
    """Return the PNG with an oFFs chunk, which Pillow would not write."""
    body = b"oFFs" + struct.pack(">iiB", left, top, 0)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:AFTER_HEADER] + chunk + data[AFTER_HEADER:]


def _describe(sheet: Sheet, layer: Layer) -> dict[str, object]:
    canvas = sheet.canvas
    return {
        "path": sheet.path,
        "canvas": (canvas.width, canvas.height),
        "dpi": canvas.dpi,
        "box": layer.box,
        "layer": _look(layer) | {"role": layer.role},
        "groups": [_look(group) for group in sheet.groups],
    }


def _look(node: Node) -> dict[str, object]:
    return {
        "name": node.name,
        "opacity": node.opacity,
        "blend": node.blend,
        "visible": node.visible,
    }


def _rebuild(description: dict[str, Any], pixels: Pixels, icc: bytes | None) -> Sheet:
    width, height = description["canvas"]
    left, top, right, bottom = description["box"]
    if pixels.shape[:2] != (bottom - top, right - left):
        pixels = np.ascontiguousarray(pixels[top:bottom, left:right])
    dpi = description["dpi"]
    return Sheet(
        path=tuple(description["path"]),
        layer=Layer(pixels=pixels, left=left, top=top, **description["layer"]),
        groups=tuple(Group(children=(), **look) for look in description["groups"]),
        canvas=Document(width, height, (), icc, (dpi[0], dpi[1]) if dpi else None),
    )
