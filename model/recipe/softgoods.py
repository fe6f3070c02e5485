"""Soft and grown things: cushions, clothes, bags, shoes, toys, twigs and nameless lumps."""

from __future__ import annotations

import numpy as np
from finishes import hard, motif, soft
from shapes import Floats, blob, ellipse, fill, leaf, mirror, rectangle, smooth, stroke, turn
from sprites import Finish, Sprite
from textures import colour, fractal, relative, texture


def cushion(rng: np.random.Generator, sprite: Sprite) -> None:
    """A cushion or pouch with pulled-in sides, sometimes a tag."""
    size = rng.uniform(0.7, 0.95, 2)
    pinch = rng.uniform(0.02, 0.12)
    t = np.linspace(-1, 1, 24, dtype=np.float32)
    bow = 1 - pinch * (1 - t * t)
    edge = np.stack([t, -bow], axis=1)
    outline = np.concatenate([turn(edge, quarter) for quarter in np.arange(4) * np.pi / 2])
    shape = fill(sprite.side, outline * size)
    if rng.random() < 0.3:
        tag = rectangle(size * (1.0, rng.uniform(-0.5, 0.5)), (0.07, rng.uniform(0.06, 0.15)))
        sprite.paint(fill(sprite.side, tag * 0.97), colour(rng), Finish(0.02))
    finish = Finish(rng.uniform(0.4, 0.8), 0.02, creases=rng.uniform(0.1, 0.8))
    sprite.paint(shape, texture(rng, *sprite.grid), finish)
    motif(rng, sprite, 0.5, (0, 0))


def garment(rng: np.random.Generator, sprite: Sprite) -> None:
    """A shirt, dress, vest or hoodie laid flat or hanging."""
    sleeve, hem = rng.uniform(0.1, 0.95), rng.uniform(0.4, 0.95)
    chest, waist = rng.uniform(0.35, 0.5), rng.uniform(0.3, 0.65)
    cuff = (chest + sleeve * rng.uniform(0.3, 0.55), -0.75 + sleeve * rng.uniform(0.5, 1.5))
    half = [
        (0, rng.uniform(-0.85, -0.7)), (0.16, -0.92), (chest + 0.05, -0.78), cuff,
        (cuff[0] - 0.16, cuff[1] + 0.1), (chest, -0.4 + 0.1 * sleeve), (waist, hem),
        (0, hem + 0.03),
    ]  # fmt: skip
    outline = np.clip(smooth(mirror(half), int(rng.integers(1, 4))), -0.98, 0.98)
    base = texture(rng, *sprite.grid)
    sprite.paint(fill(sprite.side, outline), base, soft(rng))
    trim = colour(rng)
    collar = smooth([(-0.17, -0.9), (0, half[0][1] + 0.02), (0.17, -0.9)], 2, closed=False)
    sprite.stick(stroke(sprite.side, collar, rng.uniform(0.03, 0.1)), trim)
    if rng.random() < 0.4:
        sprite.stick(stroke(sprite.side, [(0, half[0][1]), (0, hem)], 0.02), trim)
    motif(rng, sprite, 0.5, (0, -0.3))


def bag(rng: np.random.Generator, sprite: Sprite) -> None:
    """A tote, handbag or backpack with handles."""
    top, wide, low = rng.uniform(-0.4, 0.0), rng.uniform(0.4, 0.9), rng.uniform(0.5, 0.95)
    strap = colour(rng)
    reach = rng.uniform(0.15, 0.8) * wide
    width = rng.uniform(0.03, 0.12)
    peak = rng.uniform(-1.3, -0.7)
    arch = smooth(
        [(-reach, top + 0.1), (-reach * 0.8, peak), (reach * 0.8, peak), (reach, top + 0.1)],
        3,
        closed=False,
    )
    sprite.paint(stroke(sprite.side, np.clip(arch, -0.94, 1), width), strap, Finish(width / 2, 0.2))
    half = [
        (wide * rng.uniform(0.6, 1), top),
        (wide, top + 0.4),
        (wide * rng.uniform(0.8, 1.05), low),
    ]
    outline = smooth(np.clip(mirror(half), -0.96, 0.96), int(rng.integers(0, 4)))
    finish = soft(rng) if rng.random() < 0.6 else hard(rng)
    sprite.paint(fill(sprite.side, outline), texture(rng, *sprite.grid), finish)
    if rng.random() < 0.5:
        flap = smooth(mirror([(wide * 0.7, top), (wide * 0.8, top + 0.4), (0.1, top + 0.55)]), 2)
        sprite.paint(fill(sprite.side, flap), texture(rng, *sprite.grid), hard(rng))
    motif(rng, sprite, 0.4, (0, (top + low) / 2))


