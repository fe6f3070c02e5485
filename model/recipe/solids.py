"""Products as solids, photographed by marching rays through distances; hundreds at once on a GPU.

A camera with a long lens looks at every solid. Rays go on by the distance to the nearest part
until they arrive; a first round sends one wide ray for each block of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch
from distances import CLEAR, FAR, Cast, Field, rotation
from moulds import MOULDS
from shapes import Floats
from sprites import Light, Sprite
from studio import Coat, Lamps, Surface, artwork, coated, shade
from torch import Tensor
from torch.nn import functional as F

STEPS = 3
"""Steps that rays march between two times that those which have arrived are put aside."""

LEGS = 8
COARSE = 4
"""Side in pixels of the blocks that are marched first."""

ARRIVED = 0.05
"""Share of a pixel between a ray and a surface at which it is there."""

SHARE, LEAST = 0.66, 0.4
"""Side of a picture over that of the patch that it is enlarged to: of small ones, and of large."""

SMALL = 144
"""Side in pixels up to which pictures count as small: training sees no others."""

NO_PRINT: Floats = np.zeros((4, 2, 2), np.float32)


@dataclass(frozen=True, eq=False)
class Solid:
    """One product: what was cast, its coats, its `turn` (3, 3) before the camera, and its print.

    `lens` is how far away the camera is, in halves of the width it sees. `decal` (4, T, T) is
    premultiplied.
    """

    cast: Cast
    coats: tuple[Coat, ...]
    turn: Floats = field(default_factory=lambda: np.eye(3, dtype=np.float32))
    lens: float = 8.0
    decal: Floats = field(default_factory=lambda: NO_PRINT)

    def frame(self) -> tuple[float, ...]:
        """Return the point to look at, half the width to see, and the depths that hold it all."""
        whole = [part for part in self.cast.parts if not part.cuts]
        centres = np.array([self.turn @ np.array(part.at) for part in whole])
        reaches = np.array([part.extent(self.turn) for part in whole])
        low, high = (centres - reaches).min(0), (centres + reaches).max(0)
        middle, half = (low + high) / 2, (high - low) / 2
        # What is nearer than the middle looks larger.
        reach = max(half[0], half[1]) / 0.95 + half[2] / self.lens
        camera = reach * self.lens
        return (*middle, reach, camera - half[2] * 1.02, (camera + half[2]) * 1.02)


@dataclass(frozen=True, eq=False)
class Solids:
    """B solids, each before its camera; coats are padded to the same M.

    `turn` (B, 3, 3) takes a solid's space to its camera's. `target` (B, 3, 1) is looked at from
    `lens` (B, 1) times `reach` (B, 1), half the width that is seen; the solid lies within `depth`
    (B, 2). `colours` is (B, M, 2, 3), `waves` (B, M, 3, 5), `finish` (B, M, 5) as `Coat` has them.
    `decal` (B, 4, T, T) is put where `place` (B, 5) says, as in `Cast`.
    """

    field: Field
    turn: Tensor
    target: Tensor
    reach: Tensor
    lens: Tensor
    depth: Tensor
    colours: Tensor
    waves: Tensor
    finish: Tensor
    decal: Tensor
    place: Tensor

    @classmethod
    def of(cls, solids: Sequence[Solid], device: torch.device | str = "cpu") -> Solids:
        """Return solids as one batch on a device."""
        device, frames = torch.device(device), np.array([solid.frame() for solid in solids])
        most = max(len(solid.coats) for solid in solids)
        coats = [(solid.coats + solid.coats[:1] * most)[:most] for solid in solids]
        size = max(solid.decal.shape[1] for solid in solids)
        columns = (
            [solid.turn for solid in solids],
            frames[:, :3, None],
            frames[:, 3:4],
            [[solid.lens] for solid in solids],
            frames[:, 4:],
            [[(coat.colour, coat.second) for coat in row] for row in coats],
            [[coat.pattern[0] for coat in row] for row in coats],
            [[coat.finish for coat in row] for row in coats],
            [solid.decal if solid.decal.any() else np.zeros((4, size, size)) for solid in solids],
            [solid.cast.print_at for solid in solids],
        )
        casts = [solid.cast for solid in solids]
        parts = Field.of([cast.parts for cast in casts], [cast.melt for cast in casts], device)
        arrays = (np.array(column, np.float32) for column in columns)
        return cls(parts, *(torch.as_tensor(array, device=device) for array in arrays))

    @property
    def clear(self) -> Tensor:
        """Which coats (B, M) can be seen through."""
        return self.finish[..., 4] < 1

    def only(self, *, clear: bool) -> Solids:
        """Return the solids with nothing but their clear parts, or none of these."""
        wrong = self.clear.gather(1, self.field.coat) != clear
        absent = self.field.absent + FAR * (wrong[..., None] & (self.field.cuts == 0))
        return replace(self, field=replace(self.field, absent=absent.clamp(max=FAR)))


@dataclass(frozen=True, eq=False)
class Rays:
    """Rays in the space of their solids: `origin` (B, 3, 1), unit `heading` (B, 3, R).

    `width` (B, 1) is how much wider a pixel gets with distance; nothing lies beyond `depth` (B, 2).
    """

    origin: Tensor
    heading: Tensor
    width: Tensor
    depth: Tensor

    @classmethod
    def of(cls, solids: Solids, side: int) -> Rays:
        """Return the rays through the pixels of a square picture, row by row."""
        steps = (torch.arange(side, device=solids.turn.device) * 2 + 1 - side) / side
        down, right = torch.meshgrid(steps, steps, indexing="ij")
        screen = torch.stack([right, -down, torch.zeros_like(down)]).flatten(1)
        camera = solids.lens[..., None] * screen.new_tensor([[0.0], [0], [1]])
        back = solids.turn.transpose(1, 2)
        origin = back @ (solids.target + camera * solids.reach[..., None])
        heading = back @ F.normalize(screen - camera, dim=1)
        return cls(origin, heading, 2 / (side * solids.lens), solids.depth)

    def at(self, distance: Tensor) -> Tensor:
        """Return the points (B, 3, R) at distances (B, R) along the rays."""
        return self.origin + self.heading * distance[:, None]

    def only(self, chosen: Tensor) -> Rays:
        """Return the rays numbered `chosen` (B, N)."""
        return replace(self, heading=picked(self.heading, chosen))


def picked(values: Tensor, chosen: Tensor) -> Tensor:
    """Return columns `chosen` (B, N) of values (B, C, R)."""
    return values.gather(2, chosen[:, None].expand(-1, values.shape[1], -1))


def put(values: Tensor, chosen: Tensor, columns: Tensor) -> Tensor:
    """Return values (B, C, R) with `columns` (B, C, N) in the places `chosen` (B, N)."""
    return values.scatter(2, chosen[:, None].expand(-1, values.shape[1], -1), columns)


def places(wanted: Tensor) -> Tensor:
    """Return the places (B, N) where `wanted` (B, R) holds, filled up with zeros."""
    row, place = wanted.nonzero(as_tuple=True)
    counts = wanted.sum(1)
    rank = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    return place.new_zeros(len(wanted), int(counts.max())).index_put((row, rank), place)


def march(field: Field, rays: Rays, start: Tensor, width: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return how far (B, R) rays go from `start` until a solid is within `width` of that distance.

    Then, of each ray, the place that is nearest to the solid beside its distance from the camera,
    and this nearness: what is left beyond `width` (B, 1), as an angle.
    """
    end = rays.depth[:, 1:]
    state = torch.stack([start, start, torch.full_like(start, FAR)], 1)
    alive = start < end
    for _ in range(LEGS):
        chosen = places(alive)
        if not chosen.shape[1]:
            break
        going = rays.only(chosen)
        here, best, gap = picked(state, chosen).unbind(1)
        for _ in range(STEPS):
            left = field(going.at(here)) - width * here
            nearer = left < gap * here
            best, gap = torch.where(nearer, here, best), torch.where(nearer, left / here, gap)
            here = here + left.clamp(min=0) * (gap > ARRIVED * rays.width)
        state = put(state, chosen, torch.stack([here, best, gap], 1))
        alive = (state[:, 2] > ARRIVED * rays.width) & (state[:, 0] < end)
    here, best, gap = state.unbind(1)
    return here, best, gap


