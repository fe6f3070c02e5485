"""Renders the example pictures and their true layers.

    python model/recipe/examples.py

Pictures go to `examples/`, layers to `truth/NAME/NN-role.png` beside this file: a folder of
photos should hold nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scenes import Scene, SceneLayer, flatten, make_scene
from shapes import Floats

PICTURES = Path(__file__).parents[2] / "examples"
TRUTH = Path(__file__).parent / "truth"
JPEG_QUALITY = 90
SEED = 7


@dataclass(frozen=True)
class Example:
    """One picture: which scene of the seed, how large, and whether it is a cut-out."""

    name: str
    number: int
    height: int
    width: int
    transparent: bool = False


EXAMPLES = (
    Example("toy-rabbit", 48, 900, 1200),
    Example("dryer-and-mug", 4, 900, 1200),
    Example("mug", 85, 900, 1200),
    Example("banner", 33, 900, 1200),
    Example("room", 45, 960, 1280),
    Example("bear", 54, 900, 1200, transparent=True),
)


def main() -> None:
    """Render every example."""
    for example in EXAMPLES:
        print(render(example))


def render(example: Example) -> Path:
    """Write one example and its layers; return the path of the picture."""
    rng = np.random.default_rng([SEED, example.number])
    scene = make_scene(rng, example.height, example.width)
    if example.transparent:
        layers = tuple(layer for layer in scene.layers if layer.role != "background")
        scene = Scene(layers, flatten(layers))
    write_layers(scene.layers, TRUTH / example.name)
    if example.transparent:
        path = PICTURES / f"{example.name}.png"
        picture(scene.photo).save(path, optimize=True)
    else:
        path = PICTURES / f"{example.name}.jpg"
        picture(scene.photo).convert("RGB").save(path, quality=JPEG_QUALITY)
    return path


def write_layers(layers: tuple[SceneLayer, ...], folder: Path) -> None:
    """Write NN-role.png, bottom first."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, layer in enumerate(layers):
        picture(layer.pixels).save(folder / f"{number:02}-{layer.role}.png", optimize=True)


def picture(pixels: Floats) -> Image.Image:
    """Return straight RGBA in [0, 1] as an image; what is quite clear is black, to pack well."""
    levels = np.rint(pixels * 255).astype(np.uint8)
    levels[levels[..., 3] == 0] = 0
    return Image.fromarray(levels, "RGBA")


if __name__ == "__main__":
    main()
