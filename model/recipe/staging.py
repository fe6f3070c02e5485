"""Objects put into the frame, back to front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import glyphs
import goods
import lathe
import numpy as np
import softgoods
import solids
import stock
from backdrops import Backdrop
from finishes import hang_tag, repaint
from numpy.typing import NDArray
from shapes import Floats
from sprites import Light, Sprite
from textures import fractal

Maker: TypeAlias = Callable[[np.random.Generator, Sprite], None]


def glyph_or_solid(rng: np.random.Generator, sprite: Sprite) -> None:
    """A glyph of an emoji font, or a solid where none is installed.

    Glyphs take their share from solids: scenes without them are the same on every machine.
    """
    font = glyphs.emoji_font()
    if font:
        glyphs.glyph(rng, sprite, font)
    else:
        solids.solid(rng, sprite)


MAKERS: tuple[tuple[Maker, float], ...] = (
    (lathe.bottle, 3), (lathe.mug, 3), (lathe.jar, 2), (lathe.vase, 1), (lathe.lamp, 1.5),
    (lathe.plant, 2), (goods.box, 4), (goods.ball, 1.2), (softgoods.cushion, 3),
    (softgoods.garment, 3), (softgoods.bag, 2.5), (softgoods.shoe, 3), (goods.glasses, 2),
    (goods.chair, 2), (goods.watch, 1.5), (goods.cable, 1), (goods.device, 2.5), (goods.tool, 2),
    (goods.board, 1.5), (softgoods.figure, 3), (softgoods.lump, 2.5), (softgoods.foliage, 1),
    (goods.ring, 0.8), (goods.headphones, 1.2), (goods.cabinet, 1.2), (softgoods.sofa, 1),
    (glyph_or_solid, 12), (solids.solid, 18),
)  # fmt: skip

IN_STOCK = 60.0
"""Weight of things cut out of pictures, where there are any, beside `MAKERS`."""

OBJECT_COUNTS = (0.03, 0.42, 0.27, 0.2, 0.08)
"""How often a scene has no, one, two, three or four objects."""

MATCHED = 0.2
"""How often a thing is pulled towards the colour of the one drawn before it, to be told by form."""

ON_TOP = 0.3
"""How often a heap is one large thing with small ones on it or before it."""

REPAINTED = 0.25
"""How often regions of an object have colours of their own: no edge of colour parts things."""

TAGGED = 0.16
"""How often a price tag or a card hangs on an object, and is a part of it."""

WHOLE = 0.88
"""How often an object is kept inside the frame."""

CUT_BY_FRAME = 0.4
"""How often a single large object reaches beyond the frame."""

LEAST_SEEN = 0.15
"""Share of an object that has to show for it to stay in the scene."""

LEAST_AREA = 0.004
"""Share of the frame that has to show it."""

BARELY_SEEN = 0.09
"""The same of an object in a stack, where most of what lies behind is hidden."""

STACKED_SEEN = 0.1, 0.85
"""Shares that show of the object that shows least in a stack, if a few tries find such a place."""

TRIES = 8

TOUCH = 0.001
"""Share of the frame in which two objects must overlap for one to hide the other."""

READING = 0.25
"""How much an object's place from left to right counts for its depth, beside its foot."""

Numbers: TypeAlias = NDArray[np.float64]
Pose: TypeAlias = Literal["standing", "hanging", "lying"]


@dataclass(frozen=True, eq=False)
class Placed:
    """One object in the frame: premultiplied (H, W, 4), and how it is held up."""

    pixels: Floats
    pose: Pose


@dataclass(frozen=True)
class Spot:
    """Where an object goes, in shares of the frame.

    `extent` is its longest side over the frame's shorter one, `angle` its rotation in radians;
    `x` and `y` are where its centre is, or its foot if it stands.
    """

    extent: float
    angle: float
    x: float
    y: float
    pose: Pose
    whole: bool


