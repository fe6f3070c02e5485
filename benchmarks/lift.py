"""How long does a photo of 24 megapixels take? Photos enlarged to that, one after the other.

    python benchmarks/lift.py PHOTOS
    python benchmarks/lift.py PHOTOS --megapixels 45 --limit 3

prints for each photo in the folder the seconds that the model and the lift took, and the most
memory that was used so far. The lift's time depends on what a photo shows: how much of it things
cover, and whether what is behind them is plain.
"""

from __future__ import annotations

import argparse
import resource
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2

from layerctl.decompose import open_model
from layerctl.errors import LayerctlError
from layerctl.photo import Photo, is_picture, read_photo
from layerctl.preset import load_preset

MILLION = 1_000_000


def main() -> None:
    """Print a Markdown table, a row a photo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, metavar="PHOTOS")
    parser.add_argument("--megapixels", type=float, default=24.0, help="size of a photo")
    parser.add_argument("--limit", type=int, help="take only so many of the folder")
    parser.add_argument("--preset", default="default", help="the settings to decompose with")
    chosen = parser.parse_args()
    if not chosen.photos.is_dir():
        parser.error(f"{chosen.photos} is no folder")
    preset = load_preset(chosen.preset, {})
    model = open_model(preset)
    print("| photo | size | model, s | lift, s | memory, MiB |\n|---|--:|--:|--:|--:|")
    for path in islice(filter(is_picture, sorted(chosen.photos.iterdir())), chosen.limit):
        photo = enlarge(read_photo(path), chosen.megapixels)
        seconds = model.decompose(photo, preset).seconds
        size = f"{photo.width} x {photo.height}"
        times = f"{seconds['model']:.2f} | {seconds['lift']:.2f}"
        print(f"| {path.stem} | {size} | {times} | {memory()} |", flush=True)


def enlarge(photo: Photo, megapixels: float) -> Photo:
    """Return a photo with so many million pixels."""
    scale = (megapixels * MILLION / (photo.width * photo.height)) ** 0.5
    size = round(photo.width * scale), round(photo.height * scale)
    return replace(photo, pixels=cv2.resize(photo.pixels, size, interpolation=cv2.INTER_CUBIC))


def memory() -> int:
    """Return the most MiB that this process has used."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak // (1 << 20 if sys.platform == "darwin" else 1 << 10))


if __name__ == "__main__":
    try:
        main()
    except LayerctlError as error:
        sys.exit(f"lift: {error}")