def shoe(rng: np.random.Generator, sprite: Sprite) -> None:
    """A shoe or boot seen from the side."""
    shaft, heel = rng.uniform(-0.7, 0.15), rng.uniform(0.0, 0.25)
    ankle, toe = rng.uniform(-0.35, -0.05), rng.uniform(0.15, 0.35)
    upper = [
        (-0.88, 0.48), (-0.93, 0.4), (-0.94, 0.2), (-0.88, shaft),
        (ankle, shaft + rng.uniform(-0.05, 0.1)), (ankle + 0.15, 0.05), (0.4, toe - 0.05),
        (0.8, toe), (0.98, 0.3), (0.96, 0.44), (0.9, 0.48),
    ]  # fmt: skip
    body = fill(sprite.side, smooth(upper, 3))
    sprite.paint(body, texture(rng, *sprite.grid), Finish(rng.uniform(0.2, 0.5), 0.15, creases=0.3))
    lining = ellipse(((-0.86 + ankle) / 2, shaft + 0.07), ((ankle + 0.8) / 2, 0.06))
    sprite.stick(fill(sprite.side, lining), np.full(3, rng.uniform(0.05, 0.6), np.float32))
    for step in np.linspace(0.1, 0.9, rng.integers(0, 7)):
        along, row = ankle + step * 0.5, shaft + step * (toe - shaft)
        lace = [(along - 0.08, row + 0.02), (along + 0.05, row + 0.1)]
        sprite.paint(stroke(sprite.side, lace, 0.04), colour(rng), Finish(0.02))
    stripe = smooth([(-0.5, 0.4), (-0.1, rng.uniform(0, 0.3)), (0.3, 0.4)], 2, closed=False)
    if rng.random() < 0.5:
        sprite.stick(stroke(sprite.side, stripe, rng.uniform(0.03, 0.12)), colour(rng))
    thick = rng.uniform(0.06, 0.16)
    sole = [
        (-0.97, 0.38), (0.0, 0.43 - heel / 4), (1.0, 0.38), (0.95, 0.42 + thick),
        (0.1, 0.44 + thick - heel / 4), (-0.3, 0.45 + thick), (-0.92, 0.45 + thick + heel),
    ]  # fmt: skip
    sprite.paint(fill(sprite.side, smooth(sole, 2)), colour(rng), hard(rng))


def figure(rng: np.random.Generator, sprite: Sprite) -> None:
    """A toy animal or statue: a body with legs and a tail, and a head with ears and a face."""
    coat = texture(rng, *sprite.grid)
    shaggy = fractal(rng, (sprite.side, sprite.side), 40, 2)[..., None] * np.float32(0.12)
    coat = np.clip(coat * (1 + shaggy), 0, 1) if rng.random() < 0.6 else coat
    second = coat if rng.random() < 0.4 else colour(rng)
    plush = Finish(rng.uniform(0.15, 0.4), float(rng.choice([0.02, 0.02, 0.5])))
    radii, hip = rng.uniform((0.28, 0.25), (0.55, 0.4)), rng.uniform(0.05, 0.3)
    size = rng.uniform(0.22, 0.38)
    neck = max(hip - radii[1] * rng.uniform(0.9, 1.3), 2 * size - 0.9)
    head = rng.uniform(-0.5, 0.5), neck
    side = rng.choice([-1, 1])
    tail = leaf(
        (side * radii[0] * 0.7, hip),
        rng.uniform(0.2, 0.6),
        rng.uniform(0.05, 0.15),
        side * rng.uniform(0.5, 1.8),
        -side,
    )
    parts = [(tail, second)]
    for x in rng.uniform(-0.85, 0.85, rng.integers(2, 5)) * radii[0]:
        paw = ellipse((x, hip + radii[1] * 0.9), rng.uniform((0.1, 0.15), (0.2, 0.35)))
        parts.append((paw, coat if rng.random() < 0.6 else second))
    parts.append((ellipse((0, hip), radii), coat))
    for outline, skin in parts:
        sprite.paint(fill(sprite.side, np.clip(outline, -0.97, 0.97)), skin, plush)
    _add_head(rng, sprite, (*head, size), (coat, second, plush))


