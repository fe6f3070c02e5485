"""The shadows objects cast: on the backdrop as a layer, on each other as part of how they look."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from shapes import Floats
from sprites import Light
from staging import Placed


@dataclass(frozen=True)
class Shade:
    """How dark and how soft shadows are, 0 to 1, and how far above the floor things `hover`.

    `hover` is in heights of a thing. The shadow of what hangs falls `below` it, or else on a wall.
    """

    strength: float
    softness: float
    hover: float
    below: bool


NO_SHADE = Shade(0, 0, 0, below=False)


def draw_shade(rng: np.random.Generator) -> Shade:
    """Return random shadows; most things touch what they stand on."""
    strength, softness = rng.uniform(0.2, 0.75), rng.uniform(0.004, 0.06)
    hover = rng.uniform(0.02, 0.2) if rng.random() < 0.3 else 0.0
    return Shade(strength, softness, hover, below=bool(rng.random() < 0.7))


def cast_shadows(
    objects: tuple[Placed, ...], light: Light, shade: Shade
) -> tuple[Floats, tuple[Placed, ...]]:
    """Return one black layer with every object's shadow on the backdrop, and the shaded objects.

    A shadow on another object belongs to that object's colours: moving either tells no lie
    about the backdrop.
    """
    clear = np.ones(objects[0].pixels.shape[:2], np.float32)
    shaded: list[Placed] = []
    for item in objects:
        alpha = np.ascontiguousarray(item.pixels[..., 3])
        if item.pose == "standing":
            dark = standing_shadow(alpha, light, shade.hover, shade.softness)
        elif item.pose == "hanging" and shade.below:
            dark = hovering_shadow(alpha, 0.04 + shade.hover, shade.softness)
        else:
            dark = dropped_shadow(alpha, light, shade.softness)
        let = 1 - np.clip(dark * np.float32(shade.strength), 0, 0.95)
        clear *= let
        if item.pose != "standing":
            shaded = [darkened(other, let) for other in shaded]
        shaded.append(item)
    shadow = np.zeros((*clear.shape, 4), np.float32)
    shadow[..., 3] = 1 - clear
    return shadow, tuple(shaded)


def darkened(item: Placed, light: Floats) -> Placed:
    """Return an object with a share of its light, (H, W)."""
    pixels = item.pixels.copy()
    pixels[..., :3] *= light[..., None]
    return Placed(pixels, item.pose)


def hovering_shadow(alpha: Floats, gap: float, softness: float) -> Floats:
    """Return the shadow of something in the air, on a floor seen nearly edge on, `gap` below it."""
    height, width = alpha.shape
    _, top, _, down = cv2.boundingRect((alpha > 0.2).astype(np.uint8))
    foot, flat = top + down + gap * max(down, 0.3 * height), 0.05 + 1.5 * softness
    warp = np.array([[1, 0, 0], [0, flat, foot - flat * (top + down / 2)]])
    laid = cv2.warpAffine(alpha, warp, (width, height), flags=cv2.INTER_AREA)
    return soft(laid, 0.008 + 0.3 * softness)


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
    """Blur (H, W) or (H, W, C) by a share of the longer side."""
    height, width = mask.shape[:2]
    sigma = max(0.5, share * max(height, width))
    factor = max(1, int(sigma / 3))
    small = cv2.resize(
        mask, (max(2, width // factor), max(2, height // factor)), interpolation=cv2.INTER_AREA
    )
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor)
    blurred: Floats = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return blurred
