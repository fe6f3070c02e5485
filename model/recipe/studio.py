"""What solids are coated with, and how a studio lights them.

A lamp with soft shadows, the room's light less what nearby parts keep away, and on polished coats
the room itself: a softbox, a strip light, a bright floor.
"""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hsv_to_rgb
from dataclasses import dataclass

import numpy as np
import torch
from distances import Field
from lettering import label
from shapes import Floats, grid
from sprites import WRAP, Light
from textures import colour, relative
from torch import Tensor
from torch.nn import functional as F

SHADOW_STEPS = 8
PENUMBRA = 9.0
"""One over the lamp's apparent radius."""

OCCLUSION = ((0.06, 0.5), (0.16, 0.35), (0.35, 0.25))
"""Heights above a surface at which it is asked how near the rest is, and their weights."""

GRAZING = 0.12
"""The cosine below which a view counts no flatter: a pixel shows more than the very rim."""

DIELECTRIC = 0.05
"""What lacquer, glass and plastic mirror when seen straight on."""

FUZZ = 0.3
"""How much brighter the rim of unpolished things is."""

MATTE = 0.1
"""Gloss up to which a thing is cloth or clay, and never of metal or varnished wood."""

METALS = tuple(
    np.array(tint, np.float32)
    for tint in ((0.9, 0.9, 0.92), (0.6, 0.6, 0.62), (0.95, 0.78, 0.45), (0.93, 0.66, 0.55))
)

Pattern = tuple[Floats, float, float]
"""Three waves, an offset and a softness."""

PLAIN: Pattern = (np.zeros((3, 5), np.float32), -1.0, 0.01)
"""The pattern of one colour."""


@dataclass(frozen=True, eq=False)
class Coat:
    """A material: two colours in a pattern of three waves.

    A wave is a vector, a phase and a strength; where their sum and `offset` pass zero, within
    `softness`, the second colour takes over. `gloss`, `metal` and `opacity` are 0 to 1.
    """

    colour: Floats
    second: Floats
    pattern: Pattern
    gloss: float
    metal: float = 0.0
    opacity: float = 1.0

    @property
    def finish(self) -> tuple[float, ...]:
        """All its single numbers."""
        return *self.pattern[1:], self.gloss, self.metal, self.opacity


def coated(rng: np.random.Generator, gloss: float, body: Coat | None = None) -> Coat:
    """Return a random coat; a trim often has the colour of the `body`, or hardly any."""
    kind = rng.random()
    if gloss > MATTE and kind < (0.05 if body is None else 0.15):
        metal = METALS[rng.integers(len(METALS))]
        return Coat(metal, metal, PLAIN, float(rng.choice([0.5, 0.75, 0.95])), 1)
    if gloss > MATTE and 0.15 < kind < 0.22:
        return wooden(rng, gloss)
    first = colour(rng)
    if body is not None and kind < 0.75:
        grey = np.full(3, rng.choice([0.03, 0.08, 0.2, 0.9, 0.97]), np.float32)
        first = relative(rng, body.colour, 0.12) if kind < 0.45 else grey
    second = colour(rng) if rng.random() < 0.5 else relative(rng, first, 0.2)
    return Coat(first, second, patterned(rng) if body is None else PLAIN, gloss)


def wooden(rng: np.random.Generator, gloss: float) -> Coat:
    """Return a coat of wood: long uneven grain."""
    hue, value = rng.uniform(0.06, 0.1), rng.uniform(0.3, 0.9)
    base = np.array(hsv_to_rgb(hue, rng.uniform(0.3, 0.65), value), np.float32)
    waves = np.zeros((3, 5), np.float32)
    waves[:, :3] = rng.normal(0, 1, (3, 3)) * rng.permutation([1, 14, 30])
    waves[:, 3:] = rng.uniform((0, 0.5), (6, 1), (3, 2))
    return Coat(base, base * np.float32(rng.uniform(0.6, 0.85)), (waves, 0.0, 3.0), gloss)


def patterned(rng: np.random.Generator) -> Pattern:
    """Return a random pattern: mostly none, else stripes, spots, blotches or two halves."""
    waves = np.zeros((3, 5), np.float32)
    waves[:, 3] = rng.uniform(0, 2 * np.pi, 3)
    kind = rng.random()
    if kind < 0.6:
        return PLAIN
    if kind < 0.72:  # stripes
        waves[0, rng.choice([0, 1, 1])], waves[0, 4] = rng.uniform(4, 30), 1
    elif kind < 0.8:  # spots
        waves[:, :3], waves[:, 4] = np.eye(3) * rng.uniform(8, 22), 1
        return waves, float(-rng.uniform(0.8, 1.6)), 0.25
    elif kind < 0.9:  # blotches
        waves[:, :3], waves[:, 4] = rng.normal(0, 6, (3, 3)), rng.uniform(0.4, 1, 3)
    else:  # halves
        waves[0, :3], waves[0, 4] = rng.normal(0, 1, 3) * (0.5, 1, 0.3), 1
    return waves, float(rng.uniform(-0.6, 0.6)), float(rng.choice([0.1, 0.1, 0.25, 2]))


def artwork(rng: np.random.Generator) -> Floats:
    """Return a printed label, premultiplied (4, 96, 96); its paper may be missing."""
    paper, ink = label(rng, *grid(96, 96))
    for sheet in (paper, ink):
        sheet[..., :3] *= sheet[..., 3:]
    page = ink + paper * (1 - ink[..., 3:]) * float(rng.random() < 0.6)
    page[[0, -1]] = page[:, [0, -1]] = 0
    art: Floats = page.transpose(2, 0, 1).astype(np.float32)
    return art


