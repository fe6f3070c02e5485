"""The separator: which pixels of a picture belong to one thing, and which thing is in front.

Every pixel is a question, "where is the thing that I am part of?", and a part of every answer: the
product of its query with all keys (as in dynamic masks; SOLOv2, Wang et al., arXiv 2003.10152).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerctl_model.backbone import CHANNELS, Backbone
from layerctl_model.folder import MOST_BLOCKS, known_fields
from layerctl_model.vae import AttentionBlock, ResBlock

SEPARATOR = "Separator"
"""What its config calls it."""

REDUCTION = 4
"""Pixels per entry of a field, along one side."""

KINDS = ("background", "product", "text")
"""What a pixel may show; shadows are part of the background."""


@dataclass(frozen=True)
class SeparatorSizes:
    """Sizes of the network; `widths` are those of its scales, each half as fine as the last."""

    widths: tuple[int, ...] = (64, 128, 256)
    num_res_blocks: int = 2
    num_attentions: int = 4
    key_dim: int = 32

    def __post_init__(self) -> None:
        if len(self.widths) != len(CHANNELS) - 1:
            raise ValueError(f"there must be {len(CHANNELS) - 1} widths, one for each scale")
        if not (0 < self.num_res_blocks <= MOST_BLOCKS and 0 <= self.num_attentions <= MOST_BLOCKS):
            raise ValueError(f"there must be 1 to {MOST_BLOCKS} blocks")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SeparatorSizes:
        """Read the sizes from a config."""
        return cls(**known_fields(config, cls))

    def to_config(self) -> dict[str, Any]:
        """Write the sizes as a config."""
        return {"_class_name": SEPARATOR, **asdict(self)}


@dataclass(frozen=True, eq=False)
class Fields:
    """What the network says of every fourth pixel each way; everything (B, C, H / 4, W / 4).

    `kinds` are the logits of `KINDS`. `queries` asked of `seen` keys give logits of where a thing
    shows, of `whole` keys of where it is, hidden or not. The greater `nearness` is in front.
    """

    kinds: Tensor
    queries: Tensor
    seen: Tensor
    whole: Tensor
    nearness: Tensor

    def cpu(self) -> Fields:
        """Return them in fp32 on the CPU."""
        return Fields(**{name: field.float().cpu() for name, field in vars(self).items()})

    def mirrored(self) -> Fields:
        """Return the fields of the picture in a mirror."""
        return Fields(**{name: field.flip(-1) for name, field in vars(self).items()})

    def beside(self, other: Fields) -> Fields:
        """Return fields whose answers and chances are the means of both, of the same picture."""
        # Twice the dimensions halve the scale of an answer only by the root of two.
        queries = torch.cat([self.queries, other.queries], dim=1) * 2**-0.5
        seen, whole = (
            torch.cat(pair, dim=1) for pair in ((self.seen, other.seen), (self.whole, other.whole))
        )
        kinds, nearness = (self.kinds + other.kinds) / 2, (self.nearness + other.nearness) / 2
        return Fields(kinds, queries, seen, whole, nearness)


class Separator(nn.Module):
    """A convolutional network in the form of a U, with attention where it is coarsest.

    It is told by a backbone what things are made of, and sees for itself where they end.
    """

    def __init__(self, sizes: SeparatorSizes) -> None:
        super().__init__()
        self.sizes = sizes
        widths, blocks = sizes.widths, sizes.num_res_blocks
        self.conv_in = nn.Conv2d(4 * REDUCTION**2 + 2, widths[0], 3, padding=1)
        self.fine = nn.ModuleList([_stage(width, width, blocks) for width in widths[:-1]])
        self.down = nn.ModuleList([nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths)])
        self.coarse = _stage(widths[-1], widths[-1], blocks)
        for _ in range(sizes.num_attentions):
            self.coarse.append(AttentionBlock(widths[-1]))
            self.coarse.append(ResBlock(widths[-1], widths[-1]))
        self.up = nn.ModuleList([nn.Conv2d(b, a, 1) for a, b in pairwise(widths)])
        self.merge = nn.ModuleList([_stage(2 * width, width, blocks) for width in widths[:-1]])
        self.parts = (len(KINDS), *[sizes.key_dim] * 3, 1)
        self.conv_out = nn.Conv2d(widths[0], sum(self.parts), 1)
        self.backbone = Backbone()
        channels = (*CHANNELS[:-2], sum(CHANNELS[-2:]))
        self.adapters = nn.ModuleList(
            [nn.Conv2d(inputs, width, 1) for inputs, width in zip(channels, widths, strict=True)]
        )

    def forward(self, pictures: Tensor) -> Fields:
        """(B, 4, H, W) in [-1, 1], sides multiples of 16, to fields."""
        *told, coarsest = self._told(pictures)
        x = F.pixel_unshuffle(pictures, REDUCTION)
        x = self.conv_in(torch.cat([x, _places(x)], dim=1))
        kept = []
        for stage, down, more in zip(self.fine, self.down, told, strict=True):
            kept.append(stage(x + more))
            x = down(kept[-1])
        x = self.coarse(x + coarsest)
        for stage, up, other in reversed(list(zip(self.merge, self.up, kept, strict=True))):
            x = F.interpolate(up(x), scale_factor=2.0)
            x = stage(torch.cat([x, other], dim=1))
        return Fields(*self.conv_out(F.silu(x)).split(self.parts, dim=1))

    def _told(self, pictures: Tensor) -> list[Tensor]:
        """Return what the backbone says at each scale; the coarsest takes in the next one, too."""
        *features, last, deepest = self.backbone(pictures[:, :3])
        deepest = F.interpolate(deepest, size=last.shape[2:], mode="bilinear")
        features.append(torch.cat([last, deepest], dim=1))
        return [adapt(feature) for adapt, feature in zip(self.adapters, features, strict=True)]


def look(separator: Separator, pictures: Tensor) -> Fields:
    """Return the fields of pictures (B, 4, H, W) in [-1, 1], each seen twice, once in a mirror."""
    return separator(pictures).beside(separator(pictures.flip(-1)).mirrored())


def answers(queries: Tensor, keys: Tensor) -> Tensor:
    """Return the logits of masks: queries (B, P, D) asked of keys (B, D, h, w) -> (B, P, h, w)."""
    logits = queries @ keys.flatten(2) * queries.shape[-1] ** -0.5
    return logits.unflatten(2, keys.shape[2:])


def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    widths = [inputs, *[outputs] * blocks]
    return nn.Sequential(*[ResBlock(a, b) for a, b in pairwise(widths)])


def _places(x: Tensor) -> Tensor:
    """Return where each entry is, across and down, in [-1, 1]: (B, 2, h, w)."""
    height, width = x.shape[2:]
    down = torch.linspace(-1, 1, height, dtype=x.dtype, device=x.device)[:, None]
    across = torch.linspace(-1, 1, width, dtype=x.dtype, device=x.device)
    places = torch.stack([across.expand(height, width), down.expand(height, width)])
    return places.expand(len(x), 2, height, width)
