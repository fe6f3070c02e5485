"""Photographs products of many parts, free 3D models: cut-outs to train on.

    python model/recipe/render_models.py /usr/share/sweethome3d/furniture runs/stock

Reads the furniture libraries of Sweet Home 3D, which Debian packages as sweethome3d-furniture
(CC-BY and CC0), and needs Blender as a module: `pip install bpy pillow`. The same command goes on
where an interrupted one stopped.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from camera import aim, draw_view, light, open_studio, shift, shoot
from furniture import Product, products
from meshes import UnfitError, coat, linear, load, shown
from PIL import Image

LEAST_SHARE = 0.03
"""Share of its box that a picture has to cover."""

FLAT = 0.2
"""Height over width up to which a model is looked at from above."""

NOISE = 0.35
"""By how much two pixels of one pane may differ in alpha."""

SAMPLES, SAMPLES_IF_CLEAR = 14, 24


def calmed(picture: Image.Image) -> Image.Image:
    """Return a picture without the noise that the denoiser leaves in what is partly clear."""
    pixels = np.asarray(picture, np.float32) / np.float32(255)
    alpha = pixels[..., 3:]
    light = np.dstack([linear(pixels[..., :3]) * alpha, alpha])
    padded = np.pad(light, ((2, 2), (2, 2), (0, 0)), mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (0, 1))
    alike = np.exp(-(((near[:, :, 3] - alpha[..., None]) / NOISE) ** 2))
    calm = np.einsum("hwcij,hwij->hwc", near, alike) / alike.sum((2, 3))[..., None]
    # Elsewhere are what is solid, and edges.
    pane = (alpha < 0.95) & ((near[:, :, 3] > 0).mean((2, 3)) > 0.7)[..., None]
    light = np.where(pane, calm, light)
    colour = shown((light[..., :3] / np.maximum(light[..., 3:], 1e-3)).clip(0, 1))
    values = np.dstack([colour, light[..., 3:]]) * 255
    return Image.fromarray(values.round().astype(np.uint8), "RGBA")


def cropped(picture: Image.Image, side: int) -> Image.Image:
    """Return a picture without what is empty around it, its longer side as wanted."""
    alpha = np.asarray(picture)[..., 3]
    rows, columns = (np.flatnonzero((alpha > 8).any(axis)) for axis in (1, 0))
    if not len(rows):
        raise UnfitError("empty picture")
    box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    if alpha.sum() < LEAST_SHARE * 255 * (box[2] - box[0]) * (box[3] - box[1]):
        raise UnfitError("hardly anything to see")
    picture = picture.crop(box)
    scale = side / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)


def save(picture: Image.Image, file: Path) -> None:
    """Write a picture so that it is never there in part."""
    draft = file.with_suffix(".part")
    picture.save(draft, "WEBP", lossless=True)
    draft.rename(file)


@dataclass(frozen=True)
class Order:
    """What is wanted: where to, views of each product, pixels of the longer side, a seed."""

    out: Path
    views: int
    side: int
    seed: int
    threads: int

    def files(self, product: Product) -> dict[int, Path]:
        """Return the pictures of a product that are still to be made, by view."""
        files = {view: self.out / f"{product.name}-{view}.webp" for view in range(self.views)}
        return {view: file for view, file in files.items() if not file.exists()}


def photograph(product: Product, order: Order, folder: Path) -> int:
    """Return how many pictures of a product were made; none if all are there."""
    files = order.files(product)
    if not files:
        return 0
    own = order.seed, zlib.crc32(product.name.encode())
    points = load(product, folder)
    clear = coat(np.random.default_rng(own))
    open_studio(order.threads, SAMPLES_IF_CLEAR if clear else SAMPLES)
    low, high = points.min(0), points.max(0)
    flat = bool((high - low)[2] < FLAT * (high - low)[:2].min())
    for number, file in files.items():
        rng = np.random.default_rng((*own, number))
        view = draw_view(rng, flat=flat)
        shift(view)
        light(rng, view)
        aim(points, view, order.side)
        picture = shoot(folder / "shot.png")
        save(cropped(calmed(picture) if clear else picture, order.side), file)
    return len(files)


def main() -> None:
    """Photograph the products of a folder of libraries."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--views", type=int, default=3)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--shard", default="0/1", help="which of how many: 0/2, then 1/2")
    parser.add_argument("--limit", type=int, help="look at so many products only")
    wanted = parser.parse_args()
    found = products(wanted.folder, wanted.seed)
    if not found:
        parser.error(f"{wanted.folder}: there is no furniture library (.sh3f) in this folder")
    shard, shards = (int(number) for number in wanted.shard.split("/"))
    order = Order(wanted.out, wanted.views, wanted.side, wanted.seed, wanted.threads)
    order.out.mkdir(parents=True, exist_ok=True)
    chosen = found[shard::shards][: wanted.limit]
    with tempfile.TemporaryDirectory() as folder:
        for library in {product.archive for product in chosen}:
            zipfile.ZipFile(library).extractall(Path(folder) / library.stem)
        work_off(chosen, order, Path(folder))


def work_off(chosen: list[Product], order: Order, folder: Path) -> None:
    """Photograph products one after the other, and tell how it goes."""
    start, made = time.process_time(), 0
    for number, product in enumerate(chosen, 1):
        try:
            made += photograph(product, order, folder)
        except (UnfitError, RuntimeError) as error:
            print(f"skipped {product.name}: {error}", flush=True)
        if number % 10 == 0 and made:
            pace = (time.process_time() - start) / made
            print(f"{number}/{len(chosen)}: {made} pictures, {pace:.2f} s each", flush=True)


if __name__ == "__main__":
    main()
