"""Scenes put together on a device, seen from near, many at once; what `looks` crops one by one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from looks import AROUND, ASTRAY, CUTS, NEAREST, PART, TOGETHER
from masks import SHOWING
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Frames:
    """Squares in B pictures, in pixels: `middle` (B, 2), across and down, and `side` (B,)."""

    middle: Tensor
    side: Tensor

    def of(self, planes: Tensor, side: int) -> Tensor:
        """Return what is in them of (B, C, H, W), as squares of `side` pixels."""
        size = torch.tensor(planes.shape[:1:-1], device=planes.device)
        scale = self.side[:, None] / size
        move = 2 * self.middle / size - 1
        theta = torch.cat([torch.diag_embed(scale), move[:, :, None]], dim=2)
        grid = F.affine_grid(theta, [*planes.shape[:2], side, side], align_corners=False)
        return F.grid_sample(planes, grid, padding_mode="border", align_corners=False)


def draw_frames(seen: Tensor) -> Frames:
    """Return where to look from near, as a first look at what shows (B, K, H, W) might have it."""
    spans = draw_spans(seen)
    size = torch.tensor(seen.shape[:1:-1], device=seen.device)
    least = min(seen.shape[2:])
    longest = (spans[..., 1] - spans[..., 0]).amax(dim=1)
    around = 1 + 2 * between(*AROUND, (len(seen),), seen.device)
    side = (around * longest).clamp(NEAREST * least, least)
    astray = side[:, None] * between(-ASTRAY, ASTRAY, (len(seen), 2), seen.device)
    half = side[:, None] / 2
    middle = (spans.mean(dim=2) + astray).maximum(half).minimum(size - half)
    return Frames(middle, side)


def draw_spans(seen: Tensor) -> Tensor:
    """Return where a random thing of (B, K, H, W), two, or a part of those begin and end.

    (B, 2, 2), across and down; all of the picture where nothing shows.
    """
    count, device = len(seen), seen.device
    shown = chosen(seen)
    there = shown > shown.amax(dim=(1, 2), keepdim=True) / 2
    lines = there.any(dim=1), there.any(dim=2)
    spans = torch.stack([span(line) for line in lines], dim=1)
    start, end = spans.unbind(dim=2)
    cut = start + (end - start) * between(*CUTS, (count, 1), device)
    axis = torch.rand(count, 1, device=device) < 0.5
    parted = torch.cat([axis, ~axis], dim=1) & (torch.rand(count, 1, device=device) < PART)
    first = torch.rand(count, 1, device=device) < 0.5
    ends = torch.where(parted & first, cut, end)
    return torch.stack([torch.where(parted & ~first, cut, start), ends], dim=2)


def chosen(seen: Tensor) -> Tensor:
    """Return what shows (B, H, W) of a random thing of each scene, or of two."""
    there = seen.mean(dim=(2, 3)) > SHOWING
    order = (torch.rand_like(there, dtype=seen.dtype) + there).argsort(dim=1, descending=True)
    seen = seen * there[..., None, None]
    first, second = (seen[torch.arange(len(seen)), order[:, k]] for k in (0, 1))
    both = torch.rand(len(seen), 1, 1, device=seen.device) < TOGETHER
    return torch.where(both, first.maximum(second), first)


def span(line: Tensor) -> Tensor:
    """Return where entries (B, N) begin and end to be true (B, 2): at 0 and N where none is."""
    count = line.shape[1]
    start = line.float().argmax(dim=1)
    end = count - line.flip(1).float().argmax(dim=1)
    return torch.stack([start, end], dim=1).float()


def between(low: float, high: float, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Return random numbers from `low` to `high`."""
    return low + torch.rand(shape, device=device) * (high - low)
