"""Product scenes made of layers that are known exactly, hidden parts included.

A scene is a backdrop, the shadows on it, one to three objects back to front, and text.
Everything is drawn from one random generator in units of the frame, so a seed gives the
same scene at any size of the same aspect ratio, up to antialiasing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Literal, TypeAlias

import cv2
import numpy as np
from backdrops import Backdrop, backdrop
from lettering import add_badge, add_headline
from PIL import Image
from shapes import Floats
from sprites import Light
from staging import arrange, cast_shadows

Role: TypeAlias = Literal["background", "shadow", "product", "text"]

TEXT_SHARE = 0.3
CLEAR = 1e-6


@dataclass(frozen=True)
class SceneLayer:
    """One layer: (H, W, 4) straight RGBA in [0, 1]; colour goes on smoothly where alpha is 0."""

    role: Role
    pixels: Floats


@dataclass(frozen=True)
class Scene:
    """Layers bottom to top, and the photo: their source-over plus sensor noise or JPEG loss."""

    layers: tuple[SceneLayer, ...]
    photo: Floats


def make_scene(rng: np.random.Generator, height: int, width: int) -> Scene:
    """Draw a random scene of `height` x `width` pixels; the generator decides everything."""
    ground = backdrop(rng, (height, width))
    light = draw_light(rng, ground)
    objects = arrange(rng, ground, light)
    opaque = np.concatenate([ground.colour, np.ones((height, width, 1), np.float32)], axis=-1)
    painted: list[tuple[Role, Floats]] = [("background", opaque)]
    if objects and rng.random() < 0.85:
        painted.append(("shadow", cast_shadows(rng, objects, light)))
    painted += [("product", item.pixels) for item in objects]
    if rng.random() < TEXT_SHARE:
        painted.append(("text", set_text(rng, ground.colour)))
    look = draw_look(rng)
    layers = tuple(
        SceneLayer(role, look(straight(pixels)) if role != "shadow" else pixels)
        for role, pixels in painted
        if role == "background" or pixels[..., 3].max() > 0.05
    )
    return Scene(layers, exposed(rng, flatten(layers)))


def draw_light(rng: np.random.Generator, ground: Backdrop) -> Light:
    """Return a lamp above the scene, to the left or right, tinged by what it falls on."""
    towards = np.array([rng.uniform(-0.9, 0.9), -rng.uniform(0.1, 1), rng.uniform(0.5, 1.1)])
    x, y, z = towards / np.linalg.norm(towards)
    mean = np.array(cv2.mean(ground.colour)[:3]) + 0.1
    red, green, blue = (mean / mean.mean()) ** rng.uniform(0, 0.3)
    colour = (float(red), float(green), float(blue))
    return Light((float(x), float(y), float(z)), rng.uniform(0.3, 0.75), colour)


def set_text(rng: np.random.Generator, ground: Floats) -> Floats:
    """Return premultiplied lettering, badges or both."""
    canvas = np.zeros((*ground.shape[:2], 4), np.float32)
    kind = rng.random()
    if kind > 0.35:
        add_headline(rng, canvas, np.array(cv2.mean(ground)[:3], np.float32))
    if kind < 0.5:
        add_badge(rng, canvas)
    return canvas


def straight(premultiplied: Floats) -> Floats:
    """Divide by alpha; where nothing is, the colour of the nearest painted parts runs on."""
    height, width = premultiplied.shape[:2]
    coarse = cv2.resize(premultiplied, (8, 8), interpolation=cv2.INTER_AREA)
    mean = np.array(cv2.mean(premultiplied), np.float32) + np.float32(CLEAR)
    coarse = cv2.GaussianBlur(coarse, (0, 0), 1.5) + mean * np.float32(0.01)
    spread = cv2.resize(
        coarse[..., :3] / coarse[..., 3:], (width, height), interpolation=cv2.INTER_LINEAR
    )
    alpha = np.clip(premultiplied[..., 3:], 0, 1)
    colour = (premultiplied[..., :3] + spread * np.float32(1e-3)) / (alpha + np.float32(1e-3))
    return np.concatenate([np.clip(colour, 0, 1), alpha], axis=-1)


def draw_look(rng: np.random.Generator) -> Callable[[Floats], Floats]:
    """Return a random exposure, white balance and contrast, the same for every layer."""
    gain = np.exp(rng.normal(0, 0.08) + rng.normal(0, 0.03, 3)).astype(np.float32)
    gamma, contrast = np.float32(np.exp(rng.normal(0, 0.12))), np.float32(rng.uniform(-0.1, 0.5))

    def look(pixels: Floats) -> Floats:
        colour = np.clip(pixels[..., :3] * gain, 0, 1) ** gamma
        curved = colour * colour * (3 - 2 * colour)
        colour = colour + (curved - colour) * contrast
        return np.concatenate([np.clip(colour, 0, 1), pixels[..., 3:]], axis=-1)

    return look


def exposed(rng: np.random.Generator, photo: Floats) -> Floats:
    """Return the photo as a camera and a JPEG encoder hand it over; alpha is left alone."""
    noise = rng.standard_normal(photo.shape[:2], np.float32)[..., None]
    grain = np.float32(rng.choice([0, 0.003, 0.009]))
    colour = np.clip(photo[..., :3] + noise * grain, 0, 1)
    if rng.random() < 0.4:
        colour = compressed(colour, int(rng.integers(55, 96)))
    return np.concatenate([colour, photo[..., 3:]], axis=-1).astype(np.float32)


def compressed(colour: Floats, quality: int) -> Floats:
    """Return what is left of (H, W, 3) colours after JPEG."""
    file = BytesIO()
    Image.fromarray(np.rint(colour * 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32) / np.float32(255)


def over(upper: Floats, lower: Floats) -> Floats:
    """Composite straight RGBA over straight RGBA; colour stays defined where both are clear."""
    above, below = upper[..., 3:], lower[..., 3:] * (1 - upper[..., 3:])
    total = above + below
    blend = upper[..., :3] * (above + CLEAR) + lower[..., :3] * (below + CLEAR)
    pixels: Floats = np.concatenate([blend / (total + 2 * CLEAR), total], axis=-1)
    return pixels


def flatten(layers: tuple[SceneLayer, ...]) -> Floats:
    """Return the source-over of all layers: (H, W, 4)."""
    canvas = layers[0].pixels
    for layer in layers[1:]:
        canvas = over(layer.pixels, canvas)
    return canvas


def frames(scene: Scene, layers: int) -> Floats:
    """Return the photo and exactly `layers` layers, bottom first: (layers + 1, H, W, 4).

    Too many layers merge by source-over from the top down: text into the object beneath it,
    then the objects into each other, until one foreground is left; only then the shadow
    merges into the backdrop, and last of all the foreground. Too few are topped up with
    clear grey layers. Either way the layers still compose to the same picture.
    """
    roles = [layer.role for layer in scene.layers]
    stack = [layer.pixels for layer in scene.layers]
    while len(stack) > layers:
        upper = 1 if len(stack) == 3 and roles[1] == "shadow" else len(stack) - 1
        stack[upper - 1] = over(stack.pop(upper), stack[upper - 1])
        roles.pop(upper)
    empty = np.zeros_like(scene.photo)
    empty[..., :3] = 0.5
    stack += [empty] * (layers - len(stack))
    return np.stack([scene.photo, *stack]).astype(np.float32)
