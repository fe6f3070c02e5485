"""Picture files: known by their content, held to be whole, and read into a `Photo`."""

from layerctl.photo.reading import SUFFIXES, Photo, is_picture, read_photo

__all__ = ["SUFFIXES", "Photo", "is_picture", "read_photo"]
