"""Copies the things out of a library of pictures, one file for each: cut-outs to train on.

    sudo apt-get install openclipart-png tuxpaint-stamps-default
    python model/recipe/gather_library.py openclipart /usr/share/openclipart/png runs/stock/clipart
    python model/recipe/gather_library.py tuxpaint /usr/share/tuxpaint/stamps runs/stock/stamps

A picture shows a thing if it is one opaque piece of several colours that does not fill its box.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from shapes import Floats

SUBJECTS = {
    "openclipart": (
        "animals",
        "buildings/furniture",
        "computer/games",
        "computer/hardware",
        "education",
        "electronics",
        "food",
        "office",
        "people/clothing",
        "plants",
        "recreation/holiday",
        "recreation/music",
        "recreation/party",
        "recreation/sports",
        "recreation/toys",
        "science/medicine",
        "tools",
        "transportation/boating",
        "transportation/vehicles",
        "unsorted",
    ),
    "tuxpaint": (
        "animals",
        "clothes",
        "food",
        "hobbies",
        "household",
        "medical",
        "people/toys",
        "plants",
        "seasonal",
        "space",
        "sports",
        "vehicles",
    ),
}
"""The folders of each library where things are."""

DRAWN = {"openclipart": (), "tuxpaint": ("cartoon",)}
"""Folders in these of drawings that are too simple: most of Tux Paint's stamps are photos."""

DOUBLES = ("_mirror", "_flip")
"""How the names of pictures end that another one shows already, turned over."""

SIDE = 256
LEAST_SIDE, MOST_SIDE = 96, 3000
FILLED = 0.15, 0.93
"""Share of its box that a thing covers: less is a line, more a picture with a frame."""

OPAQUE = 0.8
"""Share of what shows that must be nearly opaque."""

WHOLE = 0.93
"""Share of a thing that its largest piece has."""

COLOURED = 0.05
"""Standard deviation of the colours, of 1, below which a picture is a silhouette."""


def gather(library: str, folder: Path, out: Path, most: int) -> int:
    """Copy things among the pictures of a library, at most so many, and return how many."""
    subjects = (folder / subject for subject in SUBJECTS[library])
    files = [file for subject in subjects for file in sorted(subject.rglob("*.png"))]
    files = [file for file in files if not _left_out(library, file.relative_to(folder))]
    random.Random(0).shuffle(files)  # noqa: S311 - not a secret
    out.mkdir(parents=True, exist_ok=True)
    copied = 0
    for file in files:
        if copied == most:
            break
        picture = opened(file)
        if picture is not None and is_thing(np.asarray(picture, np.float32) / 255):
            name = "-".join(file.relative_to(folder).with_suffix(".webp").parts)
            picture.save(out / name, "WEBP", lossless=True)
            copied += 1
    return copied


def _left_out(library: str, name: Path) -> bool:
    return name.stem.endswith(DOUBLES) or bool(set(DRAWN[library]) & set(name.parts))


def opened(file: Path) -> Image.Image | None:
    """Return a picture, `SIDE` pixels at most, or nothing if it is of no useful size."""
    with Image.open(file) as picture:
        if not LEAST_SIDE <= max(picture.size) <= MOST_SIDE:
            return None
        small = picture.convert("RGBA")
    small.thumbnail((SIDE, SIDE))
    return small


def is_thing(picture: Floats) -> bool:
    """Whether a picture (H, W, 4) in [0, 1] shows one thing, cut out."""
    alpha = picture[..., 3]
    inside = np.argwhere(alpha > 0.25)
    if not len(inside):
        return False
    (top, left), (bottom, right) = inside.min(axis=0), inside.max(axis=0) + 1
    filled = (alpha[top:bottom, left:right] > 0.5).mean()
    opaque = (alpha > 0.9).sum() / (alpha > 0.12).sum()
    pieces = cv2.connectedComponentsWithStats((alpha > 0.4).astype(np.uint8))[2][1:, 4]
    colours = picture[alpha > 0.8][:, :3]
    return bool(
        FILLED[0] < filled < FILLED[1]
        and opaque > OPAQUE
        and pieces.max() > WHOLE * pieces.sum()
        and colours.std(axis=0).mean() > COLOURED
    )


def main() -> None:
    """Copy the pictures and say how many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", choices=SUBJECTS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--most", type=int, default=600, help="how many things at most")
    chosen = parser.parse_args()
    copied = gather(chosen.source, chosen.folder, chosen.out, chosen.most)
    if not copied:
        parser.error(f"{chosen.folder}: there is no picture of a thing in this folder")
    print(f"{copied} pictures of things in {chosen.out}")


if __name__ == "__main__":
    main()