def _add_head(
    rng: np.random.Generator,
    sprite: Sprite,
    place: tuple[float, float, float],
    fur: tuple[Floats, Floats, Finish],
) -> None:
    """Paint an animal's head at x, y and of a radius, in two kinds of fur."""
    x, y, size = place
    coat, second, plush = fur
    long, wide = rng.uniform(0.8, 2.2), rng.uniform(0.25, 0.55)
    parts = []
    for side in (-1, 1):
        root = x + side * size * 0.5, y - size * 0.5
        ear = leaf(root, size * long, size * wide, side * rng.uniform(0.2, 2.0), side * 0.5)
        parts.append((ear, second))
    parts.append((ellipse((x, y), (size, size * rng.uniform(0.8, 1.1))), coat))
    parts.append((ellipse((x + rng.normal(0, 0.05), y + size * 0.4), size * 0.45), second))
    for outline, skin in parts:
        sprite.paint(fill(sprite.side, np.clip(outline, -0.97, 0.97)), skin, plush)
    for across, down in ((-0.35, -0.1), (0, 0.35), (0.35, -0.1)):
        dot = ellipse((x + across * size, y + down * size), size * 0.1)
        sprite.paint(fill(sprite.side, dot), np.full(3, 0.05, np.float32), Finish(0.02, 0.7))
    if rng.random() < 0.4:
        scarf = [
            (x + across * size, y + size * (1.05 - abs(across) / 5)) for across in (-0.8, 0, 0.8)
        ]
        sprite.paint(stroke(sprite.side, scarf, rng.uniform(0.08, 0.2)), colour(rng), plush)


def lump(rng: np.random.Generator, sprite: Sprite) -> None:
    """Any smooth silhouette, whole or with a hole: what no maker here thought of."""
    outline = blob(rng, rng.uniform(0.1, 0.7), symmetric=bool(rng.random() < 0.4)) * 0.95
    hole = outline * rng.uniform(0.3, 0.75)
    outlines = (outline, hole) if rng.random() < 0.2 else (outline,)
    finish = Finish(rng.uniform(0.05, 0.9), float(rng.choice([0.02, 0.3, 0.8])))
    sprite.paint(fill(sprite.side, *outlines), texture(rng, *sprite.grid), finish)
    if rng.random() < 0.5:
        part = blob(rng, 0.3) * rng.uniform(0.2, 0.5) + rng.uniform(-0.4, 0.4, 2)
        sprite.paint(
            fill(sprite.side, np.clip(part, -0.97, 0.97)), texture(rng, *sprite.grid), finish
        )
    motif(rng, sprite, 0.3, (0, 0))


def foliage(rng: np.random.Generator, sprite: Sprite) -> None:
    """A twig, tree or bunch: many small leaves about a stem."""
    spread = rng.uniform(0.2, 0.6)
    green, bark = colour(rng), relative(rng, np.array([0.3, 0.2, 0.12], np.float32), 0.1)
    stem = smooth(
        np.stack([rng.normal(0, 0.12, 4), np.linspace(0.95, -0.6, 4)], 1), 3, closed=False
    )
    sprite.paint(stroke(sprite.side, stem, rng.uniform(0.02, 0.1)), bark, Finish(0.03))
    size = rng.uniform(0.06, 0.16)
    for _ in range(rng.integers(12, 40)):
        root = stem[rng.integers(len(stem) // 3, len(stem))] + rng.normal(0, spread / 2, 2)
        outline = leaf(np.clip(root, -0.8, 0.8), 2 * size, size * 0.6, rng.uniform(-2.5, 2.5), 0.3)
        sprite.paint(fill(sprite.side, outline), relative(rng, green, 0.08), Finish(size, 0.1))


def sofa(rng: np.random.Generator, sprite: Sprite) -> None:
    """A sofa, armchair or bed: a back, a seat, two arms, cushions and feet."""
    wide, skin = rng.uniform(0.45, 0.8), texture(rng, *sprite.grid)
    plush = Finish(rng.uniform(0.1, 0.3), 0.03, creases=rng.uniform(0, 0.5))
    top, seat, low = rng.uniform(-0.6, -0.2), rng.uniform(0.0, 0.2), rng.uniform(0.4, 0.6)
    for x in (-0.9, 0.9):
        foot = [(x * wide, low - 0.05), (x * wide, low + rng.uniform(0.05, 0.25))]
        sprite.paint(stroke(sprite.side, foot, 0.06), colour(rng), hard(rng))
    back = ellipse((0, (top + low) / 2), (wide, (low - top) / 2), rng.uniform(4, 10))
    sprite.paint(fill(sprite.side, back), skin, plush)
    for x in np.linspace(-0.7, 0.7, rng.integers(0, 5)) * wide:
        size = rng.uniform(0.12, 0.25)
        cushion = ellipse((x, seat - size / 2), (size, size), 4)
        sprite.paint(fill(sprite.side, cushion), texture(rng, *sprite.grid), plush)
    bench = ellipse((0, (seat + low) / 2), (wide, (low - seat) / 2), 8)
    sprite.paint(fill(sprite.side, bench), skin, plush)
    for side in (-1, 1):
        arm = ellipse((side * (wide + 0.05), (top + 2 * low) / 3), (0.12, (low - top) / 3), 5)
        sprite.paint(fill(sprite.side, arm), skin, plush)
