"""A document as the records that a PSD file consists of, each one psd-tools' class for it.

Section names are those of Adobe's "Photoshop File Formats Specification" (2019). Records are built
directly and not through psd-tools' layer tree, which composes every layer in Python when saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeAlias

import numpy as np
from PIL import Image
from psd_tools.constants import BlendMode, ChannelID, Compression, Resource, SectionDivider, Tag
from psd_tools.psd.header import FileHeader
from psd_tools.psd.image_data import ImageData
from psd_tools.psd.image_resources import (
    ImageResource,
    ImageResources,
    ResoulutionInfo,
    ThumbnailResource,
    VersionInfo,
)
from psd_tools.psd.layer_and_mask import (
    ChannelData,
    ChannelDataList,
    ChannelImageData,
    ChannelInfo,
    GlobalLayerMaskInfo,
    LayerAndMaskInformation,
    LayerFlags,
    LayerInfo,
    LayerRecord,
    LayerRecords,
)
from psd_tools.psd.tagged_blocks import TaggedBlocks

from layerctl.document import Blend, Document, Group, Layer, Node, Pixels

BLENDS: dict[Blend, BlendMode] = {"normal": BlendMode.NORMAL, "multiply": BlendMode.MULTIPLY}

GREY = (ChannelID.TRANSPARENCY_MASK, ChannelID.CHANNEL_0)
RGB = (*GREY, ChannelID.CHANNEL_1, ChannelID.CHANNEL_2)
"""The order in which Photoshop writes the channels of a layer."""

PSD_BYTES = 2_000_000_000
"""Readers hold offsets of a PSD in signed 32-bit numbers."""

NAME_UNITS = 255
"""The longest layer name, in UTF-16 code units."""

THUMBNAIL_SIDE = 160
"""Pixels of the thumbnail's longer side, as Photoshop makes it."""

FIXED_POINT = 1 << 16
"""Resolutions are 16.16 fixed-point numbers."""

DIVIDER = "</Layer group>"
"""What Photoshop calls the hidden record under a group's lowest layer."""

WRITER = "layerctl"

Record: TypeAlias = tuple[LayerRecord, ChannelDataList]


@dataclass(frozen=True)
class Encoding:
    """How pixels are stored: the codec, the version (1 is PSD, 2 is PSB), and which channels.

    A grey file holds the first colour: of a grey picture's layers any one will do.
    """

    compression: Compression
    version: int
    channels: tuple[ChannelID, ...] = RGB


def header(document: Document, *, alpha: bool, version: int) -> FileHeader:
    """Return the file header of an 8-bit RGB file."""
    return FileHeader(
        version=version,
        channels=4 if alpha else 3,
        height=document.height,
        width=document.width,
    )


def layers(children: tuple[Node, ...], encoding: Encoding) -> Iterator[Record]:
    """Yield a record for every layer, and two around the children of every group."""
    for node in children:
        if isinstance(node, Layer):
            yield _layer(node, encoding)
        else:
            yield divider(encoding)
            yield from layers(node.children, encoding)
            yield _bracket(node, SectionDivider.OPEN_FOLDER, encoding)


def divider(encoding: Encoding) -> Record:
    """Return the hidden record that lies under a group's lowest layer."""
    return _bracket(Group(DIVIDER, ()), SectionDivider.BOUNDING_SECTION_DIVIDER, encoding)


def section(records: list[Record], *, alpha: bool) -> LayerAndMaskInformation:
    """Return the layer and mask information section.

    A negative layer count says that the merged picture's fourth channel is its transparency.
    """
    info = LayerInfo(-len(records) if alpha else len(records), LayerRecords(), ChannelImageData())
    for record, channels in records:
        info.layer_records.append(record)
        info.channel_image_data.append(channels)
    return LayerAndMaskInformation(info, GlobalLayerMaskInfo())


