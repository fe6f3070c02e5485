"""Scenes put together on a device from parts drawn before, thousands a second on a GPU.

They are made as `scenes` makes them, only all at once and without what needs a look at each: a
backdrop, the shadows on it, up to six things back to front, and text. Hidden parts are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from framing import Frames, draw_frames
from masks import MULTIPLE, SHOWING, Masks
from props import MARGIN, MOST_THINGS, THING_SIDE, Pool
from shading import Shadows, cast
from torch import Tensor

from layerctl_model.separator import KINDS, REDUCTION

FINER = 2
"""Samples of a thing for each pixel of a scene, each way."""

LARGER = 1.5
"""How many times as large scenes are put together to be seen from near: patches show no more."""

TEXT_SHARE, CUT_OUT_SHARE = 0.35, 0.12
TWINS, MATCHED, BLENDED = 0.1, 0.25, 0.1
"""How many things look like the one below, have its colour, or that of what is behind them."""

RECOLOURED, GREYED = 0.15, 0.15
LEAST_SEEN, LEAST_AREA = 0.1, 0.004
"""Share of a thing, and of the frame, that has to show for it to stay in the scene."""

BLURRED = 0.25
GRAIN = (0.0, 0.0, 0.003, 0.003, 0.009, 0.02)


@dataclass(frozen=True, eq=False)
class Stacks:
    """Layers of B scenes, premultiplied, in [0, 1]; what is not there is clear.

    `ground` (B, 3, H, W), `shadow` (B, 1, H, W) is the alpha of black over it, `things`
    (B, K, 4, H, W) back to front, `text` (B, 4, H, W) over them. Of `cut_out` (B,) scenes the
    ground is cut away.
    """

    ground: Tensor
    shadow: Tensor
    things: Tensor
    text: Tensor
    cut_out: Tensor

    def flatten(self) -> Tensor:
        """Return the source-over of all layers, premultiplied: (B, 4, H, W)."""
        there = (~self.cut_out).float().view(-1, 1, 1, 1)
        bottom = torch.cat([self.ground, torch.ones_like(self.shadow)], dim=1) * there
        black = F.pad(self.shadow, (0, 0, 0, 0, 3, 0))
        picture = bottom
        for layer in (black, *self.things.unbind(dim=1), self.text):
            picture = layer + picture * (1 - layer[:, 3:])
        return picture

    def seen(self) -> Tensor:
        """Return how much of each pixel shows each thing: (B, K, H, W)."""
        clear = 1 - self.text[:, 3]
        seen = []
        for item in reversed(self.things.unbind(dim=1)):
            seen.insert(0, item[:, 3] * clear)
            clear = clear * (1 - item[:, 3])
        return torch.stack(seen, dim=1)

    def framed(self, frames: Frames, side: int) -> Stacks:
        """Return what is in frames of them, as squares of `side` pixels."""
        things = frames.of(self.things.flatten(1, 2), side).unflatten(1, self.things.shape[1:3])
        ground, shadow, text = (
            frames.of(planes, side) for planes in (self.ground, self.shadow, self.text)
        )
        return Stacks(ground, shadow, things, text, self.cut_out)


def assemble(pool: Pool, count: int, size: tuple[int, int]) -> Masks:
    """Return random scenes of (height, width), as the separator learns from them."""
    return photographed(stack(pool, count, size))


def assemble_near(pool: Pool, count: int, size: tuple[int, int]) -> Masks:
    """Return something of random scenes from near, in squares of the area of (height, width)."""
    height, width = (round(LARGER * length / MULTIPLE) * MULTIPLE for length in size)
    layers = stack(pool, count, (height, width))
    side = MULTIPLE * round((size[0] * size[1]) ** 0.5 / MULTIPLE)
    return photographed(layers.framed(draw_frames(layers.seen()), side))


def stack(pool: Pool, count: int, size: tuple[int, int]) -> Stacks:
    """Return the layers of random scenes."""
    grounds, places = pool.draw_stages(count)
    ground = F.interpolate(grounds.float() / 255, size=size, mode="bilinear")
    chosen = choose(pool, places)
    shown = placed(dressed(pool, chosen, ground), chosen, size)
    things = ground.new_zeros(count, MOST_THINGS, *shown.shape[1:])
    things[chosen.scene, chosen.number] = shown
    cut_out = chance((count,), CUT_OUT_SHARE, pool.device) > 0
    shadow, things = cast(Shadows.draw(count, pool.device), noticeable(things), places)
    text = F.interpolate(pool.draw("words", (count,)).float() / 255, size=size, mode="bilinear")
    text = text * chance((count, 1, 1, 1), TEXT_SHARE, pool.device)
    return Stacks(ground, shadow, things, text, cut_out)


@dataclass(frozen=True, eq=False)
class Cast:
    """The N things in a batch of scenes, scene by scene and back to front.

    `scene` and `number` (N,) say which thing of which scene each is, `patch` (N,) which of the
    pool's things, and `place` (N, 7) where it goes, a row as in `props.PLACE`.
    """

    scene: Tensor
    number: Tensor
    patch: Tensor
    place: Tensor


def choose(pool: Pool, places: Tensor) -> Cast:
    """Return who plays in scenes that have these places (B, K, 7)."""
    patches = pool.choose("things", (len(places), MOST_THINGS))
    twins = chance((len(places), 1), TWINS, pool.device) > 0
    patches = torch.where(twins, patches[:, :1], patches)
    scene, number = (places[..., 0] > 0).nonzero(as_tuple=True)
    return Cast(scene, number, patches[scene, number], places[scene, number])


def chance(shape: tuple[int, ...], share: float, device: torch.device) -> Tensor:
    """Return 1 for a random share of entries, and 0 for the others."""
    return (torch.rand(shape, device=device) < share).float()


def dressed(pool: Pool, things: Cast, ground: Tensor) -> Tensor:
    """Return patches in new colours, premultiplied: (N, 4, T, T)."""
    patches = pool.rows("things")[things.patch].float() / 255
    colour, alpha = patches[:, :3], patches[:, 3:]
    count, device = len(patches), pool.device
    one, three = (count, 1, 1, 1), (count, 3, 1, 1)
    order = torch.rand(three, device=device).argsort(dim=1)
    own = torch.arange(3, device=device).view(1, 3, 1, 1)
    order = torch.where(chance(one, RECOLOURED, device) > 0, order, own)
    colour = colour.gather(1, order.expand_as(colour))
    grey = torch.rand(one, device=device) * chance(one, GREYED, device)
    colour = torch.lerp(colour, colour.mean(dim=1, keepdim=True), grey)
    gain = torch.randn(one, device=device) * 0.15 + torch.randn(three, device=device) * 0.05
    colour = colour * gain.exp() * ramps(patches)
    means = colour.sum(dim=(2, 3)) / alpha.sum(dim=(2, 3)).clamp_min(1)
    # Things are in order, so the one below is the one before, if there is one.
    below = torch.where((things.number > 0)[:, None], means.roll(1, dims=0), means)
    for wanted, share in ((below, MATCHED), (ground.mean(dim=(2, 3))[things.scene], BLENDED)):
        amount = (0.4 + 0.6 * torch.rand(one, device=device)) * chance(one, share, device)
        colour = colour + (wanted - means)[..., None, None] * alpha * amount
    return torch.cat([colour.clamp_min(0).minimum(alpha), alpha], dim=1)


def ramps(patches: Tensor) -> Tensor:
    """Return how much light falls on each pixel of patches (N, 4, T, T): darker to one side."""
    side, shape = patches.shape[-1], (len(patches), 1, 1, 1)
    across = torch.linspace(-1, 1, side, device=patches.device)
    turn = torch.rand(shape, device=patches.device) * 2 * torch.pi
    towards = (across * turn.cos() + across[:, None] * turn.sin()).clamp(-1, 1)
    return 1 + 0.3 * torch.rand(shape, device=patches.device) * (towards - 1) / 2


def placed(patches: Tensor, things: Cast, size: tuple[int, int]) -> Tensor:
    """Return things where they are in the frame: (N, 4, T, T) to (N, 4, H, W)."""
    height, width = size
    extent, angle, x, y, standing, _, whole = things.place.unbind(dim=1)
    half = extent * min(size) / 2 * THING_SIDE / (THING_SIDE - 2 * MARGIN)
    reach_x, reach_y = reaches(patches, angle, half)
    x, y = x * width, y * height - reach_y * standing
    x = torch.where(whole > 0, inside(x, reach_x, width), x) - width / 2
    y = torch.where(whole > 0, inside(y, reach_y, height), y) - height / 2
    cos, sin = angle.cos(), angle.sin()
    mirror = torch.randint(2, half.shape, device=half.device) * 2.0 - 1
    # From the frame's coordinates back to the patch's, both from -1 to 1.
    across = torch.stack([cos * width / 2, sin * height / 2, -(cos * x + sin * y)], dim=1)
    down = torch.stack([-sin * width / 2, cos * height / 2, sin * x - cos * y], dim=1)
    back = torch.stack([across * mirror[:, None], down], dim=1) / half[:, None, None]
    fine = [len(patches), 4, height * FINER, width * FINER]
    grid = F.affine_grid(back, fine, align_corners=False)
    return F.avg_pool2d(F.grid_sample(patches, grid, align_corners=False), FINER)


def reaches(patches: Tensor, angle: Tensor, half: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far (N,) things reach from their middle, across and down, in pixels."""
    there = patches[:, 3] > 0.05
    across, down = (there.any(dim=axis).sum(dim=1) / len(there[0]) * half for axis in (1, 2))
    cos, sin = angle.cos().abs(), angle.sin().abs()
    return across * cos + down * sin, across * sin + down * cos


