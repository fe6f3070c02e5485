"""Everything that is not turned on a lathe: boxes, cushions, clothes, shoes, chairs, glasses."""

from __future__ import annotations

import cv2
import numpy as np
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
)  # fmt: skip
from sprites import Finish, Sprite, normals_of
from textures import colour, fractal, mix, relative, texture


def hard(rng: np.random.Generator) -> Finish:
    """Return a random surface with narrow rounded edges."""
    return Finish(rng.uniform(0.02, 0.15), float(rng.choice([0.02, 0.15, 0.4, 0.7])))


def soft(rng: np.random.Generator) -> Finish:
    """Return a random cloth-like surface: wide roundness, creases, no gloss."""
    return Finish(rng.uniform(0.15, 0.5), 0.02, creases=rng.uniform(0.2, 1.2))


def box(rng: np.random.Generator, sprite: Sprite) -> None:
    """A carton, book, tin or parcel: two or three visible faces, printed."""
    sizes = rng.uniform(0.2, 1.0, 3)
    yaw, pitch = rng.uniform(-0.8, 0.8), rng.uniform(0, 0.6)
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
        if axis == 0:
            first, second = second, first
        ring = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
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


def motif(
    rng: np.random.Generator, sprite: Sprite, chance: float, centre: tuple[float, float]
) -> None:
    """Print writing, a blob or a line drawing on what is there."""
    if rng.random() > chance:
        return
    size = np.float32(rng.uniform(0.2, 0.55))
    x, y = sprite.grid
    kind = rng.random()
    if kind < 0.4:
        _, ink = label(rng, (x - centre[0]) / size, (y - centre[1]) / size)
        sprite.stick((ink[..., 3] * 255).astype(np.uint8), ink[..., :3])
    elif kind < 0.7:
        sprite.stick(fill(sprite.side, blob(rng, 0.3) * size + centre), colour(rng))
    else:
        tint, width = colour(rng), rng.uniform(0.01, 0.04)
        for _ in range(rng.integers(2, 6)):
            line = smooth(rng.uniform(-1, 1, (5, 2)) * size + centre, 2, closed=False)
            sprite.stick(stroke(sprite.side, line, width), tint)


def garment(rng: np.random.Generator, sprite: Sprite) -> None:
    """A shirt, dress, vest or hoodie laid flat or hanging."""
    sleeve, hem = rng.uniform(0.1, 0.95), rng.uniform(0.4, 0.95)
    chest, waist = rng.uniform(0.35, 0.5), rng.uniform(0.3, 0.65)
    cuff = (chest + sleeve * rng.uniform(0.3, 0.55), -0.75 + sleeve * rng.uniform(0.5, 1.5))
    half = [
        (0, rng.uniform(-0.85, -0.7)), (0.16, -0.92), (chest + 0.05, -0.78), cuff,
        (cuff[0] - 0.16, cuff[1] + 0.1), (chest, -0.4 + 0.1 * sleeve), (waist, hem), (0, hem + 0.03),
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
        (-0.9, 0.45), (-0.95, 0.2), (-0.88, shaft), (ankle, shaft + rng.uniform(-0.05, 0.1)),
        (ankle + 0.15, 0.05), (0.4, toe - 0.05), (0.85, toe + 0.05), (0.95, 0.5),
    ]  # fmt: skip
    body = fill(sprite.side, smooth(upper, 3))
    sprite.paint(body, texture(rng, *sprite.grid), Finish(rng.uniform(0.2, 0.5), 0.15, creases=0.3))
    lining = ellipse(((-0.86 + ankle) / 2, shaft + 0.07), ((ankle + 0.8) / 2, 0.06))
    sprite.stick(fill(sprite.side, lining), np.full(3, rng.uniform(0.05, 0.6), np.float32))
    for step in np.linspace(0.1, 0.9, rng.integers(0, 7)):
        x, y = ankle + step * 0.5, shaft + step * (toe - shaft)
        lace = [(x - 0.08, y + 0.02), (x + 0.05, y + 0.1)]
        sprite.paint(stroke(sprite.side, lace, 0.04), colour(rng), Finish(0.02))
    stripe = smooth([(-0.5, 0.4), (-0.1, rng.uniform(0, 0.3)), (0.3, 0.4)], 2, closed=False)
    if rng.random() < 0.5:
        sprite.stick(stroke(sprite.side, stripe, rng.uniform(0.03, 0.12)), colour(rng))
    thick = rng.uniform(0.06, 0.16)
    sole = [(-0.92, 0.42), (0.0, 0.45 - heel / 3), (0.95, 0.42), (0.9, 0.42 + thick),
            (0.1, 0.44 + thick - heel / 2), (-0.3, 0.45 + thick), (-0.9, 0.45 + thick + heel)]  # fmt: skip
    sprite.paint(fill(sprite.side, smooth(sole, 2)), colour(rng), hard(rng))


def glasses(rng: np.random.Generator, sprite: Sprite) -> None:
    """Spectacles: two rims, lenses you may see through, a bridge, temples."""
    tint, frame = colour(rng), Finish(0.03, 0.5)
    rx, ry = rng.uniform(0.28, 0.42), rng.uniform(0.2, 0.4)
    rim, power = rng.uniform(0.03, 0.12), rng.uniform(1.8, 4.5)
    apart = rx + rng.uniform(0.06, 0.14)
    x, y = sprite.grid
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


def figure(rng: np.random.Generator, sprite: Sprite) -> None:
    """A toy animal, statue or bouquet: many rounded lumps that overlap."""
    coat = texture(rng, *sprite.grid)
    shaggy = fractal(rng, (sprite.side, sprite.side), 40, 2)[..., None] * np.float32(0.1)
    coat = np.clip(coat * (1 + shaggy), 0, 1) if rng.random() < 0.5 else coat
    rounded = rng.random() < 0.5
    for _ in range(rng.integers(3, 9)):
        centre, radii = rng.normal(0, 0.35, 2), rng.uniform(0.12, 0.5, 2)
        lump = turn(ellipse((0, 0), radii), rng.uniform(0, np.pi)) + centre
        skin = coat if rng.random() < 0.7 else colour(rng)
        roundness = float(radii.min()) if rounded else 0.1
        sprite.paint(fill(sprite.side, np.clip(lump, -0.97, 0.97)), skin, Finish(roundness, 0.05))


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
