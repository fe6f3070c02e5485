"""The shadows of many scenes at once, on a device; what `shadows` casts one by one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from props import PLACE
from torch import Tensor

REDUCED = 4
"""Pixels of a scene for one of a shadow: shadows are soft."""

SHADOW_SHARE = 0.9
HOVERING = 0.3
BELOW = 0.7

LOW = 0.15
"""Share of a standing thing's height that touches the floor."""

STANDING, LYING = PLACE.index("standing"), PLACE.index("lying")


@dataclass(frozen=True, eq=False)
class Shadows:
    """How B scenes shade; everything (B, 1), as in `shadows.Shade` and `sprites.Light`."""

    strength: Tensor
    softness: Tensor
    hover: Tensor
    below: Tensor
    light_x: Tensor
    light_y: Tensor
    light_z: Tensor

    @classmethod
    def draw(cls, count: int, device: torch.device) -> Shadows:
        """Return random shadows; most things touch what they stand on."""

        def between(low: float, high: float) -> Tensor:
            return low + torch.rand(count, 1, device=device) * (high - low)

        there = torch.rand(count, 1, device=device) < SHADOW_SHARE
        hovers = torch.rand(count, 1, device=device) < HOVERING
        light = torch.cat([between(-0.9, 0.9), -between(0.1, 1), between(0.5, 1.1)], dim=1)
        return cls(
            between(0.2, 0.75) * there,
            between(0.004, 0.06),
            between(0.02, 0.2) * hovers,
            torch.rand(count, 1, device=device) < BELOW,
            *F.normalize(light, dim=1).split(1, dim=1),
        )


def cast(shadows: Shadows, things: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Return the shadow on the backdrop (B, 1, H, W), and things shaded by those above them.

    Args:
        shadows: How the scenes shade.
        things: (B, K, 4, H, W), premultiplied.
        places: (B, K, 7), rows as in `props.PLACE`.
    """
    alpha = F.avg_pool2d(things[:, :, 3], REDUCED)
    standing, lying = places[..., STANDING] > 0, places[..., LYING] > 0
    dark = shade(shadows, alpha, standing, ~lying & shadows.below)
    light = 1 - (dark * shadows.strength[..., None, None]).clamp(0, 0.95)
    light = F.interpolate(light, scale_factor=float(REDUCED), mode="bilinear").clamp(0, 1)
    # What stands shades the floor, and nothing else.
    falls = torch.where(standing[..., None, None], 1.0, light)
    above = falls.flip(1).cumprod(dim=1).flip(1)
    above = torch.cat([above[:, 1:], torch.ones_like(above[:, :1])], dim=1)
    shaded = torch.cat([things[:, :, :3] * above[:, :, None], things[:, :, 3:]], dim=2)
    return 1 - light.prod(dim=1, keepdim=True), shaded


def shade(shadows: Shadows, alpha: Tensor, standing: Tensor, hovering: Tensor) -> Tensor:
    """Return how dark (B, K, h, w) each thing's shadow is.

    A standing thing's is laid on the floor from its foot, one that is `hovering` (B, K) falls
    flat below it, and any other's is thrown on what is behind it.
    """
    height, width = alpha.shape[2:]
    longer = max(height, width)
    rows = torch.arange(height, device=alpha.device)
    there = (alpha > 0.2).any(dim=3)
    top = torch.where(there, rows, height).amin(dim=2)
    bottom = torch.where(there, rows + 1, 0).amax(dim=2)
    tall, middle = (bottom - top).clamp_min(1), (bottom + top) / 2
    soft, hover = shadows.softness, shadows.hover
    away = soft * 1.5 * longer
    squash = (0.12 + 0.3 * shadows.light_z * shadows.light_x.abs()).expand_as(tall)
    flat = (0.05 + 1.5 * soft).expand_as(tall)
    one, none = torch.ones_like(tall), torch.zeros_like(tall)

    def chosen(laid: Tensor, floating: Tensor, thrown: Tensor) -> Tensor:
        return torch.where(standing, laid, torch.where(hovering, floating, thrown))

    warp = Warp(
        chosen(shadows.light_x * 0.9 * one, none, none),
        chosen(squash, flat, one),
        chosen(bottom, middle, middle),
        chosen(none, none, -shadows.light_x * away * one),
        chosen(
            bottom + hover * tall,
            bottom + (0.04 + hover) * tall.clamp_min(0.3 * height),
            middle - shadows.light_y * away,
        ),
    )
    blur = chosen(2 * soft * one, 0.008 + 0.3 * soft * one, soft * one)
    dark = blurred(warp.of(alpha), blur * longer)
    low = alpha * (rows[:, None] > (bottom - LOW * tall)[..., None, None])
    foot = Warp(none, 0.35 * one, bottom, none, 1.05 * bottom + hover * tall)
    contact = blurred(foot.of(low), (0.005 + soft * (0.2 + hover)) * longer * one)
    return torch.where(standing[..., None, None], (dark * 0.6).maximum(contact), dark)


@dataclass(frozen=True, eq=False)
class Warp:
    """Fields sheared and squashed about row `base`, which moves `aside` and to row `foot`: (B, K).

    All in pixels of the fields.
    """

    shear: Tensor
    squash: Tensor
    base: Tensor
    aside: Tensor
    foot: Tensor

    def of(self, masks: Tensor) -> Tensor:
        """(B, K, h, w) to (B, K, h, w)."""
        height, width = masks.shape[2:]
        up = 1 / self.squash
        row = (height / 2 - self.foot) * up + self.base - height / 2
        zero = torch.zeros_like(up)
        column = -self.aside - self.shear * (row + height / 2 - self.base)
        across = torch.stack([zero + 1, -self.shear * up * height / width, column * 2 / width], -1)
        down = torch.stack([zero, up, row * 2 / height], -1)
        back = torch.stack([across, down], dim=-2).flatten(0, 1)
        flat = masks.flatten(0, 1)[:, None]
        grid = F.affine_grid(back, list(flat.shape), align_corners=False)
        return F.grid_sample(flat, grid, align_corners=False)[:, 0].unflatten(0, masks.shape[:2])


def blurred(masks: Tensor, sigma: Tensor) -> Tensor:
    """Return fields (B, K, h, w) blurred by a Gaussian, each by its own sigma (B, K) in pixels."""
    reach = int(3 * sigma.max().item()) + 1
    steps = torch.arange(-reach, reach + 1, device=masks.device)
    kernel = (-(steps**2) / (2 * sigma.clamp_min(0.3)[..., None] ** 2)).exp()
    kernel = (kernel / kernel.sum(dim=-1, keepdim=True)).flatten(0, 1)[:, None]
    flat = masks.flatten(0, 1)[None]
    flat = F.conv2d(flat, kernel[..., None], padding=(reach, 0), groups=flat.shape[1])
    flat = F.conv2d(flat, kernel[:, :, None], padding=(0, reach), groups=flat.shape[1])
    return flat[0].unflatten(0, masks.shape[:2])