def inside(centre: Tensor, reach: Tensor, room: int) -> Tensor:
    """Return centres moved so that `reach` to both sides stays in the frame, if it fits."""
    margin = (reach + 0.02 * room).clamp(max=room / 2)
    return centre.maximum(margin).minimum(room - margin)


def noticeable(things: Tensor) -> Tensor:
    """Return things (B, K, 4, H, W) without those that nobody could tell are there."""
    clear = torch.ones_like(things[:, 0, 3])
    kept = []
    for item in reversed(things.unbind(dim=1)):
        alpha = item[:, 3]
        seen, all_of_it = (alpha * clear).sum(dim=(1, 2)), alpha.sum(dim=(1, 2))
        least = (LEAST_SEEN * all_of_it).clamp_min(LEAST_AREA * alpha[0].numel())
        stays = (seen > least).view(-1, 1, 1)
        kept.insert(0, item * stays[:, None])
        clear = clear * (1 - alpha * stays)
    return torch.stack(kept, dim=1)


def photographed(layers: Stacks) -> Masks:
    """Return what a camera makes of scenes, and what is in them."""
    shows, whole = (
        F.avg_pool2d(masks, REDUCTION) for masks in (layers.seen(), layers.things[:, :, 3])
    )
    words = F.avg_pool2d(layers.text[:, 3:], REDUCTION)
    products = shows.sum(dim=1, keepdim=True)
    kinds = dict.fromkeys(KINDS, 1 - products - words) | {"product": products, "text": words}
    asked = (shows.mean(dim=(2, 3), keepdim=True) > SHOWING).float()
    kinds = torch.cat([kinds[kind] for kind in KINDS], dim=1).clamp(0, 1)
    return Masks(exposed(layers.flatten()), kinds, shows * asked, whole * asked)


