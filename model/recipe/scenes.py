"""Product scenes made of layers that are known exactly, hidden parts included.

A scene is a backdrop, the shadows on it, one to three objects back to front, and text.
Everything is drawn from one random generator in units of the frame, so a seed gives the
same scene at any size of the same aspect ratio, up to antialiasing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import goods
import lathe
import numpy as np
from backdrops import Backdrop, backdrop
from lettering import add_badge, add_headline
from shapes import Floats
from sprites import Light, Sprite
from textures import fractal

Role: TypeAlias = Literal["background", "shadow", "product", "text"]
Maker: TypeAlias = Callable[[np.random.Generator, Sprite], None]

MAKERS: tuple[tuple[Maker, float], ...] = (
    (lathe.bottle, 3), (lathe.mug, 3), (lathe.jar, 2), (lathe.vase, 1), (lathe.lamp, 1.5),
    (lathe.plant, 2), (goods.box, 3), (goods.ball, 1.5), (goods.cushion, 2), (goods.garment, 2.5),
    (goods.bag, 2), (goods.shoe, 3), (goods.glasses, 2), (goods.chair, 2), (goods.watch, 1.5),
    (goods.cable, 1.5), (goods.device, 2.5), (goods.tool, 2), (goods.figure, 2), (goods.lump, 2.5),
    (goods.foliage, 1), (goods.ring, 1.5),
)  # fmt: skip

OBJECT_COUNTS = (0.03, 0.57, 0.25, 0.15)
"""How often a scene has no, one, two or three objects."""

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


@dataclass(frozen=True)
class Placed:
    """One object in the frame: premultiplied (H, W, 4), and whether it stands on something."""

    pixels: Floats
    standing: bool


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
    mean = ground.colour.mean(axis=(0, 1)) + 0.1
    red, green, blue = (mean / mean.mean()) ** rng.uniform(0, 0.3)
    colour = (float(red), float(green), float(blue))
    return Light((float(x), float(y), float(z)), rng.uniform(0.3, 0.75), colour)


def arrange(rng: np.random.Generator, ground: Backdrop, light: Light) -> list[Placed]:
    """Place objects back to front: on the floor, flat on a surface, or floating."""
    height, width = ground.colour.shape[:2]
    count = int(rng.choice(len(OBJECT_COUNTS), p=OBJECT_COUNTS))
    standing = ground.horizon is not None and rng.random() < 0.8
    objects = []
    for index in range(count):
        share = (
            rng.uniform(0.25, 0.95)
            if count == 1
            else np.exp(rng.uniform(np.log(0.12), np.log(0.75)))
        )
        extent = float(share) * min(height, width)
        tipped = rng.normal(0, 0.06), rng.normal(0, 0.5), rng.uniform(-np.pi, np.pi)
        angle = float(tipped[0] if standing else rng.choice(tipped))
        sprite = bent(rng, draw_object(rng, extent, light.turned(angle)))
        if rng.random() < 0.08:
            blend_in(sprite, ground.colour.mean(axis=(0, 1)), rng.uniform(0.4, 0.8))
        where = rng.normal(0.5, 0.16 if count == 1 else 0.22), rng.normal(0.5, 0.14)
        if standing:
            floor = max(ground.horizon or 0, 0.45) + 0.1
            where = where[0], floor + (0.96 - floor) * (index + rng.random()) / count
        pixels = place(sprite, ground.colour.shape[:2], (extent, angle), where, standing=standing)
        if pixels[..., 3].max() > 0.05:
            objects.append(Placed(pixels, standing))
    return objects


def draw_object(rng: np.random.Generator, extent: float, light: Light) -> Sprite:
    """Return a random object on a patch of twice the size it will have in the frame."""
    makers, weights = zip(*MAKERS, strict=True)
    make: Maker = makers[rng.choice(len(makers), p=np.array(weights) / sum(weights))]
    sprite = Sprite.blank(int(np.clip(2 * round(extent), 32, 2400)), light)
    make(rng, sprite)
    return sprite


def bent(rng: np.random.Generator, sprite: Sprite) -> Sprite:
    """Return the sprite stretched, bent softly or made shaggy, so no two are the same solid."""
    x, y = sprite.grid
    flow_x, flow_y = x * np.float32(np.exp(abs(rng.normal(0, 0.15)))), y
    for cells, strength, chance in ((2.5, 0.04, 0.35), (40, 0.012, 0.12)):
        if rng.random() < chance:
            amount = np.float32(strength * rng.random())
            flow_x = flow_x + amount * fractal(rng, x.shape, cells, 1)
            flow_y = flow_y + amount * fractal(rng, x.shape, cells, 1)
    columns, rows = ((flow + 1) * (sprite.side / 2) - 0.5 for flow in (flow_x, flow_y))
    return Sprite(cv2.remap(sprite.pixels, columns, rows, cv2.INTER_LINEAR), sprite.light)


def blend_in(sprite: Sprite, ground: Floats, share: float) -> None:
    """Pull an object's colours towards the backdrop's: white on white, dark on dark."""
    colour = sprite.pixels[..., :3]
    colour += (ground * sprite.pixels[..., 3:] - colour) * np.float32(share)


def place(
    sprite: Sprite,
    size: tuple[int, int],
    pose: tuple[float, float],
    where: tuple[float, float],
    *,
    standing: bool,
) -> Floats:
    """Return the sprite warped into a frame: premultiplied (H, W, 4).

    `pose` is its longest side in pixels and its rotation in radians; `where` the shares of the
    frame's width and height its centre, or its foot when `standing`, is at.
    """
    extent, angle = pose
    height, width = size
    seen = (sprite.pixels[..., 3] > 0.05).astype(np.uint8)
    left, top, across, down = cv2.boundingRect(seen)
    scale = extent / max(across, down, 1)
    warp = cv2.getRotationMatrix2D((left + across / 2, top + down / 2), -np.degrees(angle), scale)
    rise = down * scale / 2 if standing else 0.0
    warp[:, 2] += where[0] * width - left - across / 2, where[1] * height - rise - top - down / 2
    pixels = sprite.pixels
    if scale < 0.45:
        pixels = cv2.blur(pixels, (3, 3))
    warped: Floats = cv2.warpAffine(pixels, warp, (width, height), flags=cv2.INTER_LINEAR)
    return warped


def cast_shadows(rng: np.random.Generator, objects: list[Placed], light: Light) -> Floats:
    """Return one black layer that holds every object's shadow on the backdrop."""
    height, width = objects[0].pixels.shape[:2]
    strength, softness = rng.uniform(0.2, 0.75), rng.uniform(0.004, 0.06)
    hover = rng.uniform(0.02, 0.2) if rng.random() < 0.3 else 0.0
    clear = np.ones((height, width), np.float32)
    for item in objects:
        alpha = np.ascontiguousarray(item.pixels[..., 3])
        if item.standing:
            dark = standing_shadow(alpha, light, hover, softness)
        else:
            dark = dropped_shadow(alpha, light, softness)
        clear *= 1 - np.clip(dark * np.float32(strength), 0, 0.95)
    shadow = np.zeros((height, width, 4), np.float32)
    shadow[..., 3] = 1 - clear
    return shadow


