"""The backbone: what a picture shows at four scales, as a classifier of photos sees it.

EfficientNet (Tan and Le, arXiv 1905.11946) in its Lite0 variant, without squeeze and excitation and
with ReLU6, up to the third block of its sixth stage; batch normalisation is part of the kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Stage:
    """A run of blocks at one scale: kernel side, stride of the first, expansion, outputs, count."""

    kernel: int
    stride: int
    expansion: int
    channels: int
    blocks: int


STEM = 32
STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 3),
)

LAST = (1, 2, 4, 5)
"""The last stage of each scale: a 4th, an 8th, a 16th and a 32nd of the picture's size."""

CHANNELS = tuple(STAGES[number].channels for number in LAST)

SPREAD = 6.0
"""The standard deviation of features on photos, about."""


class Backbone(nn.Module):
    """A classifier without its head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM, 3, 2)
        widths = [STEM, *[stage.channels for stage in STAGES[:-1]]]
        self.stages = nn.ModuleList(
            _blocks(width, stage) for width, stage in zip(widths, STAGES, strict=True)
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(B, 3, H, W) in [-1, 1] to (B, C, H / n, W / n), rounded up, n = 4, 8, 16, 32."""
        x = F.relu6(self.stem(pictures))
        features = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in LAST:
                features.append(x / SPREAD)
        return features


class Bottleneck(nn.Module):
    """An inverted bottleneck: wide where it filters each channel, narrow between blocks."""

    def __init__(self, widths: tuple[int, int], kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inputs, outputs = widths
        inner = inputs * expansion
        self.expand = nn.Conv2d(inputs, inner, 1) if expansion > 1 else None
        self.filter = SameConv(inner, inner, kernel, stride, groups=inner)
        self.project = nn.Conv2d(inner, outputs, 1)
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C', h / stride, w / stride), rounded up."""
        wide = x if self.expand is None else F.relu6(self.expand(x))
        y: Tensor = self.project(F.relu6(self.filter(wide)))
        return x + y if self.skips else y


class SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow does, where these weights come from.

    An odd number of pixels to add, as a stride of two leaves on even sides, has its odd one to the
    right and below.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """(B, C, H, W) to (B, C', H / stride, W / stride), rounded up."""
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        pads = []
        for side in (input.shape[3], input.shape[2]):
            missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [missing // 2, missing - missing // 2]
        return super().forward(F.pad(input, pads))


def _blocks(inputs: int, stage: Stage) -> nn.Sequential:
    widths = [inputs, *[stage.channels] * stage.blocks]
    strides = [stage.stride, *[1] * (stage.blocks - 1)]
    return nn.Sequential(
        *[
            Bottleneck(pair, stage.kernel, stride, stage.expansion)
            for pair, stride in zip(pairwise(widths), strides, strict=True)
        ]
    )
