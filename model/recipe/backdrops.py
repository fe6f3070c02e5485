"""What stands behind products: paper, gradients, walls, floors, materials, blurred rooms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from shapes import Floats, grid
from textures import (
    colour,
    edge,
    fabric,
    fractal,
    marble,
    mix,
    mottled,
    patches,
    relative,
    shaded,
    wood,
)


@dataclass(frozen=True)
class Backdrop:
    """`colour` is (H, W, 3) in [0, 1]; things stand below `horizon`, a share of the height.

    None: there is no floor, the camera looks straight at a wall or down onto a surface.
    """

    colour: Floats
    horizon: float | None


Size: TypeAlias = tuple[int, int]
Material: TypeAlias = Callable[[np.random.Generator, Size], Floats]


def paper_colour(rng: np.random.Generator) -> Floats:
    """Return a studio colour: near-white more often than not."""
    kind = rng.random()
    if kind < 0.4:
        return np.clip(rng.uniform(0.8, 1.0) + rng.normal(0, 0.015, 3), 0, 1).astype(np.float32)
    if kind < 0.55:
        return np.clip(rng.uniform(0.3, 0.8) + rng.normal(0, 0.02, 3), 0, 1).astype(np.float32)
    return colour(rng)


def lit_unevenly(rng: np.random.Generator, field: Floats) -> Floats:
    """Darken a field away from a lamp and towards its corners."""
    x, y = grid(*field.shape[:2])
    lamp_x, lamp_y = rng.uniform((-0.8, -0.9), (0.8, 0.5))
    away = (x - np.float32(lamp_x)) ** 2 + (y - np.float32(lamp_y)) ** 2
    fall = np.exp(-away * np.float32(0.3 * rng.random() ** 3))
    vignette = 1 - np.float32(0.25 * rng.random() ** 3) * (x * x + y * y)
    return field * (fall * vignette)[..., None]


def studio(rng: np.random.Generator, size: Size) -> Backdrop:
    """A plain or graded studio background."""
    x, y = grid(*size)
    base = paper_colour(rng)
    other = relative(rng, base, 0.12) if rng.random() < 0.8 else paper_colour(rng)
    angle = rng.uniform(0, 2 * np.pi)
    ramp = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    if rng.random() < 0.4:
        ramp = np.hypot(x - np.float32(rng.uniform(-0.5, 0.5)), y) * np.float32(1.6) - 1
    field = mix(base, other, ramp * np.float32(0.5) + 0.5)
    return Backdrop(lit_unevenly(rng, field), None if rng.random() < 0.5 else 0.35)


def paper(rng: np.random.Generator, size: Size) -> Backdrop:
    """One flat colour, at times with a faint texture or a second sheet."""
    field = np.broadcast_to(paper_colour(rng), (*size, 3))
    if rng.random() < 0.3:
        field = field * (1 + fractal(rng, size, 30, 3)[..., None] * np.float32(0.015))
    if rng.random() < 0.25:
        x, y = grid(*size)
        angle = rng.uniform(0, 2 * np.pi)
        cut = (
            x * np.float32(np.cos(angle))
            + y * np.float32(np.sin(angle))
            + np.float32(rng.uniform(-0.4, 0.4))
        )
        field = mix(field, paper_colour(rng), edge(cut, 0.01))
    return Backdrop(field, None)


def seamless(rng: np.random.Generator, size: Size) -> Backdrop:
    """Seamless paper that sweeps from wall to floor."""
    _, y = grid(*size)
    horizon = rng.uniform(0.35, 0.75)
    middle = (horizon - 0.5) * 2 * float(y[-1, 0])
    wall = paper_colour(rng)
    floor = relative(rng, wall, 0.12)
    field = mix(wall, floor, edge(y - np.float32(middle), rng.uniform(0.02, 0.6)))
    return Backdrop(lit_unevenly(rng, field), horizon)


def planks(rng: np.random.Generator, size: Size) -> Floats:
    """Boards of wood with joints."""
    x, y = grid(*size)
    if rng.random() < 0.5:
        x, y = y, x
    boards = np.float32(rng.uniform(1.5, 6))
    field = wood(rng, x, y)
    number = np.floor(y * boards).astype(np.int64) + 32
    tones = rng.normal(1, 0.08, 80).astype(np.float32)
    joint = np.abs((y * boards) % 1 - 0.5) - np.float32(0.485)
    return shaded(field, tones[number] * (1 - 0.6 * edge(joint, 0.02)) - 1)


def tiles(rng: np.random.Generator, size: Size) -> Floats:
    """Square or brick-laid tiles with grout."""
    x, y = grid(*size)
    count = np.float32(rng.uniform(1.5, 7))
    rows = y * count
    columns = x * count * np.float32(rng.choice([1, 0.5]))
    if rng.random() < 0.5:
        columns = columns + np.floor(rows) * np.float32(0.5)
    gap = np.maximum(np.abs(rows % 1 - 0.5), np.abs(columns % 1 - 0.5))
    base = paper_colour(rng)
    tones = rng.normal(1, 0.04, (64, 64)).astype(np.float32)
    tone = tones[np.floor(rows).astype(np.int64) % 64, np.floor(columns).astype(np.int64) % 64]
    face = base * (tone * (1 + fractal(rng, size, 6, 3) * np.float32(0.03)))[..., None]
    return mix(face, relative(rng, base, 0.25), edge(gap - np.float32(0.48), 0.02))


def grass(rng: np.random.Generator, size: Size) -> Floats:
    """Lawn, carpet, fur or gravel: strong fine noise."""
    base = colour(rng)
    noise = fractal(rng, size, rng.uniform(25, 60), 3) + fractal(rng, size, 3, 2)
    return base * (1 + noise[..., None] * np.float32(rng.uniform(0.1, 0.4)))


def plaster(rng: np.random.Generator, size: Size) -> Floats:
    """A painted wall."""
    noise = fractal(rng, size, rng.uniform(1, 8), 5)[..., None]
    return paper_colour(rng) * (1 + noise * np.float32(rng.uniform(0, 0.06)))


def cloth(rng: np.random.Generator, size: Size) -> Floats:
    """A spread cloth with soft folds."""
    folds = fractal(rng, size, rng.uniform(1, 4), 3)[..., None]
    return fabric(rng, *grid(*size)) * (1 + folds * np.float32(rng.uniform(0.02, 0.15)))


def stone(rng: np.random.Generator, size: Size) -> Floats:
    """Marble or mottled stone."""
    make = marble if rng.random() < 0.5 else mottled
    return make(rng, *grid(*size))


MATERIALS: tuple[Material, ...] = (planks, planks, tiles, grass, plaster, plaster, cloth, stone)


def material(rng: np.random.Generator, size: Size) -> Floats:
    """Return a random flat material seen straight on: (H, W, 3)."""
    make: Material = MATERIALS[rng.integers(len(MATERIALS))]
    return np.clip(make(rng, size), 0, 1).astype(np.float32)


def surface(rng: np.random.Generator, size: Size) -> Backdrop:
    """A material filling the frame: a table from above, a wall from the front."""
    return Backdrop(lit_unevenly(rng, material(rng, size)), None)


def wall_and_floor(rng: np.random.Generator, size: Size) -> Backdrop:
    """A wall that meets a floor or table in perspective; either may be out of focus."""
    height, width = size
    horizon = rng.uniform(0.3, 0.8)
    line = round(horizon * height)
    wall = plaster(rng, size) if rng.random() < 0.6 else material(rng, size)
    floor = material(rng, size) if rng.random() < 0.7 else plaster(rng, size)
    narrow = rng.uniform(0.1, 0.45) * width
    source = np.array([[narrow, 0], [width - narrow, 0], [width, height], [0, height]], np.float32)
    low = height * (1 + rng.uniform(0, 0.4))
    reach = np.array([[0, line], [width, line], [width, low], [0, low]], np.float32)
    warp = cv2.getPerspectiveTransform(source, reach)
    floor = cv2.warpPerspective(
        floor.astype(np.float32),
        warp,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    if rng.random() < 0.5:
        wall = blurred(wall, rng.uniform(0.002, 0.04))
    _, y = grid(*size)
    middle = (horizon - 0.5) * 2 * float(y[-1, 0])
    below = edge(y - np.float32(middle), float(rng.choice([0.01, 0.02, 0.06])))
    gloom = np.exp(-np.abs(y - middle) * 12) * np.float32(rng.uniform(0, 0.3))
    field = mix(np.asarray(wall, np.float32), floor, below) * (1 - gloom[..., None])
    return Backdrop(lit_unevenly(rng, field), horizon)


def blurred(field: Floats, share: float) -> Floats:
    """Defocus by `share` of the longer side; wide blurs are worked out small."""
    height, width = field.shape[:2]
    sigma = share * max(height, width)
    factor = max(1, int(sigma / 3))
    size = (max(2, width // factor), max(2, height // factor))
    small = cv2.resize(np.asarray(field, np.float32), size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.3, sigma / factor), borderType=cv2.BORDER_REFLECT)
    defocused: Floats = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return defocused


def room(rng: np.random.Generator, size: Size) -> Backdrop:
    """A furnished room out of focus, with a floor or table in front of it."""
    height, width = size
    field = np.ascontiguousarray(plaster(rng, size), np.float32)
    horizon = rng.uniform(0.4, 0.85)
    for _ in range(rng.integers(4, 14)):
        w, h = rng.uniform(0.05, 0.5, 2) * (width, height)
        x, y = rng.uniform(-0.1, 1, 2) * (width, horizon * height)
        if rng.random() < 0.5:
            y = horizon * height - h
        tint = np.ones(3) if rng.random() < 0.2 else colour(rng) * rng.uniform(0.4, 1)
        corner, opposite = (round(x), round(y)), (round(x + w), round(y + h))
        cv2.rectangle(field, corner, opposite, [float(c) for c in tint], -1)
    field = blurred(field, rng.uniform(0.004, 0.04))
    if rng.random() < 0.7:
        floor = material(rng, size)
        if rng.random() < 0.6:
            floor = blurred(floor, rng.uniform(0.002, 0.01))
        _, y = grid(*size)
        middle = (horizon - 0.5) * 2 * float(y[-1, 0])
        field = mix(field, floor, edge(y - np.float32(middle), rng.uniform(0.01, 0.08)))
    return Backdrop(lit_unevenly(rng, field), horizon)


def bokeh(rng: np.random.Generator, size: Size) -> Backdrop:
    """Lights far out of focus."""
    height, width = size
    field = np.ascontiguousarray(blurred(patches(rng, *grid(*size)), 0.08), np.float32)
    field *= np.float32(rng.uniform(0.15, 0.9))
    discs = np.zeros_like(field)
    for _ in range(rng.integers(5, 30)):
        centre = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        radius = max(1, round(rng.uniform(0.01, 0.07) * max(size)))
        glow = (0.4 + 0.6 * colour(rng)) * rng.uniform(0.1, 0.7)
        cv2.circle(discs, centre, radius, [float(c) for c in glow], -1, cv2.LINE_AA)
    return Backdrop(field + blurred(discs, 0.006), None if rng.random() < 0.5 else 0.5)


BACKDROPS: tuple[tuple[Callable[[np.random.Generator, Size], Backdrop], float], ...] = (
    (studio, 0.34), (paper, 0.08), (seamless, 0.12), (surface, 0.12), (wall_and_floor, 0.16),
    (room, 0.14), (bokeh, 0.04),
)  # fmt: skip


def backdrop(rng: np.random.Generator, size: Size) -> Backdrop:
    """Return a random backdrop of (height, width) pixels."""
    makers, shares = zip(*BACKDROPS, strict=True)
    drawn: Backdrop = makers[rng.choice(len(makers), p=shares)](rng, size)
    return Backdrop(np.clip(drawn.colour, 0, 1).astype(np.float32), drawn.horizon)