def render(solids: Solids, lights: Sequence[Light], side: int) -> Tensor:
    """Return pictures (B, side, side, 4), premultiplied; `side` is a multiple of `COARSE`."""
    lamps = Lamps.of(lights, solids.turn.device)
    picture, distance = seen(solids.only(clear=False), lamps, side)
    if bool(solids.clear.any()):
        pane, before = seen(solids.only(clear=True), lamps, side)
        pane = pane * (before < distance)[:, None]
        picture = pane + picture * (1 - pane[:, 3:])
    return picture.view(-1, 4, side, side).permute(0, 2, 3, 1).clamp(0, 1)


def seen(solids: Solids, lamps: Lamps, side: int) -> tuple[Tensor, Tensor]:
    """Return premultiplied colours (B, 4, R) of what rays meet first, and how far (B, R) it is."""
    rays = Rays.of(solids, side)
    start = clear_ahead(solids, side)
    # Half a pixel inside, so that the rays that only just miss tell how much of theirs is covered.
    _, distance, gap = march(solids.field, rays, start, -(0.5 + ARRIVED / 2) * rays.width)
    cover = (1 + ARRIVED - gap / rays.width).clamp(0, 1)
    picture, chosen = rays.heading.new_zeros(len(cover), 4, side**2), places(cover > 0)
    if chosen.shape[1]:
        hits = rays.only(chosen)
        surface = met(solids, hits, hits.at(distance.gather(1, chosen)))
        covered = shade(surface, lamps) * cover.gather(1, chosen)[:, None]
        picture = put(picture, chosen, covered)
    return picture, torch.where(cover > 0, distance, FAR)