def standing_shadow(alpha: Floats, light: Light, hover: float, softness: float) -> Floats:
    """Return the shadow on the floor of something upright: laid down, soft, dark at the foot."""
    height, width = alpha.shape
    _, top, _, down = cv2.boundingRect((alpha > 0.2).astype(np.uint8))
    foot = top + down + hover * down
    sideways = light.direction[0] * 0.9
    squash = 0.12 + 0.3 * light.direction[2] * abs(light.direction[0])
    # A point h above the foot falls at (-sideways * h, -squash * h) from it: aside and behind.
    base_row = top + down
    warp = np.array([[1, sideways, -sideways * base_row], [0, squash, foot - squash * base_row]])
    laid = cv2.warpAffine(alpha, warp, (width, height))
    laid = soft(laid, softness * 2)
    # What touches the floor is the lowest part of the outline, seen nearly edge on.
    low = top + round(0.85 * down)
    base = np.zeros_like(alpha)
    base[low : top + down] = alpha[low : top + down]
    flat = np.array([[1, 0, 0], [0, 0.35, foot - 0.3 * (top + down)]])
    contact = soft(cv2.warpAffine(base, flat, (width, height)), 0.005 + softness * (0.2 + hover))
    return np.maximum(laid * 0.6, contact)


def dropped_shadow(alpha: Floats, light: Light, softness: float) -> Floats:
    """Return the shadow of something flat on a surface: its outline, shifted and soft."""
    height, width = alpha.shape
    reach = softness * 1.5 * max(height, width)
    shift = np.array(
        [[1, 0, -light.direction[0] * reach], [0, 1, -light.direction[1] * reach]], np.float32
    )
    return soft(cv2.warpAffine(alpha, shift, (width, height)), softness)


def soft(mask: Floats, share: float) -> Floats:
    """Blur by a share of the longer side, the frame's outside being clear."""
    sigma = max(0.5, share * max(mask.shape))
    factor = max(1, int(sigma / 3))
    height, width = mask.shape
    small = cv2.resize(
        mask, (max(2, width // factor), max(2, height // factor)), interpolation=cv2.INTER_AREA
    )
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def set_text(rng: np.random.Generator, ground: Floats) -> Floats:
    """Return premultiplied lettering, badges or both."""
    canvas = np.zeros((*ground.shape[:2], 4), np.float32)
    kind = rng.random()
    if kind > 0.35:
        add_headline(rng, canvas, ground.mean(axis=(0, 1)))
    if kind < 0.5:
        add_badge(rng, canvas)
    return canvas


def straight(premultiplied: Floats) -> Floats:
    """Divide by alpha; where nothing is, the colour of the nearest painted parts runs on."""
    height, width = premultiplied.shape[:2]
    coarse = cv2.resize(premultiplied, (8, 8), interpolation=cv2.INTER_AREA)
    mean = premultiplied.mean(axis=(0, 1)) + np.float32(CLEAR) * 0.5
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
        quality = int(rng.integers(55, 96))
        levels = np.rint(colour * 255).astype(np.uint8)
        _, file = cv2.imencode(".jpg", levels, (cv2.IMWRITE_JPEG_QUALITY, quality))
        colour = cv2.imdecode(file, cv2.IMREAD_COLOR).astype(np.float32) / 255
    return np.concatenate([colour, photo[..., 3:]], axis=-1).astype(np.float32)


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
