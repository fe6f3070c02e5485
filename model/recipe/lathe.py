"""Turned objects: bottles, jars, mugs, vases, bowls, lamps and pots."""

from __future__ import annotations

import cv2
import numpy as np
from lettering import label
from numpy.typing import ArrayLike
from shapes import Floats, ellipse, fill, leaf, mirror, smooth, stroke
from sprites import Finish, Sprite
from textures import colour, relative, texture

PROFILES: dict[str, tuple[tuple[float, float], ...]] = {
    # name: (height, radius) points from top to bottom, heights 0 to 1
    "bottle": ((0, 0.16), (0.2, 0.16), (0.3, 0.2), (0.42, 0.42), (0.6, 0.44), (1, 0.42)),
    "flask": ((0, 0.12), (0.3, 0.12), (0.5, 0.3), (0.8, 0.5), (1, 0.45)),
    "can": ((0, 0.4), (0.04, 0.46), (0.5, 0.46), (0.96, 0.46), (1, 0.4)),
    "tube": ((0, 0.2), (0.02, 0.22), (0.5, 0.22), (1, 0.22)),
    "cup": ((0, 0.6), (0.3, 0.59), (0.7, 0.52), (0.95, 0.4), (1, 0.38)),
    "tumbler": ((0, 0.55), (0.5, 0.48), (1, 0.4)),
    "bowl": ((0, 1.0), (0.3, 0.95), (0.7, 0.7), (1, 0.4)),
    "vase": ((0, 0.3), (0.15, 0.2), (0.4, 0.5), (0.7, 0.55), (1, 0.25)),
    "jar": ((0, 0.48), (0.1, 0.44), (0.2, 0.55), (0.6, 0.56), (1, 0.52)),
    "shade": ((0, 0.3), (0.5, 0.5), (1, 0.7)),
    "stand": ((0, 0.05), (0.7, 0.05), (0.85, 0.1), (0.95, 0.4), (1, 0.42)),
}


