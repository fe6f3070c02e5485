"""What is in a PSD file, anybody's: nodes of a document, rows of a tree, the merged picture.

psd-tools parses the file and knows masks, effects and kinds of layers; channels are unpacked here,
because its own pictures stop at 30,000 pixels a side, PSB or not.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psd_tools import PSDImage
from psd_tools.api.layers import Group as PsdGroup
from psd_tools.api.layers import Layer as PsdLayer
from psd_tools.compression import PSDDecompressionWarning, decompress
from psd_tools.constants import BlendMode, ChannelID, ColorMode, Compression, Tag
from psd_tools.psd import PSD

from layerctl.document import Blend, Box, Group, Layer, Node, Pixels, Role
from layerctl.errors import DocumentError

BLENDS: Mapping[BlendMode, Blend] = {
    BlendMode.NORMAL: "normal",
    BlendMode.PASS_THROUGH: "normal",
    BlendMode.MULTIPLY: "multiply",
}

SAMPLES: Mapping[int, str] = {8: "u1", 16: ">u2", 32: ">f4"}
"""How a channel's samples are stored, by bits."""

BROKEN = (
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What psd-tools lets through on damaged files, its older versions more than the newer."""


@dataclass(frozen=True)
class Row:
    """One line of a layer tree.

    `kind` and `blend` are psd-tools' words ("pixel", "group", "curves"; "multiply", "pass
    through"), `opacity` is in [0, 1], `coverage` the share of the canvas that is not transparent
    in the layer; None where there are no pixels.
    """

    number: str
    name: str
    kind: str
    box: Box
    blend: str
    opacity: float
    visible: bool
    coverage: float | None


@contextmanager
def opened(target: Path) -> Iterator[tuple[PSD, PSDImage]]:
    """Parse a file, as records and as a tree of the same records.

    Raises:
        DocumentError: Whatever goes wrong inside the `with` block, psd-tools' warnings included.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PSDDecompressionWarning)
            with target.open("rb") as file:
                structure = PSD.read(file)
            _check_whole(structure)
            yield structure, PSDImage(structure)
    except DocumentError as error:
        raise DocumentError(f"{target}: {error}") from error
    except FileNotFoundError as error:
        raise DocumentError(f"{target} does not exist") from error
    except PSDDecompressionWarning as error:
        raise DocumentError(f"{target} is damaged: a channel cannot be unpacked") from error
    except BROKEN as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise DocumentError(f"{target} is no Photoshop document, or damaged ({reason})") from error


def check_plain(image: PSDImage) -> None:
    """Refuse everything but 8-bit RGB."""
    if image.color_mode != ColorMode.RGB or image.depth != 8:
        mode = f"{image.color_mode.name} of {image.depth} bit"
        raise DocumentError(f"its pixels are {mode}; layers are read from 8-bit RGB")


def node(found: PsdLayer, image: PSDImage, *, bottom: bool = False) -> Node:
    """Return a layer or group of an 8-bit RGB file; refuse what a `Document` cannot hold."""
    blend = BLENDS.get(found.blend_mode)
    strange = _strange(found)
    if blend is None or strange:
        reason = strange or f"blends by {_words(found.blend_mode)}"
        raise DocumentError(f"the layer '{_name(found)}' {reason}, which layerctl cannot read")
    shared: dict[str, Any] = {
        "name": _name(found),
        "opacity": found.opacity / 255,
        "blend": blend,
        "visible": found.visible,
    }
    if isinstance(found, PsdGroup):
        return Group(children=tuple(node(child, image) for child in found), **shared)
    role: Role = "shadow" if blend == "multiply" else "background" if bottom else "product"
    pixels = _pixels(found, image)
    return Layer(role=role, pixels=pixels, left=found.left, top=found.top, **shared)


def merged(structure: PSD) -> Pixels:
    """Return the merged picture of an 8-bit RGB file, no longer matted with white."""
    head, picture = structure.header, structure.image_data
    size = head.width, head.height * head.channels
    data = decompress(picture.data, picture.compression, *size, head.depth, head.version)
    planes = np.frombuffer(data, np.uint8).reshape(head.channels, head.height, head.width)
    pixels = np.full((head.height, head.width, 4), 255, np.uint8)
    info = structure.layer_and_mask_information.layer_info
    transparent = head.channels > 3 and info is not None and info.layer_count < 0
    for channel in range(4 if transparent else 3):
        pixels[..., channel] = planes[channel]
    return _off_white(pixels) if transparent else pixels


def rows(children: Iterable[PsdLayer], image: PSDImage, prefix: str = "") -> Iterator[Row]:
    """Yield a row for every layer and group, bottom first, numbered as in a `Document`."""
    for index, found in enumerate(children, start=1):
        number = f"{prefix}{index}"
        yield Row(
            number=number,
            name=_name(found),
            kind=found.kind,
            box=found.bbox,
            blend=_words(found.blend_mode),
            opacity=found.opacity / 255,
            visible=found.visible,
            coverage=None if found.is_group() else _coverage(found, image),
        )
        if isinstance(found, PsdGroup):
            yield from rows(found, image, f"{number}/")


def _strange(found: PsdLayer) -> str | None:
    """Return what there is to a layer beside its pixels, if anything."""
    if found.kind not in ("pixel", "group"):
        return f"is of the kind '{found.kind}'"
    if found.has_mask() or found.has_vector_mask():
        return "has a mask"
    if found.clipping:
        return "is clipped to another"
    if found.has_effects():
        return "has effects"
    if found.tagged_blocks.get_data(Tag.BLEND_FILL_OPACITY, 255) != 255:
        return "has a fill opacity"
    return None


def _pixels(found: PsdLayer, image: PSDImage) -> Pixels:
    pixels = np.zeros((max(found.height, 1), max(found.width, 1), 4), np.uint8)
    pixels[..., 3] = 255
    for identity in (*range(3), ChannelID.TRANSPARENCY_MASK):
        plane = _plane(found, identity, image)
        if plane is not None:
            pixels[..., identity] = plane
    return pixels


def _plane(found: PsdLayer, identity: int, image: PSDImage) -> NDArray[Any] | None:
    """Return a channel of a layer; None where it has none, or no pixels."""
    # psd-tools hands out no channels but as pictures of its own.
    channels = zip(found._record.channel_info, found._channels, strict=True)  # noqa: SLF001
    for info, channel in channels:
        if info.id == identity and channel.data and found.width and found.height:
            data = channel.get_data(found.width, found.height, image.depth, image.version)
            samples = np.frombuffer(data, SAMPLES[image.depth])
            return samples.reshape(found.height, found.width)
    return None


def _coverage(found: PsdLayer, image: PSDImage) -> float | None:
    if not found.has_pixels():
        return None
    left, top, right, bottom = found.left, found.top, found.right, found.bottom
    x0, x1 = max(left, 0), min(right, image.width)
    y0, y1 = max(top, 0), min(bottom, image.height)
    inside = max(x1 - x0, 0) * max(y1 - y0, 0)
    alpha = _plane(found, ChannelID.TRANSPARENCY_MASK, image)
    if alpha is not None and inside:
        inside = int(np.count_nonzero(alpha[y0 - top : y1 - top, x0 - left : x1 - left]))
    return inside / (image.width * image.height)


def _check_whole(structure: PSD) -> None:
    """Refuse a merged picture that ends early, which RLE decoding would fill up with black."""
    head, picture = structure.header, structure.image_data
    if picture.compression == Compression.RLE:
        size = 2 * head.version
        table = picture.data[: head.height * head.channels * size]
        lengths = np.frombuffer(table, f">u{size}")
        if len(picture.data) < len(table) + int(lengths.sum(dtype=np.int64)):
            raise DocumentError("it is damaged: the merged picture ends early")


def _off_white(pixels: Pixels) -> Pixels:
    for band in pixels:
        alpha = band[:, 3:].astype(np.float32)
        colour = (band[:, :3] - (255 - alpha)) * (255 / np.maximum(alpha, 1))
        band[:, :3] = np.rint(np.clip(colour, 0, 255))
    return pixels


def _name(found: PsdLayer) -> str:
    return found.name.rstrip("\0")


def _words(blend: BlendMode) -> str:
    return blend.name.lower().replace("_", " ")