@dataclass(frozen=True, eq=False)
class Lamps:
    """The lights of B pictures.

    `direction` (B, 3, 1) is a unit vector with y up, `ambient` (B, 1), `colour` (B, 3, 1).
    """

    direction: Tensor
    ambient: Tensor
    colour: Tensor

    @classmethod
    def of(cls, lights: Sequence[Light], device: torch.device) -> Lamps:
        """Return lights as one batch on a device."""
        directions = [(x, -y, z) for x, y, z in (light.direction for light in lights)]
        columns = (directions, [(light.ambient,) for light in lights], [lt.colour for lt in lights])
        towards, ambient, tint = (torch.tensor(column, device=device) for column in columns)
        return cls(F.normalize(towards, dim=1)[..., None], ambient, tint[..., None])


@dataclass(frozen=True, eq=False)
class Surface:
    """Points of B solids that are seen, all (B, C, R), in the solids' own space.

    `heading` is where the ray goes that meets a point, `finish` its gloss, metal and opacity;
    `turn` (B, 3, 3) takes directions to the camera's space.
    """

    field: Field
    turn: Tensor
    points: Tensor
    normal: Tensor
    heading: Tensor
    colour: Tensor
    finish: Tensor


def shade(surface: Surface, lamps: Lamps) -> Tensor:
    """Return the premultiplied colours (B, 4, R) of a surface."""
    gloss, metal, opacity = surface.finish.unbind(1)
    sky = openness(surface)
    facing = -(surface.normal * surface.heading).sum(1).clamp(-1, -GRAZING)
    body = daylight(surface, lamps, sky)
    body = body + (1 - gloss) * FUZZ * (1 - facing) ** 3 * lamps.ambient * sky
    mirrored = surface.turn @ (surface.heading + 2 * facing[:, None] * surface.normal)
    seen = surroundings(mirrored, lamps.direction, gloss) * (0.3 + 0.7 * sky)
    fresnel = (1 - facing) ** 5
    polish = gloss * (DIELECTRIC + (1 - DIELECTRIC) * fresnel) * (1 - metal)
    tint = surface.colour + (1 - surface.colour) * fresnel[:, None]
    shine = (seen * polish)[:, None] + tint * (seen * metal)[:, None]
    # A wall of glass is longer to look through at its rim.
    filled = opacity + (1 - opacity) * 0.75 * (1 - facing) ** 2.5
    shown = (surface.colour * (body * filled * (1 - metal))[:, None] + shine) * lamps.colour
    alpha = torch.maximum(filled, shine.amax(1).clamp(max=1))[:, None]
    return torch.cat([torch.minimum(shown, alpha), alpha], 1)


def daylight(surface: Surface, lamps: Lamps, sky: Tensor) -> Tensor:
    """Return the light (B, R) that falls on a surface: the lamp's, and the room's share `sky`."""
    lamp = surface.turn.transpose(1, 2) @ lamps.direction
    facing = ((surface.normal * lamp).sum(1) + WRAP).clamp(min=0)
    direct = facing * shadow(surface, lamp) * (1.4 / (1 + WRAP)) * (1 - lamps.ambient)
    up = torch.einsum("bc,bcr->br", surface.turn[:, 1], surface.normal)
    return direct + lamps.ambient * sky * (0.88 + 0.22 * up)


def shadow(surface: Surface, lamp: Tensor) -> Tensor:
    """Return how much of the lamp a surface sees (B, R), its disc judged by the nearest miss."""
    clear = torch.ones_like(surface.points[:, 0])
    along = torch.full_like(clear, 0.03)
    lifted = surface.points + surface.normal * 0.015
    for _ in range(SHADOW_STEPS):
        left = surface.field(lifted + lamp * along[:, None])
        clear = torch.minimum(clear, 0.5 + 0.5 * PENUMBRA * left / along)
        along = along + left.clamp(0.03, 0.3)
    clear = clear.clamp(0, 1)
    return clear * clear * (3 - 2 * clear)


def openness(surface: Surface) -> Tensor:
    """Return the share of the room's light (B, R) that nearby parts let through."""
    kept = torch.zeros_like(surface.points[:, 0])
    for height, weight in OCCLUSION:
        left = surface.field(surface.points + surface.normal * height)
        kept = kept + (1 - left / height).clamp(0, 1) * weight
    return 1 - 0.85 * kept.clamp(max=1)


def surroundings(towards: Tensor, lamp: Tensor, gloss: Tensor) -> Tensor:
    """Return the light (B, R) that comes from directions (B, 3, R), blurred where gloss is low.

    A softbox hangs at the `lamp`, a strip light stands opposite; the floor is bright, the room
    behind the camera dark.
    """
    x, y, z = towards.unbind(1)
    blur = 0.015 + 0.35 * (1 - gloss) ** 2
    upright = lamp.new_tensor([[0.0, 1, 0]]).expand(len(lamp), -1)
    across = F.normalize(torch.linalg.cross(upright, lamp[..., 0]), dim=1)[..., None]
    above = torch.linalg.cross(lamp, across, dim=1)
    aside, height = (towards * across).sum(1).abs(), (towards * above).sum(1).abs()
    ahead = (towards * lamp).sum(1) > 0
    box = torch.sigmoid((0.4 - torch.maximum(aside, height * 0.7)) / blur) * ahead
    strip = torch.sigmoid((0.12 - (x + lamp[:, 0].sign() * 0.85).abs()) / blur)
    floor = torch.sigmoid((-0.15 - y) / (0.05 + blur))
    walls = 0.25 + 0.55 * floor + 0.35 * y.clamp(min=0) - 0.15 * z.clamp(min=0)
    # A wider blur spreads the same light, hence dimmer lamps.
    return walls + (6 * box + 2.5 * strip) * (0.25 + 0.75 * gloss)
