"""Objects put into the frame, and the shadows they cast on the backdrop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import goods
import lathe
import numpy as np
import softgoods
from backdrops import Backdrop
from shapes import Floats
from sprites import Light, Sprite
from textures import fractal

Maker: TypeAlias = Callable[[np.random.Generator, Sprite], None]

MAKERS: tuple[tuple[Maker, float], ...] = (
    (lathe.bottle, 3), (lathe.mug, 3), (lathe.jar, 2), (lathe.vase, 1), (lathe.lamp, 1.5),
    (lathe.plant, 2), (goods.box, 3), (goods.ball, 1.5), (softgoods.cushion, 2),
    (softgoods.garment, 2.5), (softgoods.bag, 2), (softgoods.shoe, 3), (goods.glasses, 2),
    (goods.chair, 2), (goods.watch, 1.5), (goods.cable, 1.5), (goods.device, 2.5), (goods.tool, 2),
    (softgoods.figure, 2), (softgoods.lump, 2.5), (softgoods.foliage, 1), (goods.ring, 1.5),
)  # fmt: skip

OBJECT_COUNTS = (0.03, 0.57, 0.25, 0.15)
"""How often a scene has no, one, two or three objects."""

LEAST_SEEN = 0.2
"""Share of an object that has to show for it to stay in the scene."""

LEAST_AREA = 0.004
"""Share of the frame that has to show it."""


@dataclass(frozen=True)
class Placed:
    """One object in the frame: premultiplied (H, W, 4), and whether it stands on something."""

    pixels: Floats
    standing: bool


def arrange(rng: np.random.Generator, ground: Backdrop, light: Light) -> tuple[Placed, ...]:
    """Place objects back to front: on the floor, flat on a surface, or floating."""
    count = int(rng.choice(len(OBJECT_COUNTS), p=OBJECT_COUNTS))
    standing = ground.horizon is not None and rng.random() < 0.8
    objects = []
    for index in range(count):
        share = rng.uniform(0.3, 1.0) if count == 1 else rng.uniform(0.18, 0.75)
        extent = share * min(ground.colour.shape[:2])
        tipped = rng.normal(0, 0.06), rng.normal(0, 0.5), rng.uniform(-np.pi, np.pi)
        angle = float(tipped[0] if standing else rng.choice(tipped))
        sprite = bent(rng, draw_object(rng, extent, light.turned(angle)))
        if rng.random() < 0.08:
            blend_in(sprite, cv2.mean(ground.colour)[:3], rng.uniform(0.4, 0.8))
        where = rng.normal(0.5, 0.16 if count == 1 else 0.22), rng.normal(0.5, 0.14)
        if standing:
            floor = max(ground.horizon or 0, 0.45) + 0.1
            where = where[0], floor + (0.96 - floor) * (index + rng.random()) / count
        pixels = place(sprite, ground.colour.shape[:2], (extent, angle), where, standing=standing)
        objects.append(Placed(pixels, standing))
    return noticeable(objects)


def noticeable(objects: list[Placed]) -> tuple[Placed, ...]:
    """Leave out what is hidden or out of view: nobody could tell that it is there."""
    clear, kept = np.ones_like(objects[0].pixels[..., 3]) if objects else np.ones(0), []
    for item in reversed(objects):
        alpha = item.pixels[..., 3]
        seen = float((alpha * clear).sum())
        if seen > max(LEAST_SEEN * float(alpha.sum()), LEAST_AREA * alpha.size):
            kept.append(item)
            clear = clear * (1 - alpha)
    return tuple(reversed(kept))


def draw_object(rng: np.random.Generator, extent: float, light: Light) -> Sprite:
    """Return a random object on a patch of twice the size it will have in the frame."""
    makers, weights = zip(*MAKERS, strict=True)
    make: Maker = makers[rng.choice(len(makers), p=np.array(weights) / sum(weights))]
    sprite = Sprite.blank(int(np.clip(2 * round(extent), 32, 1600)), light)
    make(rng, sprite)
    return sprite


def bent(rng: np.random.Generator, sprite: Sprite) -> Sprite:
    """Return the sprite stretched, bent softly or made shaggy, so no two are the same solid."""
    x, y = sprite.grid
    flow_x, flow_y = x * np.float32(np.exp(abs(rng.normal(0, 0.15)))), y
    for cells, strength, chance in ((2.5, 0.04, 0.35), (40, 0.012, 0.08)):
        if rng.random() < chance:
            amount = np.float32(strength * rng.random())
            flow_x = flow_x + amount * fractal(rng, x.shape, cells, 1)
            flow_y = flow_y + amount * fractal(rng, x.shape, cells, 1)
    columns, rows = ((flow + 1) * (sprite.side / 2) - 0.5 for flow in (flow_x, flow_y))
    return Sprite(cv2.remap(sprite.pixels, columns, rows, cv2.INTER_LINEAR), sprite.light)


def blend_in(sprite: Sprite, ground: Sequence[float], share: float) -> None:
    """Pull an object's colours towards the backdrop's: white on white, dark on dark."""
    colour = sprite.pixels[..., :3]
    colour += (np.array(ground, np.float32) * sprite.pixels[..., 3:] - colour) * np.float32(share)


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


def cast_shadows(rng: np.random.Generator, objects: tuple[Placed, ...], light: Light) -> Floats:
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
    shadow: Floats = np.maximum(laid * 0.6, contact)
    return shadow


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
    blurred: Floats = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return blurred
