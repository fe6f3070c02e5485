"""Matrices as 8-bit floats: half the memory of bf16, and twice the arithmetic where a card has it.

Weights are e4m3 with one scale per output channel; on cards with 8-bit arithmetic so are the
activations, with one scale per token, found as they come (FP8 formats, arXiv 2209.05433).
Elsewhere a weight is widened when it is used. Only matrices of the blocks are narrowed, and of
those neither the modulation nor the picture stream's second MLP layer, which bear it badly.

On the shipped model velocities stay within 8 % of the exact ones, and layers within one level of
255 on average; its tests hold it to that and print how far it really is.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerctl_model.transformer import VLDMMDiT

FLOAT8 = torch.float8_e4m3fn
SENSITIVE = ("img_mod", "txt_mod", "img_mlp.net.2")


class Float8Linear(nn.Module):
    """A linear layer whose weight is e4m3 (D, C), with fp32 scales (D, 1)."""

    weight: Tensor
    scale: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight, scale = narrow(linear.weight.detach())
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., D)."""
        if not multiplies_float8(x.device):
            # Scales are powers of two: nothing is rounded here.
            return F.linear(x, self.weight.to(x.dtype) * self.scale.to(x.dtype), self.bias)
        return self.multiply(x)

    def multiply(self, x: Tensor) -> Tensor:
        """The same with activations narrowed too: (..., C) -> (..., D)."""
        rows, scale = narrow(x.flatten(0, -2))
        y = torch._scaled_mm(  # noqa: SLF001 - its only name so far
            rows,
            self.weight.t(),
            scale_a=scale,
            scale_b=self.scale.t(),
            bias=self.bias.bfloat16(),
            out_dtype=torch.bfloat16,
        )
        return y.reshape(*x.shape[:-1], -1).type_as(x)


def narrow(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows as e4m3 and their scales, powers of two: (R, C) -> (R, C), fp32 (R, 1)."""
    _, exponent = torch.frexp(x.abs().amax(dim=-1, keepdim=True).float())
    scale = torch.exp2(exponent - 8.0)  # the largest of a row comes to lie in [128, 256]
    return (x / scale.type_as(x)).to(FLOAT8), scale


def quantize(network: VLDMMDiT) -> None:
    """Give a network 8-bit matrices instead of its own, wherever it bears them."""
    for name, module in list(network.transformer_blocks.named_modules()):
        if isinstance(module, nn.Linear) and not any(part in name for part in SENSITIVE):
            network.transformer_blocks.set_submodule(name, Float8Linear(module))


def quantized(
    tensors: Iterator[tuple[str, Tensor]], network: VLDMMDiT, device: torch.device
) -> Iterator[tuple[str, Tensor]]:
    """The tensors of an unquantised checkpoint as a quantised network names them.

    One matrix after another is narrowed on the device; the others pass as they are.
    """
    scales = {name for name in network.state_dict() if name.endswith(".scale")}
    for name, tensor in tensors:
        scale_name = name.removesuffix("weight") + "scale"
        if name.endswith(".weight") and scale_name in scales:
            weight, scale = narrow(tensor.to(device))
            yield name, weight
            yield scale_name, scale
        else:
            yield name, tensor


@cache
def multiplies_float8(device: torch.device) -> bool:
    """Whether a card multiplies e4m3 matrices with a scale per row: found by trying it."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < (8, 9):
        return False
    ones = torch.ones(16, 16, device=device)
    layer = Float8Linear(nn.Linear(16, 16, device=device, dtype=torch.bfloat16))
    try:
        layer.multiply(ones.bfloat16())
    except RuntimeError:  # Ada cards in versions of torch that know row-wise scales on Hopper only
        return False
    return True
