"""A stand-in for the network that cuts pictures in two, and a run of it that a test can kill."""

import os
from pathlib import Path

from layerctl.document import Document, Layer
from layerctl.recursion.psd_file import Order, recurse
from tests.batch.night import deadly


def halves(photo, _count="auto"):
    """Cut a picture into what is left and right of its middle."""
    left, right = photo.pixels.copy(), photo.pixels.copy()
    left[:, photo.width // 2 :, 3] = 0
    right[:, : photo.width // 2, 3] = 0
    parts = Layer("left", "product", left), Layer("right", "text", right)
    return Document(photo.width, photo.height, parts)


def whole(photo, _count="auto"):
    """Find nothing."""
    return Document(photo.width, photo.height, (Layer("all", "product", photo.pixels.copy()),))


def dies(source, layer, moment):
    """Recurse, and be killed just before the n-th time that a file is moved, linked or removed."""
    os.fsync = lambda _: None
    made = deadly(moment)
    os.link = made(os.link)
    for name in ("replace", "unlink", "mkdir"):
        setattr(Path, name, made(getattr(Path, name)))
    recurse(Path(source), Order(layer), halves)
