"""The patch an object is painted on, part by part, each part lit as a rounded solid."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from shapes import Floats, Mask, grid

WRAP = 0.35
"""How far beyond the edge of its shade a surface is lit, as a cosine."""

GLOSSY = 0.3
"""Gloss from which a surface mirrors its surroundings, Schlick's fresnel term included."""


@dataclass(frozen=True)
class Light:
    """One distant lamp and the room around it.

    `direction` is a unit vector towards the lamp: x to the right, y down, z to the viewer.
    """

    direction: tuple[float, float, float]
    ambient: float
    colour: tuple[float, float, float]

    def turned(self, angle: float) -> Light:
        """Return the light as seen by an object that will be rotated by `angle` radians."""
        x, y, z = self.direction
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        return Light((cos * x + sin * y, cos * y - sin * x, z), self.ambient, self.colour)


@dataclass(frozen=True)
class Finish:
    """How a surface takes light: edge `roundness` in patch units, `gloss` and `opacity` 0 to 1."""

    roundness: float = 0.3
    gloss: float = 0.2
    opacity: float = 1.0
    creases: float = 0.0


def inflate(mask: Mask, radius: float) -> Floats:
    """Return unit normals of the mask puffed up like a cushion; its rim is `radius` px wide."""
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    inside = (padded > 127).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
    rise = np.clip(depth / max(radius, 1.0), 0, 1)
    height = np.sqrt(rise * (2 - rise)).astype(np.float32) * np.float32(radius)
    height = cv2.GaussianBlur(height, (0, 0), max(0.7, radius * 0.15))
    return normals_of(height)


def normals_of(height: Floats) -> Floats:
    """Return the unit normals of a height field in pixels: (H, W, 3)."""
    across = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=-0.125)
    down = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=-0.125)
    length = 1 / np.sqrt(across * across + down * down + 1)
    normals: Floats = cv2.merge([across * length, down * length, length])
    return normals


def lit(colour: Floats, normals: Floats, light: Light, gloss: float) -> Floats:
    """Shade a surface: wrapped Lambert plus a Blinn-Phong highlight; values may exceed 1.

    Softboxes are large: their light reaches a little round the side.
    """
    lamp = np.array(light.direction, np.float32)
    between = lamp + np.array([0, 0, 1], np.float32)
    between /= np.linalg.norm(between)
    facing = np.maximum(normals @ lamp + np.float32(WRAP), 0)
    diffuse = facing * np.float32(1.4 / (1 + WRAP) * (1 - light.ambient))
    shaded = colour * (diffuse + np.float32(light.ambient))[..., None]
    if gloss > 0.02:
        highlight = np.maximum(normals @ between, 0) ** np.float32(4 + 90 * gloss)
        shaded = shaded + (highlight * np.float32(gloss))[..., None]
    if gloss > GLOSSY:
        shaded = shaded + (studio_reflection(normals) * np.float32(gloss))[..., None]
    tinged: Floats = shaded * np.array(light.colour, np.float32)
    return tinged


def studio_reflection(normals: Floats) -> Floats:
    """Return what a polished surface (H, W) shows of the studio: a strip light, and its rim."""
    away, facing = normals[..., 1], normals[..., 2]
    upwards = 2 * away * facing
    strip = np.clip(1 - np.abs(upwards + np.float32(0.6)) * 5, 0, 1)
    rim = (1 - np.clip(facing, 0, 1)) ** 3
    reflection: Floats = strip * np.float32(0.3) + rim * np.float32(0.25)
    return reflection


@dataclass(frozen=True)
class Sprite:
    """A square patch of premultiplied RGBA, (side, side, 4), that parts are painted on."""

    pixels: Floats
    light: Light

    @classmethod
    def blank(cls, side: int, light: Light) -> Sprite:
        """Return a clear patch."""
        return cls(np.zeros((side, side, 4), np.float32), light)

    @property
    def side(self) -> int:
        """Height and width in pixels."""
        return len(self.pixels)

    @property
    def grid(self) -> tuple[Floats, Floats]:
        """Coordinates x and y over the patch, -1 to 1."""
        return grid(self.side, self.side)

    def paint(
        self, mask: Mask, colour: Floats, finish: Finish, normals: Floats | None = None
    ) -> None:
        """Paint one part over what is there; `colour` is (3,) or covers the whole patch."""
        left, top, width, height = cv2.boundingRect(mask)
        if not width:
            return
        box = np.s_[top : top + height, left : left + width]
        if normals is None:
            surface = inflate(mask[box], finish.roundness * self.side / 2)
        else:
            surface = normals[box]
        if finish.creases:
            surface = self._creased(surface, box, finish.creases)
        skin = colour if colour.ndim == 1 else colour[box]
        self.cover(mask[box], lit(skin, surface, self.light, finish.gloss), box, finish.opacity)

    def cover(
        self, mask: Mask, colour: Floats, box: tuple[slice, slice], opacity: float = 1.0
    ) -> None:
        """Composite an unshaded colour over the pixels of `box`."""
        alpha = (mask * np.float32(opacity / 255))[..., None]
        target = self.pixels[box]
        target *= 1 - alpha
        target[..., :3] += np.clip(colour, 0, 1) * alpha
        target[..., 3:] += alpha

    def stick(self, mask: Mask, colour: Floats, opacity: float = 1.0) -> None:
        """Print onto the parts already there, under the same light: labels, seams, ink."""
        left, top, width, height = cv2.boundingRect(mask)
        if not width:
            return
        box = np.s_[top : top + height, left : left + width]
        target, skin = self.pixels[box], colour if colour.ndim == 1 else colour[box]
        red, green, blue, covered = cv2.split(target)
        brightness = np.maximum(np.maximum(red, green), blue)
        ink = skin * (np.float32(0.35) * covered + np.float32(0.65) * brightness)[..., None]
        alpha = mask[box] * np.float32(opacity / 255)
        target[..., :3] += (ink - target[..., :3]) * alpha[..., None]

    def _creased(self, normals: Floats, box: tuple[slice, slice], depth: float) -> Floats:
        x, y = self.grid
        folds = np.sin(7 * x + 3 * np.sin(5 * y)) + np.sin(9 * y + 4 * np.sin(4 * x + 1))
        bumps = normals_of((folds * np.float32(depth * self.side / 30))[box].astype(np.float32))
        bent: Floats = normals + bumps - np.array([0, 0, 1], np.float32)
        bent /= np.linalg.norm(bent, axis=-1, keepdims=True)
        return bent
