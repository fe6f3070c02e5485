"""PSD and PSB: Photoshop documents, written and read with psd-tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from psd_tools import PSDImage
from psd_tools.constants import Compression, Resource
from psd_tools.psd import PSD

from layerctl.document import Document, Layer, Node, Pixels
from layerctl.errors import DocumentError
from layerctl.formats import psd_records as records
from layerctl.formats.psd_layers import Row, check_plain, node, opened, rows
from layerctl.formats.psd_layers import merged as merged_picture

if TYPE_CHECKING:
    from layerctl.preset import ExportSection

suffix = ".psd"

PSD_SIDE, PSB_SIDE = 30_000, 300_000
"""The longest side in pixels, of each version."""

PSD_BYTES = 2_000_000_000
"""Readers hold offsets of a PSD in signed 32-bit numbers."""

COMPRESSIONS: Mapping[str, Compression] = {
    "raw": Compression.RAW,
    "rle": Compression.RLE,
    "zip": Compression.ZIP,
}


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
    with opened(target) as (structure, image):
        check_plain(image)
        children: tuple[Node, ...] = tuple(
            node(child, image, bottom=not index) for index, child in enumerate(image)
        )
        if not children:
            children = (Layer("background", "background", merged_picture(structure)),)
        icc = image.image_resources.get_data(Resource.ICC_PROFILE)
        return Document(image.width, image.height, children, icc, _dpi(image))


def merged(target: Path) -> Pixels:
    """Return the merged picture of a file, as other programs see it: (H, W, 4) straight RGBA.

    Raises:
        DocumentError: The file is missing, damaged, or not 8-bit RGB.
    """
    with opened(target) as (structure, image):
        check_plain(image)
        return merged_picture(structure)


def tree(target: Path) -> tuple[Row, ...]:
    """Return a row for every layer and group, bottom first, whatever wrote the file.

    Raises:
        DocumentError: The file is missing or damaged.
    """
    with opened(target) as (_, image):
        return tuple(rows(image, image))


def _version(document: Document) -> int:
    canvas = document.width * document.height
    layers = sum(layer.pixels.shape[0] * layer.pixels.shape[1] for _, layer in document.walk())
    # The canvas counts twice: the merged picture and, by preset, the hidden original.
    size = 4 * (2 * canvas + layers)
    fits = max(document.width, document.height) <= PSD_SIDE and size <= PSD_BYTES
    return 1 if fits else 2


def _dpi(image: PSDImage) -> tuple[float, float] | None:
    found = image.image_resources.get_data(Resource.RESOLUTION_INFO)
    if found is None or not (found.horizontal and found.vertical):
        return None
    across, down = found.horizontal, found.vertical
    return round(across / records.FIXED_POINT, 4), round(down / records.FIXED_POINT, 4)
