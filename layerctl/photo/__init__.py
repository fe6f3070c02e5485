"""Picture files: known by their content, held to be whole, and read into a `Photo`."""

from layerctl.photo.reading import (
    BYTES_A_PIXEL,
    MEGAPIXELS,
    SUFFIXES,
    Photo,
    is_picture,
    read_photo,
)

__all__ = ["BYTES_A_PIXEL", "MEGAPIXELS", "SUFFIXES", "Photo", "is_picture", "read_photo"]
