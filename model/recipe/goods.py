"""Hard goods that are not turned: boxes, balls, glasses, chairs, watches, devices, tools."""

from __future__ import annotations

import cv2
import numpy as np
from finishes import hard
from lettering import label
from shapes import (
    Floats,
    blob,
    capsule,
    ellipse,
    fill,
    grid,
    leaf,
    mirror,
    rectangle,
    smooth,
    stroke,
    turn,
)
from sprites import Finish, Sprite, normals_of
from textures import colour, mix, relative, texture


def box(rng: np.random.Generator, sprite: Sprite) -> None:
    """A carton, book, tin or parcel: two or three visible faces, printed."""
    sizes = rng.uniform(0.2, 1.0, 3)
    yaw, pitch = rng.uniform(-0.8, 0.8), -rng.uniform(0, 0.6)
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    # Columns are the box's own axes on screen (x right, y down) and towards the viewer.
    axes = np.array([[cy, 0, sy], [sy * sp, cp, -cy * sp], [-sy * cp, sp, cy * cp]])
    corners = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]) * sizes
    scale = 0.95 / np.abs(corners @ axes.T)[:, :2].max()
    base, finish = colour(rng), hard(rng)
    for axis, sign in ((0, 1 if axes[2, 0] > 0 else -1), (1, -1), (2, 1)):
        if axes[2, axis] * sign < 0.02:
            continue
        normal = axes[:, axis] * sign
        first, second = [other for other in range(3) if other != axis]
        ring = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        if axis == 0:  # print on a side reads from the left, wherever the front is
            first, second = second, first
            ring = ring * (-sign, 1)
        face = np.zeros((4, 3))
        face[:, first], face[:, second], face[:, axis] = ring[:, 0], ring[:, 1], sign
        quad = ((face * sizes) @ axes.T)[:, :2] * scale
        _add_face(rng, sprite, quad.astype(np.float32), normal, (base, finish))


