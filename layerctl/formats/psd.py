"""PSD and PSB: Photoshop documents, written and read with psd-tools."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from psd_tools.constants import Compression, Resource
from psd_tools.psd import PSD

from layerctl.document import Document, Layer, Pixels
from layerctl.errors import DocumentError
from layerctl.formats import psd_records as records
from layerctl.formats.psd_layers import Row, check_whole, nodes, rows
from layerctl.formats.psd_layers import merged as merged_picture
from layerctl.formats.psd_layout import Layout, read_layout

if TYPE_CHECKING:
    from layerctl.preset import ExportSection

suffix = ".psd"

PSD_SIDE, PSB_SIDE = 30_000, 300_000
"""The longest side in pixels, of each version."""

COMPRESSIONS: Mapping[str, Compression] = {
    "raw": Compression.RAW,
    "rle": Compression.RLE,
    "zip": Compression.ZIP,
}


RESOLUTION = ">i4xi"
"""The numbers in a ResolutionInfo that are not units."""


def suffix_for(document: Document) -> str:
    """Return ".psb" where a side or the uncompressed size is more than a PSD can have."""
    return suffix if _version(document) == 1 else ".psb"


def write(document: Document, target: Path, export: ExportSection) -> tuple[Path, ...]:
    """Write the document with its merged picture, PSB where the size demands it.

    Raises:
        DocumentError: A side is over 300,000 pixels.
    """
    if max(document.width, document.height) > PSB_SIDE:
        raise DocumentError(f"no PSD or PSB has sides of more than {PSB_SIDE:,} pixels")
    flat = document.flatten()
    alpha = bool((flat[..., 3] < 255).any())
    children = document.children
    if export.psd.original:
        children += (Layer("original", "background", flat, visible=False),)
    encoding = records.Encoding(COMPRESSIONS[export.psd.compression], _version(document))
    head = records.header(document, alpha=alpha, version=encoding.version)
    structure = PSD(
        header=head,
        image_resources=records.resources(document, flat),
        layer_and_mask_information=records.section(
            list(records.layers(children, encoding)), alpha=alpha
        ),
        image_data=records.merged(flat, head, encoding.compression),
    )
    with target.open("wb") as file:
        structure.write(file)
    return (target,)


def read(target: Path) -> Document:
    """Return the document in a file of 8-bit RGB pixel layers and groups, ours or anybody's.

    Roles are not in the file: the bottom layer is taken for the background, Multiply for shadows.

    Raises:
        DocumentError: The file is missing or damaged, or a layer holds what a `Document` cannot
            (another blend mode, a mask, an effect, an adjustment): nothing is left out silently.
    """
    with _opened(target) as layout:
        return document(layout)


def document(layout: Layout) -> Document:
    """Return the document in a file whose parts were found.

    Raises:
        DocumentError: As `read` does.
    """
    check_whole(layout)
    children = nodes(layout) or (Layer("background", "background", merged_picture(layout)),)
    head, icc = layout.header, layout.resource(Resource.ICC_PROFILE)
    return Document(head.width, head.height, children, icc, _dpi(layout))


def merged(target: Path) -> Pixels:
    """Return the merged picture of a file, as other programs see it: (H, W, 4) straight RGBA.

    Raises:
        DocumentError: The file is missing, damaged, or not 8-bit RGB.
    """
    with _opened(target) as layout:
        return merged_picture(layout)


def tree(target: Path) -> tuple[Row, ...]:
    """Return a row for every layer and group, bottom first, whatever wrote the file.

    Raises:
        DocumentError: The file is missing or damaged.
    """
    with _opened(target) as layout:
        return rows(layout)


@contextmanager
def _opened(target: Path) -> Iterator[Layout]:
    """Find the parts of a file; whatever is refused about it, inside the block too, names it."""
    try:
        yield read_layout(target)
    except DocumentError as error:
        raise DocumentError(f"{target}: {error}") from error


def _version(document: Document) -> int:
    canvas = document.width * document.height
    layers = sum(layer.pixels.shape[0] * layer.pixels.shape[1] for _, layer in document.walk())
    # The canvas counts twice: the merged picture and, by preset, the hidden original.
    size = 4 * (2 * canvas + layers)
    fits = max(document.width, document.height) <= PSD_SIDE and size <= records.PSD_BYTES
    return 1 if fits else 2


def _dpi(layout: Layout) -> tuple[float, float] | None:
    found = layout.resource(Resource.RESOLUTION_INFO) or b""
    if len(found) < struct.calcsize(RESOLUTION):
        return None
    across, down = struct.unpack_from(RESOLUTION, found)
    if not (across and down):
        return None
    return round(across / records.FIXED_POINT, 4), round(down / records.FIXED_POINT, 4)
