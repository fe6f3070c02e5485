"""What stands behind products: paper, gradients, walls, floors, materials, blurred rooms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from materials import Size, blurred, lit_unevenly, material, paper_colour, plaster
from places import indoors, outdoors
from shapes import Floats, grid
from textures import colour, edge, fractal, mix, patches, relative


@dataclass(frozen=True)
class Backdrop:
    """`colour` is (H, W, 3) in [0, 1]; things stand below `horizon`, a share of the height.

    None: there is no floor, the camera looks straight at a wall or down onto a surface.
    """

    colour: Floats
    horizon: float | None


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


def place(rng: np.random.Generator, size: Size) -> Backdrop:
    """A furnished room, a street or a landscape; sharp, or out of focus as behind a product."""
    make = indoors if rng.random() < 0.7 else outdoors
    field, horizon = make(rng, size)
    focus = rng.random()
    if focus < 0.6:
        field = blurred(field, rng.uniform(0.002, 0.006 if focus < 0.3 else 0.025))
    if rng.random() < 0.15:
        return Backdrop(on_table(rng, field, horizon), horizon)
    return Backdrop(lit_unevenly(rng, field), horizon)


def on_table(rng: np.random.Generator, field: Floats, horizon: float) -> Floats:
    """Put a table top before a scene that is out of focus."""
    _, y = grid(*field.shape[:2])
    table = lit_unevenly(rng, material(rng, (field.shape[0], field.shape[1])))
    middle = (horizon - 0.5) * 2 * float(y[-1, 0])
    below = edge(y - np.float32(middle), rng.uniform(0.01, 0.03))
    return mix(blurred(field, rng.uniform(0.01, 0.04)), table, below)


BACKDROPS: tuple[tuple[Callable[[np.random.Generator, Size], Backdrop], float], ...] = (
    (studio, 0.26), (paper, 0.11), (seamless, 0.10), (surface, 0.09), (wall_and_floor, 0.12),
    (place, 0.29), (bokeh, 0.03),
)  # fmt: skip


def backdrop(rng: np.random.Generator, size: Size) -> Backdrop:
    """Return a random backdrop of (height, width) pixels."""
    makers, shares = zip(*BACKDROPS, strict=True)
    drawn: Backdrop = makers[rng.choice(len(makers), p=shares)](rng, size)
    return Backdrop(np.clip(drawn.colour, 0, 1).astype(np.float32), drawn.horizon)