def clear_ahead(solids: Solids, side: int) -> Tensor:
    """Return how far (B, R) the rays of a picture can go at once, found a block at a time."""
    blocks = Rays.of(solids, side // COARSE)
    start = solids.depth[:, :1].expand(-1, (side // COARSE) ** 2)
    ahead, _, _ = march(solids.field, blocks, start, blocks.width)
    square = ahead.view(len(ahead), 1, side // COARSE, side // COARSE)
    return F.interpolate(square, scale_factor=COARSE).flatten(1)


def met(solids: Solids, rays: Rays, points: Tensor) -> Surface:
    """Return the surface that rays meet at points (B, 3, R): how it lies and what coats it."""
    span = 0.6 * rays.width * rays.depth.mean(1, keepdim=True)
    normal = solids.field.slopes(points, span)
    each = solids.field.of_parts(points)
    above = solids.field.joined(each)[:, None]
    points = points - normal * above
    near = ((each - above).abs() + solids.field.absent) / -span[..., None]
    of_part = torch.softmax(near, 1)
    coat = solids.field.coat[..., None].expand_as(of_part)
    of_coat = near.new_zeros(len(near), solids.finish.shape[1], near.shape[2])
    share = of_coat.scatter_add(1, coat, of_part)
    ink = printed(solids, points) * (share[:, :1] * (normal[:, 2:] > 0.1))
    colour = ink[:, :3] + painted(solids, points, share) * (1 - ink[:, 3:])
    finish = solids.finish[..., 2:].transpose(1, 2) @ share
    return Surface(solids.field, solids.turn, points, normal, rays.heading, colour, finish)


def painted(solids: Solids, points: Tensor, share: Tensor) -> Tensor:
    """Return the colours (B, 3, R) of points of which coats have a `share` (B, M, R)."""
    vectors, phases, strengths = torch.split(solids.waves, [3, 1, 1], 3)
    waves = torch.sin(torch.einsum("bmwc,bcr->bmwr", vectors, points) + phases) * strengths
    offset, softness = torch.split(solids.finish[..., :2], 1, 2)
    amount = ((waves.sum(2) + offset) / softness + 0.5).clamp(0, 1)
    first, second = solids.colours.transpose(1, 3).unbind(2)
    return first @ (share * (1 - amount)) + second @ (share * amount)


def printed(solids: Solids, points: Tensor) -> Tensor:
    """Return the premultiplied print (B, 4, R) at points."""
    centre_x, centre_y, half_x, half_y, radius = solids.place[..., None].unbind(1)
    x, y, z = points.unbind(1)
    around = torch.atan2(x, z.clamp(min=1e-3)) * radius
    across = (torch.where(radius > 0, around, x) - centre_x) / half_x.clamp(min=0.01)
    spots = torch.stack([across, (centre_y - y) / half_y.clamp(min=0.01)], -1)[:, None]
    return F.grid_sample(solids.decal, spots, align_corners=False)[:, :, 0]


def draw_solid(rng: np.random.Generator) -> Solid:
    """Return a random product, coated, turned and perhaps printed."""
    weights = np.array([weight for _, weight, _ in MOULDS])
    make, _, glosses = MOULDS[rng.choice(len(MOULDS), p=weights / weights.sum())]
    cast = make(rng)
    body = coated(rng, float(rng.choice(glosses)))
    coats = [body, *(coated(rng, float(rng.choice(glosses)), body) for _ in range(3))]
    if cast.glass:
        coats[CLEAR] = replace(coats[CLEAR], gloss=1.0, opacity=rng.uniform(0.12, 0.5))
    pose = rng.uniform(0, 0.5), rng.normal(0, 0.6), rng.normal(0, 0.04)
    if rng.random() < 0.15:
        pose = rng.uniform(-3, 3), rng.uniform(-3, 3), rng.uniform(-3, 3)
    turn: Floats = rotation(pose) @ rotation((cast.lean, 0, 0))
    decal = artwork(rng) if cast.print_at[2] and rng.random() < 0.6 else NO_PRINT
    return Solid(cast, tuple(coats), turn, rng.uniform(5, 14), decal)


def solid(rng: np.random.Generator, sprite: Sprite) -> None:
    """Any product with depth: a toy, bottle, kettle, camera or shoe, turned and lit."""
    side = max(min(SHARE * sprite.side, SMALL), LEAST * sprite.side, 32)
    side = int(side) // COARSE * COARSE
    with torch.inference_mode():
        picture = render(Solids.of([draw_solid(rng)]), [sprite.light], side)[0].numpy()
    size = (sprite.side, sprite.side)
    sprite.pixels[:] = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
