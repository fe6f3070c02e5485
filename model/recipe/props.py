"""Parts of scenes, drawn ahead and kept on a device to be put together there in many ways."""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
import torch
from backdrops import backdrop
from masks import SIDE
from scenes import draw_light, set_text
from shapes import Floats
from staging import bent, draw_object, lay_out
from torch import Tensor

THING_SIDE = 240
"""Side in pixels of the patch that a thing is kept on."""

MARGIN = 2
"""Clear pixels around it there."""

MOST_THINGS = 6
COUNTS = (0.02, 0.34, 0.25, 0.2, 0.11, 0.05, 0.03)
"""How often a scene has none to six things."""

LAYOUTS = 8
"""How many scenes are laid out before one backdrop."""

PLACE = ("extent", "angle", "x", "y", "standing", "lying", "whole")
"""What a row says of where a thing goes, as `staging.Spot` has it; its extent is 0 where none is.
"""

KEPT = {"things": 30_000, "grounds": 8_000, "places": 8_000, "words": 3_000}
"""How many of each are kept."""


@dataclass(frozen=True, eq=False)
class Props:
    """Some parts of scenes.

    `things` (N, 4, T, T) and `words` (L, 4, S, S) are premultiplied and `grounds` (M, 3, S, S)
    opaque, all uint8; a thing's longer side fills its patch but for `MARGIN`. `places`
    (M, LAYOUTS, MOST_THINGS, 7) go with the grounds, rows as in `PLACE`.
    """

    things: Tensor
    grounds: Tensor
    places: Tensor
    words: Tensor


def draw_props(rng: np.random.Generator, things: int, grounds: int, words: int) -> Props:
    """Return so many new parts of each kind."""
    stages = [draw_stage(rng) for _ in range(grounds)]
    return Props(
        torch.stack([draw_thing(rng) for _ in range(things)]),
        torch.stack([ground for ground, _ in stages]),
        torch.stack([places for _, places in stages]),
        torch.stack([draw_words(rng) for _ in range(words)]),
    )


def draw_thing(rng: np.random.Generator) -> Tensor:
    """Return one thing, (4, T, T), in the light of a scene of its own."""
    while True:
        light = draw_light(rng, backdrop(rng, (16, 16)))
        pixels = bent(rng, draw_object(rng, THING_SIDE, light)).pixels
        left, top, across, down = cv2.boundingRect((pixels[..., 3] > 0.05).astype(np.uint8))
        if min(across, down) > MARGIN:
            return planes(centred(pixels[top : top + down, left : left + across]))


def centred(pixels: Floats) -> Floats:
    """Return a picture enlarged or reduced to fill the middle of a square patch."""
    height, width = pixels.shape[:2]
    scale = (THING_SIDE - 2 * MARGIN) / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    left, top = (THING_SIDE - size[0]) // 2, (THING_SIDE - size[1]) // 2
    patch = np.zeros((THING_SIDE, THING_SIDE, 4), np.float32)
    patch[top : top + size[1], left : left + size[0]] = cv2.resize(pixels, size, interpolation=kind)
    return patch


def draw_stage(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return a backdrop, (3, S, S), and places for things before it, (LAYOUTS, MOST_THINGS, 7)."""
    ground = backdrop(rng, (SIDE, SIDE))
    places = torch.zeros(LAYOUTS, MOST_THINGS, len(PLACE))
    for layout in places:
        count = int(rng.choice(len(COUNTS), p=COUNTS))
        for row, spot in zip(layout, lay_out(rng, count, ground.horizon), strict=False):
            poses = float(spot.pose == "standing"), float(spot.pose == "lying")
            row[:] = torch.tensor([spot.extent, spot.angle, spot.x, spot.y, *poses, spot.whole])
    return planes(ground.colour), places


def draw_words(rng: np.random.Generator) -> Tensor:
    """Return lettering or badges all over a frame, (4, S, S)."""
    paper = np.broadcast_to(rng.random(3, np.float32), (SIDE, SIDE, 3))
    return planes(set_text(rng, paper, ()))


def planes(pixels: Floats) -> Tensor:
    """Return (H, W, C) in [0, 1] as (C, H, W) of 255."""
    levels = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return torch.from_numpy(np.ascontiguousarray(levels.transpose(2, 0, 1)))


class Ring:
    """The last so many rows of a kind, on a device."""

    def __init__(self, most: int, device: torch.device) -> None:
        self.most, self.device = most, device
        self.count = self.next = 0
        self.rows = torch.empty(0)

    def put(self, rows: Tensor) -> None:
        """Keep rows (N, ...), the oldest of which make room."""
        if not self.count:
            self.rows = torch.empty((self.most, *rows.shape[1:]), dtype=rows.dtype).to(self.device)
        places = torch.arange(self.next, self.next + len(rows)) % self.most
        self.rows[places.to(self.device)] = rows.to(self.device)
        self.next = (self.next + len(rows)) % self.most
        self.count = min(self.most, self.count + len(rows))


class Pool:
    """The parts at hand on a device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.rings = {name: Ring(most, device) for name, most in KEPT.items()}

    def put(self, props: Props) -> None:
        """Keep more parts."""
        # Things last: another thread may draw as soon as there are any.
        for field in reversed(fields(props)):
            self.rings[field.name].put(getattr(props, field.name))

    def __len__(self) -> int:
        """How many things there are."""
        return self.rings["things"].count

    def rows(self, name: str) -> Tensor:
        """Return all parts of a kind, (N, ...)."""
        ring = self.rings[name]
        return ring.rows[: ring.count]

    def choose(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Return the numbers of random parts of a kind."""
        return torch.randint(self.rings[name].count, shape, device=self.device)

    def draw(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Return random parts of a kind, (*shape, ...)."""
        return self.rows(name)[self.choose(name, shape)]

    def draw_stages(self, count: int) -> tuple[Tensor, Tensor]:
        """Return random grounds (B, 3, S, S), each with one of its layouts (B, MOST_THINGS, 7)."""
        chosen = self.choose("grounds", (count,))
        layouts = torch.randint(LAYOUTS, (count,), device=self.device)
        return self.rows("grounds")[chosen], self.rows("places")[chosen, layouts]