def exposed(picture: Tensor) -> Tensor:
    """Return premultiplied pictures as a camera hands them over: straight, in [-1, 1]."""
    count, device = len(picture), picture.device
    alpha = (picture[:, 3:] * 255).round() / 255
    colour = picture[:, :3] / picture[:, 3:].clamp_min(1e-3)
    shape = (count, 1, 1, 1)
    gain = 0.04 + torch.randn(shape, device=device) * 0.12
    gain = (gain + torch.randn(count, 3, 1, 1, device=device) * 0.04).exp()
    gamma = (torch.randn(shape, device=device) * 0.15).exp()
    contrast = torch.rand(shape, device=device) * 0.6 - 0.1
    colour = (colour * gain).clamp(1e-4, 1) ** gamma
    colour = colour + (colour * colour * (3 - 2 * colour) - colour) * contrast
    soft = F.avg_pool2d(F.pad(colour, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    blur = torch.rand(shape, device=device) * chance(shape, BLURRED, device)
    grain = torch.tensor(GRAIN, device=device)[torch.randint(len(GRAIN), shape, device=device)]
    colour = torch.lerp(colour, soft, blur)
    colour = (colour + grain * torch.randn_like(colour[:, :1])).clamp(0, 1)
    colour = torch.where(alpha > 0, colour, 0.5)
    return torch.cat([colour, alpha], dim=1) * 2 - 1
