"""Product photos in, editable layers out."""

__version__ = "0.1.0"