def arrange(rng: np.random.Generator, ground: Backdrop, light: Light) -> tuple[Placed, ...]:
    """Place objects back to front: on the floor, upright in the air, or flat on a surface."""
    count = int(rng.choice(len(OBJECT_COUNTS), p=OBJECT_COUNTS))
    objects = []
    for spot in lay_out(rng, count, ground.horizon):
        extent = spot.extent * min(ground.colour.shape[:2])
        sprite = bent(rng, draw_object(rng, extent, light.turned(spot.angle)))
        if rng.random() < 0.1:
            blend_in(sprite, cv2.mean(ground.colour)[:3], rng.uniform(0.4, 0.8))
        elif objects and objects[-1].pixels[..., 3].any() and rng.random() < MATCHED:
            match(sprite, mean_colour(objects[-1].pixels), rng.uniform(0.5, 1))
        objects.append(Placed(place(sprite, ground.colour.shape[:2], spot), spot.pose))
    return by_depth(noticeable(objects))


def one_large(rng: np.random.Generator, ground: Backdrop, light: Light) -> tuple[Placed, ...]:
    """Place one large object of many colours, as photos of a single product show it.

    Some are too large for the frame.
    """
    cut = bool(rng.random() < CUT_BY_FRAME)
    extent, size = rng.uniform(*((0.9, 1.5) if cut else (0.6, 0.95))), ground.colour.shape[:2]
    sprite = draw_object(rng, extent * min(size), light)
    repaint(rng, sprite)
    x, y = rng.normal(0.5, 0.2 if cut else 0.05, 2)
    spot = Spot(extent, rng.normal(0, 0.1), x, y, "hanging", whole=not cut)
    return noticeable([Placed(place(sprite, size, spot), spot.pose)])


def stacked(rng: np.random.Generator, ground: Backdrop, light: Light) -> tuple[Placed, ...]:
    """Place two or three objects of about one size, back to front, that hide much of each other.

    What shows of one behind another may be a corner, or two ends of it on either side.
    """
    size, common = ground.colour.shape[:2], rng.uniform(0.36, 0.66)
    pose, centre = draw_pose(rng, ground.horizon), rng.normal(0.5, 0.07, 2)
    objects: list[Placed] = []
    for _ in range(int(rng.choice((2, 3), p=(0.55, 0.45)))):
        extent, angle = common * rng.uniform(0.75, 1.25), draw_angle(rng, pose)
        sprite = bent(rng, draw_object(rng, extent * min(size), light.turned(angle)))
        if objects and rng.random() < MATCHED:
            match(sprite, mean_colour(objects[-1].pixels), rng.uniform(0.5, 1))
        for _ in range(TRIES):
            x, y = centre + rng.normal(0, 0.13, 2)
            y = max(y, 0.5) + 0.35 * extent if pose == "standing" else y
            spot = Spot(extent, angle, x, y, pose, whole=True)
            item = Placed(place(sprite, size, spot), pose)
            if not objects or STACKED_SEEN[0] < least_seen([*objects, item]) < STACKED_SEEN[1]:
                break
        objects.append(item)
    return noticeable(objects, BARELY_SEEN)


def least_seen(objects: Sequence[Placed]) -> float:
    """Return the share that shows of the object that shows least, of those back to front."""
    clear, least = np.ones_like(objects[0].pixels[..., 3]), 1.0
    for item in reversed(objects):
        alpha = item.pixels[..., 3]
        least = min(least, float((alpha * clear).sum()) / max(float(alpha.sum()), 1.0))
        clear = clear * (1 - alpha)
    return least