def _add_face(
    rng: np.random.Generator,
    sprite: Sprite,
    quad: Floats,
    normal: Floats,
    coat: tuple[Floats, Finish],
) -> None:
    base, finish = coat
    side = max(16, sprite.side // 2)
    x, y = grid(side, side)
    art = np.empty((side, side, 3), np.float32)
    art[:] = texture(rng, x, y) if rng.random() < 0.3 else relative(rng, base, 0.04)
    if rng.random() < 0.6:
        paper, ink = label(rng, x * np.float32(1.2), y * np.float32(1.2))
        art = mix(art, paper[..., :3], paper[..., 3] * float(rng.random() < 0.3))
        art = mix(art, ink[..., :3], ink[..., 3])
    source = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    target = ((quad + 1) * sprite.side / 2).astype(np.float32)
    warp = cv2.getPerspectiveTransform(source, target)
    size = (sprite.side, sprite.side)
    skin = cv2.warpPerspective(art, warp, size, borderMode=cv2.BORDER_REPLICATE)
    flat = np.broadcast_to(normal.astype(np.float32), skin.shape)
    sprite.paint(fill(sprite.side, quad), skin, finish, flat)


def ball(rng: np.random.Generator, sprite: Sprite) -> None:
    """A sphere or egg: ball, fruit, ornament."""
    x, y = sprite.grid
    a, b = (0.95, 0.95) if rng.random() < 0.6 else rng.uniform(0.6, 0.95, 2)
    nx, ny = x / np.float32(a), y / np.float32(b)
    radius = np.sqrt(nx * nx + ny * ny)
    shrink = 1 / np.maximum(radius, 1)
    nz = np.sqrt(np.maximum(0, 1 - radius * radius))
    normals = np.stack([nx * shrink, ny * shrink, nz], axis=-1).astype(np.float32)
    u, v = np.arctan2(normals[..., 0], nz + 1e-3), np.arcsin(np.clip(normals[..., 1], -1, 1))
    skin = texture(rng, u, v)
    sprite.paint(fill(sprite.side, ellipse((0, 0), (a, b))), skin, hard(rng), normals)
    if rng.random() < 0.3:
        stalk = leaf((0, 0.1 - b), 0.3, 0.02, rng.normal(0, 0.4), 0.5)
        sprite.paint(fill(sprite.side, stalk), colour(rng), Finish(0.03))


def glasses(rng: np.random.Generator, sprite: Sprite) -> None:
    """Spectacles: two rims, lenses you may see through, a bridge, temples."""
    tint, frame = colour(rng), Finish(0.03, 0.5)
    rx, ry = rng.uniform(0.28, 0.42), rng.uniform(0.2, 0.4)
    rim, power = rng.uniform(0.03, 0.12), rng.uniform(1.8, 4.5)
    apart = rx + rng.uniform(0.06, 0.14)
    _, y = sprite.grid
    tone = colour(rng)
    lens = mix(tone, relative(rng, tone, 0.2), y / np.float32(ry) + 0.5)
    see = float(rng.choice([0.15, 0.5, 0.8, 0.95]))
    for side in (-1, 1):
        outline = turn(ellipse((0, 0), (rx, ry), power), side * rng.uniform(-0.1, 0.1))
        outline = outline + np.array((side * apart, 0), np.float32)
        sprite.paint(fill(sprite.side, outline), lens, Finish(0.02, 0.3, see))
        sprite.paint(stroke(sprite.side, outline, rim, closed=True), tint, frame)
        away = side * (apart + rx)
        bend = [(away * 0.97, -ry * 0.4), (away * rng.uniform(0.8, 1.1), rng.uniform(-0.7, 0.3))]
        sprite.paint(stroke(sprite.side, np.clip(bend, -0.95, 0.95), rim * 0.8), tint, frame)
    bridge = smooth(
        [(rx - apart, -0.05), (0, -ry * rng.uniform(0.2, 0.8)), (apart - rx, -0.05)],
        2,
        closed=False,
    )
    sprite.paint(stroke(sprite.side, bridge, rim), tint, frame)


def chair(rng: np.random.Generator, sprite: Sprite) -> None:
    """A chair, stool, bench or table: thin legs and one or two slabs."""
    seat, wide = rng.uniform(-0.3, 0.3), rng.uniform(0.35, 0.85)
    leg, thin = colour(rng), rng.uniform(0.02, 0.1)
    splay = rng.uniform(-0.1, 0.2)
    for x in (-0.85, -0.5, 0.55, 0.85):
        foot = (x * (wide + splay), 0.95 if abs(x) > 0.6 else rng.uniform(0.75, 0.9))
        sprite.paint(
            stroke(sprite.side, [(x * wide, seat), foot], thin), leg, Finish(thin / 2, 0.3)
        )
    if rng.random() < 0.4:
        rung = [(-0.7 * wide, 0.5), (0.7 * wide, 0.5)]
        sprite.paint(stroke(sprite.side, rung, thin * 0.7), leg, Finish(thin / 2, 0.3))
    skin = texture(rng, *sprite.grid)
    if rng.random() < 0.65:
        back = smooth(
            mirror([(wide * rng.uniform(0.5, 1), -0.95), (wide * 0.95, seat)]),
            int(rng.integers(0, 4)),
        )
        hole = ellipse((0, (seat - 0.95) / 2), (wide * 0.5, (seat + 0.95) * 0.3), 3)
        outlines = (back, hole) if rng.random() < 0.3 else (back,)
        sprite.paint(fill(sprite.side, *outlines), skin, Finish(0.25, 0.15))
    slab = ellipse((0, seat), (wide, rng.uniform(0.06, 0.2)), rng.uniform(2, 6))
    sprite.paint(fill(sprite.side, slab), skin, Finish(0.1, 0.2))


def watch(rng: np.random.Generator, sprite: Sprite) -> None:
    """A watch with its strap, a clock, or a medal on a ribbon."""
    wide, face = rng.uniform(0.1, 0.22), rng.uniform(0.25, 0.45)
    strap = capsule((0, -0.85), (0, 0.85), (wide * 0.7, wide * 0.8))
    if rng.random() < 0.8:
        sprite.paint(fill(sprite.side, strap), texture(rng, *sprite.grid), hard(rng))
        for y in np.linspace(0.45, 0.85, 5):
            sprite.stick(fill(sprite.side, ellipse((0, y), (0.02, 0.02))), np.zeros(3, np.float32))
    power = float(rng.choice([2, 2, 2, 5]))
    case, metal = ellipse((0, 0), (face, face), power), colour(rng)
    sprite.paint(fill(sprite.side, case), metal, Finish(0.08, 0.7))
    sprite.paint(fill(sprite.side, case * 0.82), colour(rng), Finish(0.01, 0.1))
    ink = np.float32(1) - np.round(metal)
    for angle in np.arange(12) * np.pi / 6:
        tick = turn([(0, -face * 0.75), (0, -face * 0.65)], angle)
        sprite.stick(stroke(sprite.side, tick, 0.015), ink)
    for length, width in ((0.45, 0.03), (0.6, 0.02)):
        hand = turn([(0, 0), (0, -face * length)], rng.uniform(0, 2 * np.pi))
        sprite.stick(stroke(sprite.side, hand, width), ink)


def cable(rng: np.random.Generator, sprite: Sprite) -> None:
    """A cord, belt, necklace or cutlery: a long thin bent thing, with an end piece."""
    bend = rng.uniform(-0.85, 0.85, (int(rng.integers(2, 6)), 2))
    width = rng.uniform(0.03, 0.18)
    line, tint = smooth(bend, 4, closed=False), colour(rng)
    loop = rng.random() < 0.3
    sprite.paint(stroke(sprite.side, line, width, closed=loop), tint, Finish(width / 2, 0.3))
    if rng.random() < 0.7:
        along = float(np.arctan2(*(line[-1] - line[-2])[::-1]))
        plug = turn(ellipse((0, 0), (rng.uniform(0.1, 0.3), rng.uniform(0.08, 0.2)), 5), along)
        shape = fill(sprite.side, np.clip(plug + line[-1], -0.97, 0.97))
        sprite.paint(shape, texture(rng, *sprite.grid), hard(rng))


def device(rng: np.random.Generator, sprite: Sprite) -> None:
    """A phone, camera, speaker, remote or keyboard: a slab with things on it."""
    size = rng.uniform(0.35, 0.95, 2)
    power = rng.uniform(3, 12)
    body, dark = ellipse((0, 0), size, power), colour(rng)
    if rng.random() < 0.4:
        bump = rectangle((rng.uniform(-0.3, 0.3), -size[1]), (0.2, 0.12))
        sprite.paint(fill(sprite.side, np.clip(bump, -0.97, 0.97)), relative(rng, dark), hard(rng))
    sprite.paint(fill(sprite.side, body), texture(rng, *sprite.grid), hard(rng))
    kind = rng.random()
    if kind < 0.3:
        screen = texture(rng, *sprite.grid)
        sprite.paint(fill(sprite.side, body * rng.uniform(0.8, 0.93)), screen, Finish(0.01, 0.5))
    elif kind < 0.65:
        radius = min(size) * rng.uniform(0.4, 0.8)
        centre = rng.uniform(-1, 1, 2) * (size - radius)
        for ring in np.linspace(1, 0.25, rng.integers(2, 6)):
            circle = ellipse(centre, (radius * ring, radius * ring))
            sprite.paint(fill(sprite.side, circle), relative(rng, dark, 0.3), Finish(0.04, 0.7))
    else:
        keys = rng.integers(2, 7, 2)
        tint = colour(rng)
        for x in np.linspace(-0.8, 0.8, keys[0]) * size[0]:
            for y in np.linspace(-0.8, 0.8, keys[1]) * size[1]:
                key = ellipse((x, y), 0.6 * size / keys, 5)
                hue = tint if rng.random() < 0.8 else colour(rng)
                sprite.paint(fill(sprite.side, key), hue, Finish(0.05, 0.3))


def board(rng: np.random.Generator, sprite: Sprite) -> None:
    """A keyboard, palette or tray: rows of blocks on a plate, seen at a slant."""
    rows, columns = rng.integers(3, 7), rng.integers(4, 14)
    deep, far = rng.uniform(0.3, 0.75), rng.uniform(0.6, 1)
    corners = np.array([(-far, -deep), (far, -deep), (0.95, deep), (-0.95, deep)], np.float32)
    corners = turn(corners, rng.normal(0, 0.3)) * np.float32(0.85)
    unit = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    slant = cv2.getPerspectiveTransform(unit, corners.astype(np.float32))
    rise = np.array((0, rng.uniform(0.1, 0.6) * deep / rows), np.float32)
    plate, tones = colour(rng), [colour(rng) for _ in range(rng.integers(1, 6))]
    sprite.paint(fill(sprite.side, corners), plate, hard(rng))
    gap, gloss, common = rng.uniform(0.03, 0.12), rng.uniform(0, 0.5), rng.uniform(0.3, 1)
    for row in range(rows):
        for column in range(columns):
            cell = (np.array((column, row)) + gap + (1 - 2 * gap) * unit) / (columns, rows)
            foot = cv2.perspectiveTransform(cell.astype(np.float32)[None], slant)[0]
            tone = tones[0] if rng.random() < common else tones[rng.integers(len(tones))]
            wall = cv2.convexHull(np.concatenate([foot, foot - rise]))[:, 0]
            sprite.paint(fill(sprite.side, wall), tone * np.float32(0.55), Finish(0.01))
            sprite.paint(fill(sprite.side, foot - rise), tone, Finish(0.04, gloss))


def tool(rng: np.random.Generator, sprite: Sprite) -> None:
    """A hair dryer, drill, brush or pan: a barrel with a handle and trim."""
    y, thick = rng.uniform(-0.5, 0.2), rng.uniform(0.12, 0.4)
    joint = rng.uniform(-0.6, 0.3)
    finish, grip = hard(rng), texture(rng, *sprite.grid)
    end = (joint + rng.uniform(-0.3, 0.3), 0.85)
    handle = capsule(
        (joint, y), end, (thick * rng.uniform(0.3, 0.8), thick * rng.uniform(0.3, 0.7))
    )
    sprite.paint(fill(sprite.side, np.clip(handle, -0.98, 0.98)), grip, Finish(0.2, finish.gloss))
    barrel = capsule((-0.9 + thick, y), (0.6, y), (thick, thick * rng.uniform(0.4, 1)))
    body = grip if rng.random() < 0.6 else texture(rng, *sprite.grid)
    sprite.paint(fill(sprite.side, barrel), body, Finish(thick, finish.gloss))
    nose = rectangle((rng.uniform(0.6, 0.8), y), (0.15, thick * rng.uniform(0.3, 0.9)))
    sprite.paint(fill(sprite.side, nose), colour(rng), Finish(0.1, finish.gloss))


def ring(rng: np.random.Generator, sprite: Sprite) -> None:
    """A ring, bangle, tyre or wreath: a torus seen at an angle, perhaps with a stone."""
    x, y = sprite.grid
    squash, thick = rng.uniform(0.35, 1.0), rng.uniform(0.06, 0.3)
    outer = ellipse((0, 0.05), (0.9, 0.85 * squash))
    inner = ellipse((0, 0.05), (0.9 - thick, max(0.05, 0.85 * squash - thick)))
    height = np.sin(4 * np.arctan2(y, x)) * np.float32(sprite.side * 0.01)
    skin = texture(rng, np.arctan2(y, x), np.hypot(x, y))
    ripples = normals_of(height.astype(np.float32))
    shape = fill(sprite.side, outer, inner)
    surface = Finish(thick / 2, float(rng.choice([0.1, 0.8])))
    sprite.paint(shape, skin, surface, ripples if rng.random() < 0.2 else None)
    if rng.random() < 0.4:
        stone = blob(rng, 0.1) * rng.uniform(0.1, 0.25) + np.array([0, 0.1 - 0.85 * squash])
        sprite.paint(fill(sprite.side, np.clip(stone, -0.97, 0.97)), colour(rng), Finish(0.1, 0.9))


def headphones(rng: np.random.Generator, sprite: Sprite) -> None:
    """Headphones, a hairband or a horseshoe: an open arch with a thick end on either side."""
    wide, ends = rng.uniform(0.5, 0.75), rng.uniform(0.2, 0.6)
    angle = np.linspace(-ends, np.pi + ends, 40)
    arch = np.stack([np.cos(angle) * wide, -np.sin(angle) * 0.8 + 0.1], axis=1)
    width = rng.uniform(0.05, 0.14)
    finish, skin = hard(rng), texture(rng, *sprite.grid)
    sprite.paint(stroke(sprite.side, arch, width), skin, Finish(width / 2, finish.gloss))
    cup, pad, tint = rng.uniform((0.1, 0.2), (0.2, 0.38)), rng.uniform(0.5, 0.9), colour(rng)
    for side, end in ((1, arch[0]), (-1, arch[-1])):
        heart = np.clip(end - (side * cup[0] * 0.4, 0), cup - 0.97, 0.97 - cup)
        inner = ellipse(heart - (side * cup[0] * pad, 0), cup * 0.9, 2.5)
        sprite.paint(fill(sprite.side, inner), tint, Finish(0.15, 0.05))
        sprite.paint(fill(sprite.side, ellipse(heart, cup, 2.5)), skin, finish)


def cabinet(rng: np.random.Generator, sprite: Sprite) -> None:
    """A chest of drawers, shelf, speaker or stove: a front divided into fields, often on legs."""
    wide, high = rng.uniform(0.4, 0.95), rng.uniform(0.3, 0.85)
    skin, finish, tint = texture(rng, *sprite.grid), Finish(0.03, 0.2), colour(rng)
    for x in (-0.85, 0.85) if rng.random() < 0.7 else ():
        foot = [(x * wide, high), (x * wide * rng.uniform(0.9, 1.1), min(0.97, high + 0.2))]
        sprite.paint(stroke(sprite.side, foot, rng.uniform(0.04, 0.1)), tint, Finish(0.03, 0.3))
    sprite.paint(fill(sprite.side, rectangle((0, 0), (wide, high))), skin, finish)
    columns, rows = rng.integers(1, 4), rng.integers(1, 5)
    own, size = rng.random() < 0.3, np.array([wide / columns, high / rows])
    for x in (2 * np.arange(columns) + 1 - columns) * size[0]:
        for y in (2 * np.arange(rows) + 1 - rows) * size[1]:
            front = texture(rng, *sprite.grid) if own else skin
            field = rectangle((x, y), size - 0.03)
            sprite.paint(fill(sprite.side, field), front * np.float32(0.92), Finish(0.03, 0.2))
            knob = ellipse((x, y), (0.03, 0.03))
            sprite.paint(fill(sprite.side, knob), tint, Finish(0.03, 0.7))
