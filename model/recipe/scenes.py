"""Product scenes made of layers that are known exactly, hidden parts included.

A scene is a backdrop, the shadows and reflections on it as one layer, up to four objects back to
front, and text. Everything is drawn from one random generator in units of the frame, so a seed
gives the same scene at any size of the same aspect ratio, up to antialiasing.
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
from reflections import draw_polish, polished
from shadows import NO_SHADE, cast_shadows, draw_shade
from shapes import Floats
from sprites import Light
from staging import Placed, arrange, showing

Role: TypeAlias = Literal["background", "shadow", "product", "text"]
Arrange: TypeAlias = Callable[[np.random.Generator, Backdrop, Light], tuple[Placed, ...]]

TEXT_SHARE = 0.38
CUT_OUT_SHARE = 0.12
SHADOW_SHARE = 0.92
FAINT_SHADOW = 0.0015
"""Mean alpha over the frame up to which nobody would look for a shadow."""

CLEAR = 1e-6
CURVE_LEVELS = 2048


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


def make_scene(
    rng: np.random.Generator, height: int, width: int, arrangement: Arrange = arrange
) -> Scene:
    """Draw a random scene of `height` x `width` pixels; the generator decides everything.

    Some scenes are cut-outs: their backdrop is clear, and so is the photo around the things.
    """
    ground = backdrop(rng, (height, width))
    light = draw_light(rng, ground)
    objects = arrangement(rng, ground, light)
    cut_out = bool(objects) and rng.random() < CUT_OUT_SHARE
    painted: list[tuple[Role, Floats]] = []
    shaded = bool(objects) and rng.random() < (0.5 if cut_out else SHADOW_SHARE)
    shade = draw_shade(rng) if shaded else NO_SHADE
    # Drawn apart, so that what a floor mirrors changes nothing else of a seed's scene.
    polish = draw_polish(rng.spawn(1)[0], shade.hover)
    if objects:
        floor, objects = cast_shadows(objects, light, shade)
        if polish and not cut_out:
            floor = polished(floor, objects, ground.colour, polish)
        if showing(floor[..., 3], objects) > FAINT_SHADOW:
            painted.append(("shadow", floor))
    painted += [("product", item.pixels) for item in objects]
    if rng.random() < TEXT_SHARE:
        on_things = bool(objects) and rng.random() < (0.7 if cut_out else 0.15)
        painted.append(("text", set_text(rng, ground.colour, objects if on_things else ())))
    look = draw_look(rng)
    things = [
        SceneLayer(role, look(straight(pixels)) if pixels[..., :3].any() else pixels)
        for role, pixels in painted
        if pixels[..., 3].max() > 0.05
    ]
    sheet = empty(height, width) if cut_out else look(opaque(ground.colour))
    layers = (SceneLayer("background", sheet), *things)
    return Scene(layers, exposed(rng, flatten(layers)))


def opaque(colour: Floats) -> Floats:
    """Return (H, W, 3) colours as RGBA."""
    pixels: Floats = cv2.cvtColor(colour, cv2.COLOR_RGB2RGBA)
    return pixels


def empty(height: int, width: int) -> Floats:
    """Return a layer that holds nothing: grey, and quite clear."""
    pixels = np.full((height, width, 4), 0.5, np.float32)
    pixels[..., 3] = 0
    return pixels


def draw_light(rng: np.random.Generator, ground: Backdrop) -> Light:
    """Return a lamp above the scene, to the left or right, tinged by what it falls on."""
    towards = np.array([rng.uniform(-0.9, 0.9), -rng.uniform(0.1, 1), rng.uniform(0.5, 1.1)])
    x, y, z = towards / np.linalg.norm(towards)
    mean = np.array(cv2.mean(ground.colour)[:3]) + 0.1
    red, green, blue = (mean / mean.mean()) ** rng.uniform(0, 0.3)
    colour = (float(red), float(green), float(blue))
    return Light((float(x), float(y), float(z)), rng.uniform(0.35, 0.85), colour)


def set_text(rng: np.random.Generator, ground: Floats, on: tuple[Placed, ...]) -> Floats:
    """Return premultiplied lettering, badges or both, all over the frame or `on` some objects."""
    canvas = np.zeros((*ground.shape[:2], 4), np.float32)
    area, behind = canvas, cv2.mean(ground)[:3]
    if on:
        together = np.max([item.pixels for item in on], axis=0)
        left, top, across, down = cv2.boundingRect((together[..., 3] > 0.5).astype(np.uint8))
        if min(across, down) > 0.2 * min(canvas.shape[:2]):
            area = canvas[top : top + down, left : left + across]
            behind = cv2.mean(together, (together[..., 3] > 0.5).astype(np.uint8))[:3]
    kind = rng.random()
    if kind > 0.35:
        add_headline(rng, area, np.array(behind, np.float32))
    if kind < 0.5:
        add_badge(rng, area)
    return canvas


def straight(premultiplied: Floats) -> Floats:
    """Divide by alpha; where nothing is, the colour of the nearest painted parts runs on."""
    height, width = premultiplied.shape[:2]
    coarse = cv2.resize(premultiplied, (8, 8), interpolation=cv2.INTER_AREA)
    mean = np.array(cv2.mean(premultiplied), np.float32) + np.float32(CLEAR)
    coarse = cv2.GaussianBlur(coarse, (0, 0), 1.5) + mean * np.float32(0.01)
    coarse[..., :3] /= coarse[..., 3:]
    pixels: Floats = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    alpha = np.clip(premultiplied[..., 3], 0, 1)
    little = np.float32(1e-3)
    pixels = (pixels * little + premultiplied) / repeated(alpha + little)
    pixels[..., 3] = alpha
    return np.clip(pixels, 0, 1, out=pixels)


def repeated(field: Floats, times: int = 4) -> Floats:
    """Return (H, W) as (H, W, times): whole arrays multiply faster than broadcast ones."""
    copies: Floats = cv2.merge([field] * times)
    return copies


def draw_look(rng: np.random.Generator) -> Callable[[Floats], Floats]:
    """Return a random exposure, white balance and contrast, the same for every layer."""
    gain = np.exp(rng.normal(0.04, 0.1) + rng.normal(0, 0.03, 3)).astype(np.float32)
    gamma, contrast = np.float32(np.exp(rng.normal(0, 0.12))), np.float32(rng.uniform(-0.1, 0.5))
    levels = np.linspace(0, 1, CURVE_LEVELS, dtype=np.float32)[:, None]
    curves = np.clip(levels * gain, 0, 1) ** gamma
    curves = curves + (curves * curves * (3 - 2 * curves) - curves) * contrast

    def look(pixels: Floats) -> Floats:
        levels = (pixels * np.float32(CURVE_LEVELS - 1) + np.float32(0.5)).astype(np.uint16)
        colours = [curves[:, channel][levels[..., channel]] for channel in range(3)]
        toned: Floats = cv2.merge([*colours, pixels[..., 3]])
        return toned

    return look


def exposed(rng: np.random.Generator, photo: Floats) -> Floats:
    """Return the photo as a camera and an encoder hand it over; alpha is left alone.

    A cut-out's alpha is rounded as files store it; where nothing is left it is grey, as an empty
    layer is.
    """
    colour, through = np.ascontiguousarray(photo[..., :3]), photo[..., 3]
    if rng.random() < 0.15:
        colour = cv2.GaussianBlur(colour, (0, 0), rng.uniform(0.35, 0.8))
    grain = np.float32(rng.choice([0, 0.003, 0.009, 0.02], p=(0.3, 0.35, 0.28, 0.07)))
    colour = colour + repeated(rng.standard_normal(photo.shape[:2], np.float32) * grain, 3)
    colour = np.clip(colour, 0, 1)
    if through.min() == 1 and rng.random() < 0.4:
        colour = compressed(colour, int(rng.integers(45, 96)))
    through = np.rint(through * np.float32(255)) / np.float32(255)
    colour[through == 0] = 0.5
    pixels: Floats = cv2.merge([*cv2.split(colour), through])
    return pixels


def compressed(colour: Floats, quality: int) -> Floats:
    """Return what is left of (H, W, 3) colours after JPEG."""
    file = BytesIO()
    Image.fromarray(np.rint(colour * 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32) / np.float32(255)


def over(upper: Floats, lower: Floats) -> Floats:
    """Composite straight RGBA over straight RGBA; colour stays defined where both are clear."""
    above = upper[..., 3]
    total = above + lower[..., 3] * (1 - above)
    share = ((above + CLEAR) / (total + 2 * CLEAR)).astype(np.float32)
    pixels: Floats = lower + (upper - lower) * repeated(share)
    pixels[..., 3] = total
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
    stack += [empty(*scene.photo.shape[:2])] * (layers - len(stack))
    return np.stack([scene.photo, *stack]).astype(np.float32)