def lay_out(rng: np.random.Generator, count: int, horizon: float | None) -> list[Spot]:
    """Return places for objects, back to front: one alone, a heap, a row or a loose group."""
    pose = draw_pose(rng, horizon)
    sizes, centres = group(rng, count)
    if pose == "standing":
        floor = max(horizon or 0, 0.5) + 0.08
        centres[:, 1] = floor + (0.97 - floor) * (np.arange(count) + rng.random(count)) / count
    spots = []
    for size, (x, y) in zip(sizes, centres, strict=True):
        angle = draw_angle(rng, pose)
        spots.append(Spot(size, angle, x, y, pose, whole=bool(rng.random() < WHOLE)))
    return spots


def draw_pose(rng: np.random.Generator, horizon: float | None) -> Pose:
    """Return how objects are held up: where there is a floor, half of them stand."""
    pose: Pose = "hanging" if rng.random() < 0.7 else "lying"
    if horizon is not None and rng.random() < 0.5:
        pose = "standing"
    return pose


def draw_angle(rng: np.random.Generator, pose: Pose) -> float:
    """Return how far an object is turned, in radians."""
    upright = rng.normal(0, 0.04) if rng.random() < 0.8 else rng.normal(0, 0.5)
    angle = {"standing": upright / 4, "hanging": upright, "lying": rng.uniform(-3.1, 3.1)}
    return angle[pose]


def group(rng: np.random.Generator, count: int) -> tuple[Numbers, Numbers]:
    """Return sizes and centres (count, 2) of objects, in shares of the frame."""
    if count < 2:
        return rng.uniform(0.35, 0.95, count), rng.normal(0.5, 0.08, (count, 2))
    sizes = rng.uniform(0.5, 0.85) * (1 - 0.08 * (count - 1)) * rng.uniform(0.7, 1.15, count)
    kind = rng.random()
    if kind < 0.6 * ON_TOP:
        sizes[1:] *= rng.uniform(0.35, 0.7, count - 1)
        return sizes, rng.normal(0.5, 0.25 * sizes[0], (count, 2))
    if kind < 0.6:
        return sizes, rng.normal(0.5, rng.uniform(0.07, 0.15), (count, 2))
    centres = rng.normal(0.5, 0.22, (count, 2))
    if kind < 0.8:
        row = np.linspace(0.5 - 0.13 * count, 0.5 + 0.13 * count, count + 2)[1:-1]
        centres = np.stack([rng.permutation(row), np.full(count, 0.5)], axis=1)
        centres += rng.normal(0, 0.035, (count, 2))
    return sizes * 0.75, centres


def by_depth(objects: tuple[Placed, ...]) -> tuple[Placed, ...]:
    """Return objects back to front, in the one order that the picture shows.

    What hides another thing stays above it. Otherwise the higher foot is farther away, and of two
    that stand side by side the left one comes first.
    """
    waiting, ordered = list(objects), []
    while waiting:
        free = [
            item
            for place, item in enumerate(waiting)
            if not any(hides(item, below) for below in waiting[:place])
        ]
        farthest = min(free, key=nearness)
        waiting.remove(farthest)
        ordered.append(farthest)
    return tuple(ordered)


def hides(above: Placed, below: Placed) -> bool:
    """Whether two objects overlap."""
    shared = (above.pixels[..., 3] * below.pixels[..., 3]).sum()
    return bool(shared > TOUCH * above.pixels[..., 3].size)


def nearness(item: Placed) -> float:
    """Return how near an object looks by its place: mostly its foot, a little from the left."""
    height, width = item.pixels.shape[:2]
    left, top, across, down = cv2.boundingRect((item.pixels[..., 3] > 0.2).astype(np.uint8))
    return float((top + down) / height + READING * (left + across / 2) / width)


def noticeable(objects: list[Placed], least: float = LEAST_SEEN) -> tuple[Placed, ...]:
    """Leave out what is hidden or out of view: nobody could tell that it is there.

    Of the others at least such a share shows.
    """
    clear, kept = np.ones_like(objects[0].pixels[..., 3]) if objects else np.ones(0), []
    for item in reversed(objects):
        alpha = item.pixels[..., 3]
        seen = float((alpha * clear).sum())
        if seen > max(least * float(alpha.sum()), LEAST_AREA * alpha.size):
            kept.append(item)
            clear = clear * (1 - alpha)
    return tuple(reversed(kept))


