"""A stand-in for the network that cuts pictures in two, and a run of it that a test can kill."""

import os
import signal
from pathlib import Path

from layerctl.document import Document, Layer
from layerctl.recurse import Order, recurse


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
    steps = iter(range(moment, -1, -1))

    def deadly(method):
        def call(*arguments, **options):
            if next(steps) == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*arguments, **options)

        return call

    os.link = deadly(os.link)
    for name in ("replace", "unlink", "mkdir"):
        setattr(Path, name, deadly(getattr(Path, name)))
    recurse(Path(source), Order(layer), halves)