def resources(document: Document, flat: Pixels) -> ImageResources:
    """Return the image resources: resolution, thumbnail, colour profile, version."""
    found: dict[Resource, Any] = {
        Resource.THUMBNAIL_RESOURCE: _thumbnail(flat),
        Resource.VERSION_INFO: VersionInfo(has_composite=True, writer=WRITER, reader=WRITER),
    }
    if document.dpi:
        across, down = (round(value * FIXED_POINT) for value in document.dpi)
        found[Resource.RESOLUTION_INFO] = ResoulutionInfo(across, 1, 1, down, 1, 1)
    if document.icc:
        found[Resource.ICC_PROFILE] = document.icc
    section = ImageResources()
    for key in sorted(found):
        section[key] = ImageResource(key=key, data=found[key])
    return section


def merged(flat: Pixels, head: FileHeader, compression: Compression) -> ImageData:
    """Return the merged picture; where it is transparent it is matted with white.

    ZIP is for layers only: readers that take nothing but the merged picture know RAW and RLE.
    """
    picture = ImageData(Compression.RAW if compression == Compression.RAW else Compression.RLE)
    planes = [flat[..., channel] for channel in range(head.channels)]
    if head.channels == 4:
        planes[:3] = [_on_white(plane, flat[..., 3]) for plane in planes[:3]]
    picture.set_data([plane.tobytes() for plane in planes], head)
    return picture


def _layer(layer: Layer, encoding: Encoding) -> Record:
    left, top, right, bottom = layer.box
    record = _record(layer, encoding)
    record.left, record.top, record.right, record.bottom = left, top, right, bottom
    record.blend_mode = BLENDS[layer.blend]
    channels = ChannelDataList()
    for identity in encoding.channels:
        channel = ChannelData(encoding.compression)
        plane = layer.pixels[..., identity.value].tobytes()
        channel.set_data(plane, right - left, bottom - top, 8, encoding.version)
        channels.append(channel)
    return record, channels


def _bracket(group: Group, kind: SectionDivider, encoding: Encoding) -> Record:
    """Return one of the two records around a group's children.

    Their channels are there but empty: some readers refuse records without any. Only a group that
    changes nothing passes through; any other is composed on its own first.
    """
    record = _record(group, encoding)
    record.blend_mode = BLENDS[group.blend]
    record.flags.pixel_data_irrelevant = True
    plain = group.opacity == 1 and group.blend == "normal"
    blend = BlendMode.PASS_THROUGH if plain else BLENDS[group.blend]
    if kind == SectionDivider.OPEN_FOLDER:
        record.tagged_blocks.set_data(Tag.SECTION_DIVIDER_SETTING, kind, b"8BIM", blend)
    else:
        record.tagged_blocks.set_data(Tag.SECTION_DIVIDER_SETTING, kind)
    channels = ChannelDataList()
    channels.extend(ChannelData() for _ in encoding.channels)
    return record, channels


def _record(node: Node, encoding: Encoding) -> LayerRecord:
    """Return a record with what layers and groups share; the Unicode name beside the old one."""
    name = node.name.encode("utf-16-be", "surrogatepass")[: 2 * NAME_UNITS]
    whole = name.decode("utf-16-be", "ignore")
    blocks = TaggedBlocks()
    blocks.set_data(Tag.UNICODE_LAYER_NAME, whole)
    return LayerRecord(
        channel_info=[ChannelInfo(identity) for identity in encoding.channels],
        opacity=round(node.opacity * 255),
        flags=LayerFlags(visible=node.visible),
        name=whole.encode("macroman", "replace").decode("macroman"),
        tagged_blocks=blocks,
    )


def _on_white(plane: Pixels, alpha: Pixels) -> Pixels:
    wide = alpha.astype(np.uint16)
    matted: Pixels = ((plane * wide + 255 * (255 - wide) + 127) // 255).astype(np.uint8)
    return matted


def _thumbnail(flat: Pixels) -> ThumbnailResource:
    picture = Image.fromarray(flat)
    picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), reducing_gap=2)
    white = Image.new("RGBA", picture.size, "white")
    buffer = BytesIO()
    Image.alpha_composite(white, picture).convert("RGB").save(buffer, "JPEG", quality=85)
    width, height = picture.size
    row = (width * 24 + 31) // 32 * 4
    return ThumbnailResource(
        fmt=1,
        width=width,
        height=height,
        row=row,
        total_size=row * height,
        bits=24,
        planes=1,
        data=buffer.getvalue(),
    )