def showing(field: Floats, objects: tuple[Placed, ...]) -> float:
    """Return the mean over the frame of a field (H, W) where no object covers it."""
    for item in objects:
        field = field * (1 - item.pixels[..., 3])
    return float(field.mean())


def makers_here() -> tuple[tuple[Maker, float], ...]:
    """Return what draws objects on this machine, and how often."""
    return (*MAKERS, (stock.cut_out, IN_STOCK)) if stock.stock() else MAKERS


def draw_object(rng: np.random.Generator, extent: float, light: Light) -> Sprite:
    """Return a random object on a patch half as large again as it will be in the frame."""
    makers, weights = zip(*makers_here(), strict=True)
    make: Maker = makers[rng.choice(len(makers), p=np.array(weights) / sum(weights))]
    sprite = Sprite.blank(int(np.clip(round(1.5 * extent), 32, 1600)), light)
    make(rng, sprite)
    if rng.random() < REPAINTED:
        repaint(rng, sprite)
    if rng.random() < TAGGED:
        hang_tag(rng, sprite)
    return sprite


def bent(rng: np.random.Generator, sprite: Sprite) -> Sprite:
    """Return the sprite stretched, bent softly or made shaggy, so no two are the same solid."""
    x, y = sprite.grid
    flow_x, flow_y = x * np.float32(np.exp(abs(rng.normal(0, 0.15)))), y
    for cells, strength, chance in ((2.5, 0.04, 0.35), (40, 0.012, 0.1)):
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


def match(sprite: Sprite, wanted: Floats, share: float) -> None:
    """Move an object's mean colour towards another one; its pattern stays if nothing is clipped."""
    colour, alpha = sprite.pixels[..., :3], sprite.pixels[..., 3:]
    colour += (wanted - mean_colour(sprite.pixels)) * alpha * np.float32(share)
    np.clip(colour, 0, alpha, out=colour)


def mean_colour(pixels: Floats) -> Floats:
    """Return the mean colour (3,) of what shows in premultiplied pixels."""
    total = pixels.sum(axis=(0, 1))
    mean: Floats = total[:3] / np.maximum(total[3], np.float32(1e-3))
    return mean


def place(sprite: Sprite, size: tuple[int, int], spot: Spot) -> Floats:
    """Return the sprite warped into a frame of (height, width): premultiplied (H, W, 4)."""
    height, width = size
    seen = (sprite.pixels[..., 3] > 0.05).astype(np.uint8)
    left, top, across, down = cv2.boundingRect(seen)
    scale = spot.extent * min(size) / max(across, down, 1)
    warp = cv2.getRotationMatrix2D(
        (left + across / 2, top + down / 2), -np.degrees(spot.angle), scale
    )
    cos, sin = abs(np.cos(spot.angle)) * scale / 2, abs(np.sin(spot.angle)) * scale / 2
    reach = across * cos + down * sin, across * sin + down * cos
    x, y = spot.x * width, spot.y * height - (reach[1] if spot.pose == "standing" else 0)
    if spot.whole:
        x, y = inside(x, reach[0], width), inside(y, reach[1], height)
    warp[:, 2] += x - left - across / 2, y - top - down / 2
    pixels = sprite.pixels
    if scale < 0.45:
        pixels = cv2.blur(pixels, (3, 3))
    warped: Floats = cv2.warpAffine(pixels, warp, (width, height), flags=cv2.INTER_LINEAR)
    return warped


def inside(centre: float, reach: float, room: float) -> float:
    """Return the centre moved so that `reach` to both sides stays in the frame, if it fits."""
    margin = min(reach + 0.02 * room, room / 2)
    return min(max(centre, margin), room - margin)
