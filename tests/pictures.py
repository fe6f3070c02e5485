"""Picture files made for the tests of reading."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pillow_heif
from PIL import Image


def scene(width=48, height=32):
    """A picture that no flip or rotation leaves as it is, with noise that fills compressed data."""
    ramp = np.linspace(0, 200, width * height * 3).reshape(height, width, 3)
    noise = np.random.default_rng(7).integers(0, 55, ramp.shape)
    return Image.fromarray((ramp + noise).astype(np.uint8))


def encoded(picture, kind, **options):
    """The bytes of the picture in that format of Pillow's."""
    if kind == "HEIF":
        pillow_heif.register_heif_opener()
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(size, depth, colour, rows, *extra):
    """A PNG by the letter: depth and colour type as in its header, rows with their filter bytes."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + body + chunk(b"IEND")


def tiff(entries, data):
    """A little-endian TIFF: tags as {tag: (type, count, value)}, `data` at offset 8."""
    directory = struct.pack("<H", len(entries))
    for tag, (kind, count, value) in sorted(entries.items()):
        directory += struct.pack("<HHII", tag, kind, count, value)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + bytes(4)


def grey_tiff(depth, white_is_zero, data, size):
    """A TIFF of one grey strip; `depth` is bits a pixel."""
    entries = {
        256: (4, 1, size[0]),
        257: (4, 1, size[1]),
        258: (3, 1, depth),
        259: (3, 1, 1),
        262: (3, 1, 0 if white_is_zero else 1),
        273: (4, 1, 8),
        277: (3, 1, 1),
        278: (4, 1, size[1]),
        279: (4, 1, len(data)),
    }
    return tiff(entries, data)