def turned_body(
    sprite: Sprite, profile: Floats, tilt: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return outline, normals and the two surface coordinates of a profile (y, radius) rows.

    `tilt` is the height of the base ellipse over its width: how far the camera looks down.
    """
    x, y = sprite.grid
    rows = y[:, 0]
    radius = np.interp(rows, profile[:, 0], profile[:, 1]).astype(np.float32)[:, None]
    slope = np.gradient(radius[:, 0], rows).astype(np.float32)[:, None]
    across = np.clip(x / np.maximum(radius, 1e-3), -1, 1)
    depth = np.sqrt(1 - across * across)
    normals = np.stack([across, np.broadcast_to(-slope, x.shape), depth], axis=-1)
    normals[..., 1] -= np.float32(tilt) * depth
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    base = ellipse((0, profile[-1, 0]), (profile[-1, 1], profile[-1, 1] * tilt))
    right = np.concatenate([profile[:, ::-1], base[1:48]])
    outline = np.concatenate([right, profile[::-1, ::-1] * np.array([-1, 1], np.float32)])
    angle = np.arcsin(across) * np.float32(profile[:, 1].max())
    return outline.astype(np.float32), normals, angle, y - depth * np.float32(tilt) * radius


def turn_profile(
    rng: np.random.Generator, kind: str, top: float, bottom: float, girth: float
) -> Floats:
    """Return a jittered profile as (y, radius) rows from `top` to `bottom`."""
    points = np.array(PROFILES[kind], np.float32)
    points[:, 1] *= girth * rng.uniform(0.88, 1.12, len(points))
    points[1:-1, 0] += rng.uniform(-0.03, 0.03, len(points) - 2)
    points[:, 0] = np.maximum.accumulate(points[:, 0])
    line = smooth(points, int(rng.choice([0, 2, 3, 3])), closed=False)
    line[:, 0] = top + line[:, 0] * (bottom - top) + np.arange(len(line)) * 1e-5
    return line


def add_body(
    rng: np.random.Generator, sprite: Sprite, profile: Floats, tilt: float, finish: Finish
) -> None:
    """Paint a turned body, textured, with the long highlight of a softbox when glossy."""
    outline, normals, u, v = turned_body(sprite, profile, tilt)
    mask = fill(sprite.side, outline)
    sprite.paint(mask, texture(rng, u, v), finish, normals)
    if finish.gloss > 0.25:
        where = rng.uniform(-0.8, 0.8)
        streak = np.exp(-(((normals[..., 0] - where) / rng.uniform(0.05, 0.2)) ** 2))
        shine = (mask * streak).astype(np.uint8)
        sprite.cover(shine, np.ones(3, np.float32), np.s_[:, :], finish.gloss * 0.6)


def add_mouth(rng: np.random.Generator, sprite: Sprite, rim: ArrayLike, tilt: float) -> None:
    """Paint the open top: a rim and the shaded inside; `rim` is (y, radius)."""
    y, radius = np.asarray(rim, np.float32)
    wall = colour(rng) if rng.random() < 0.4 else sprite_colour(sprite)
    outer = fill(sprite.side, ellipse((0, y), (radius, radius * tilt)))
    inner = fill(sprite.side, ellipse((0, y), (radius * 0.92, radius * tilt * 0.88)))
    sprite.paint(outer, relative(rng, wall, 0.05) * 1.1, Finish(0.05, 0.4))
    _, rows = sprite.grid
    gloom = 0.5 + 0.4 * np.clip((rows - y) / max(radius * tilt, 1e-3), -1, 1)
    sprite.cover(inner, wall * gloom[..., None].astype(np.float32), np.s_[:, :])


def sprite_colour(sprite: Sprite) -> Floats:
    """Return the mean colour of what is painted so far."""
    red, green, blue, alpha = cv2.mean(sprite.pixels)
    return np.array([red, green, blue], np.float32) / np.float32(max(alpha, 1e-6))


def surface(rng: np.random.Generator) -> Finish:
    """Return a random hard surface: matte, satin or glossy."""
    return Finish(0.3, float(rng.choice([0.02, 0.15, 0.4, 0.8])))


def bottle(rng: np.random.Generator, sprite: Sprite) -> None:
    """A bottle, tube, flask or can: body, cap and usually a label."""
    kind = str(rng.choice(["bottle", "bottle", "flask", "can", "tube"]))
    tilt, girth = rng.uniform(0.02, 0.25), rng.uniform(0.6, 1.1)
    finish = surface(rng)
    if rng.random() < 0.2:
        finish = Finish(gloss=0.8, opacity=rng.uniform(0.45, 0.85))
    neck = rng.uniform(-0.85, -0.5)
    profile = turn_profile(rng, kind, neck, 0.9 - girth * 0.4 * tilt, girth)
    add_body(rng, sprite, profile, tilt, finish)
    if rng.random() < 0.75:
        wrap_label(rng, sprite, profile, tilt)
    if kind != "can":
        wide = profile[0, 1] * rng.uniform(1.0, 1.3)
        cap = np.array([[-0.97, wide * rng.uniform(0.7, 1)], [neck + 0.06, wide]], np.float32)
        add_body(rng, sprite, cap, tilt, surface(rng))


def wrap_label(rng: np.random.Generator, sprite: Sprite, profile: Floats, tilt: float) -> None:
    """Print a label with writing around the middle of a body."""
    outline, _, u, v = turned_body(sprite, profile, tilt)
    middle = profile[0, 0] + (profile[-1, 0] - profile[0, 0]) * rng.uniform(0.5, 0.72)
    half = (profile[-1, 0] - profile[0, 0]) * rng.uniform(0.12, 0.26)
    reach = rng.uniform(0.5, 1.6) * profile[:, 1].max()
    paper, ink = label(rng, u / reach, (v - middle) / half)
    on = fill(sprite.side, outline) * (np.abs(v - middle) < half) * (np.abs(u) < reach)
    sprite.stick((on * paper[..., 3]).astype(np.uint8), paper[..., :3])
    sprite.stick((on * ink[..., 3]).astype(np.uint8), ink[..., :3])


def mug(rng: np.random.Generator, sprite: Sprite) -> None:
    """A mug, cup, tumbler or bowl, with or without a handle and a print."""
    kind = str(rng.choice(["cup", "tumbler", "can", "bowl"]))
    tilt, girth = rng.uniform(0.08, 0.45), rng.uniform(0.7, 1.0)
    top = rng.uniform(-0.7, -0.2)
    profile = turn_profile(rng, kind, top, 0.75, girth)
    finish = surface(rng)
    if kind != "bowl" and rng.random() < 0.7:
        add_handle(rng, sprite, profile, finish)
    add_body(rng, sprite, profile, tilt, finish)
    if rng.random() < 0.4:
        wrap_label(rng, sprite, profile, tilt)
    add_mouth(rng, sprite, profile[0], tilt)


def add_handle(rng: np.random.Generator, sprite: Sprite, profile: Floats, finish: Finish) -> None:
    """Paint a bent handle at one side."""
    side = rng.choice([-1, 1])
    top, bottom = profile[0, 0], profile[-1, 0]
    high, low = top + 0.15 * (bottom - top), top + rng.uniform(0.55, 0.85) * (bottom - top)
    near = np.interp((high, low), profile[:, 0], profile[:, 1]) - 0.04
    far = min(0.95, near.max() + rng.uniform(0.25, 0.45))
    bend = [(near[0], high), (far, high), (far, (high + low) / 2), (far - 0.1, low), (near[1], low)]
    line = smooth(np.array(bend) * (side, 1), 3, closed=False)
    mask = stroke(sprite.side, line, rng.uniform(0.08, 0.16))
    sprite.paint(mask, colour(rng), Finish(0.08, finish.gloss))


def jar(rng: np.random.Generator, sprite: Sprite) -> None:
    """A jar, often of clear glass with something in it, under a lid."""
    tilt, top, bottom = rng.uniform(0.05, 0.35), rng.uniform(-0.6, -0.3), 0.75
    profile = turn_profile(rng, "jar", top, bottom, rng.uniform(0.9, 1.4))
    glass = Finish(0.3, 0.7, opacity=rng.uniform(0.3, 0.7))
    if rng.random() < 0.6:
        level = top + (bottom - top) * rng.uniform(0.2, 0.7)
        rows = np.linspace(level, bottom - 0.03, 12, dtype=np.float32)
        radii = np.interp(rows, profile[:, 0], profile[:, 1]) * 0.93
        add_body(rng, sprite, np.stack([rows, radii], axis=1).astype(np.float32), tilt, Finish())
    add_body(rng, sprite, profile, tilt, glass if rng.random() < 0.7 else surface(rng))
    if rng.random() < 0.5:
        wrap_label(rng, sprite, profile, tilt)
    wide = profile[0, 1] * rng.uniform(1.0, 1.12)
    lid = np.array([[top - rng.uniform(0.08, 0.25), wide], [top + 0.05, wide]], np.float32)
    add_body(rng, sprite, lid, tilt, surface(rng))
    crown = fill(sprite.side, ellipse((0, lid[0, 0]), (wide, wide * tilt)))
    sprite.paint(crown, texture(rng, *sprite.grid), Finish(0.03, 0.2))


def lamp(rng: np.random.Generator, sprite: Sprite) -> None:
    """A table lamp: a stand and a shade that may be lit."""
    split = rng.uniform(-0.3, 0.2)
    if rng.random() < 0.5:
        stand = turn_profile(rng, "stand", split - 0.1, 0.9, 1.0)
    else:
        stand = turn_profile(rng, "vase", split - 0.1, 0.9, rng.uniform(0.4, 0.9))
    add_body(rng, sprite, stand, 0.08, surface(rng))
    shade = turn_profile(rng, "shade", -0.9, split, rng.uniform(0.8, 1.2))
    add_body(rng, sprite, shade, rng.uniform(0.02, 0.15), Finish(gloss=0.05))
    if rng.random() < 0.3:
        glow = fill(sprite.side, mirror([(shade[0, 1], -0.9), (shade[-1, 1], split)]))
        sprite.stick(glow, np.array([1, 0.93, 0.75], np.float32), 0.6)


def vase(rng: np.random.Generator, sprite: Sprite) -> None:
    """An empty vase."""
    tilt = rng.uniform(0.05, 0.3)
    kind = str(rng.choice(["vase", "flask", "jar"]))
    profile = turn_profile(rng, kind, -0.8, 0.8, rng.uniform(0.7, 1.4))
    add_body(rng, sprite, profile, tilt, surface(rng))
    add_mouth(rng, sprite, profile[0], tilt)


def plant(rng: np.random.Generator, sprite: Sprite) -> None:
    """Leaves or blossoms on stems, in a pot or cut."""
    potted = rng.random() < 0.75
    root = (0.0, rng.uniform(0.2, 0.5) if potted else 0.95)
    green = np.array([rng.uniform(0.05, 0.45), rng.uniform(0.25, 0.65), rng.uniform(0.05, 0.4)])
    width, bend = rng.uniform(0.02, 0.13), rng.uniform(-0.6, 0.6)
    for angle in rng.permutation(np.linspace(-1.1, 1.1, rng.integers(4, 16))):
        length = rng.uniform(0.6, 1.0) * min(1.3, root[1] + 0.95) / (1 + 0.3 * abs(angle))
        outline = leaf(root, length, width, angle, bend + rng.normal(0, 0.3))
        tint = relative(rng, green.astype(np.float32), 0.1)
        sprite.paint(fill(sprite.side, outline), tint, Finish(width * 0.9, 0.2))
        if rng.random() < 0.15:
            bloom = outline[19] + ellipse((0, 0), rng.uniform(0.05, 0.14, 2))
            sprite.paint(fill(sprite.side, bloom), colour(rng), Finish(0.1, 0.1))
    if potted:
        kind = str(rng.choice(["tumbler", "cup", "can", "bowl"]))
        pot = turn_profile(rng, kind, root[1] - 0.05, 0.92, rng.uniform(0.5, 0.9))
        add_body(rng, sprite, pot, 0.1, surface(rng))
