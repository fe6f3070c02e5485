"""Pure tensor functions of the network: embeddings of time and place, attention, packing."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

# A grid of picture tokens: (frames including the condition picture, rows, columns).
Grid = tuple[int, int, int]


def timestep_embedding(t: Tensor, dim: int = 256, scale: float = 1000.0) -> Tensor:
    """Sinusoids of the time t in [0, 1], cosines first (DDPM, arXiv 2006.11239): (B,) -> (B, dim).

    The result is fp32 whatever the precision of t: at scale 1000 bf16 would round the angles.
    """
    half = dim // 2
    index = torch.arange(half, dtype=torch.float32, device=t.device)
    angles = scale * (t.float()[:, None] * torch.exp(-math.log(10_000) * index / half))
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


@lru_cache(maxsize=16)
@torch.inference_mode(mode=False)
def layer3d_rope(
    grid: Grid, text_length: int, axes: tuple[int, ...], theta: float, device: torch.device
) -> Tensor:
    """Layer3D RoPE (arXiv 2512.15603): unit complex numbers, (T + F * R * C, sum(axes) / 2).

    Text comes first. Its positions begin beyond every picture position on all three axes. The
    last frame is the condition picture and lies at frame -1, below all layers; rows and columns
    count from the centre. Tables are kept for the last grids: training and sampling repeat them,
    and made outside inference mode, so that one made while sampling serves training too.
    """
    frames, rows, cols = grid
    layer = torch.cat([torch.arange(frames - 1), torch.tensor([-1])])
    place = torch.cartesian_prod(layer, _centred(rows), _centred(cols))
    text_start = max(rows // 2, cols // 2, frames - 1)
    text = torch.arange(text_start, text_start + text_length)[:, None].expand(-1, 3)
    position = torch.cat([text, place])  # (T + F * R * C, 3)
    angles = torch.cat(
        [position[:, i, None] * _frequencies(dim, theta) for i, dim in enumerate(axes)], dim=-1
    )
    return torch.polar(torch.ones_like(angles), angles).to(device)


def _centred(length: int) -> Tensor:
    return torch.arange(length) - (length - length // 2)


def _frequencies(dim: int, theta: float) -> Tensor:
    return 1.0 / torch.pow(theta, torch.arange(0, dim, 2, dtype=torch.float32) / dim)


def apply_rope(x: Tensor, rope: Tensor) -> Tensor:
    """Turn neighbouring channels as complex numbers, in fp32: (B, S, H, D), (S, D / 2) -> x."""
    pairs = torch.view_as_complex(torch.unflatten(x.float(), -1, (-1, 2)))
    return torch.view_as_real(pairs * rope[:, None]).flatten(-2).type_as(x)


def attention(q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None = None) -> Tensor:
    """Softmax attention: three of (B, S, H, D) -> (B, S, H * D); False in key_mask (B, S) hides."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    mask = None if key_mask is None else key_mask[:, None, None, :]
    training_on_cpu = q.requires_grad and q.device.type == "cpu"
    kernel = _plain_attention if training_on_cpu else F.scaled_dot_product_attention
    return kernel(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


def _plain_attention(q: Tensor, k: Tensor, v: Tensor, *, attn_mask: Tensor | None) -> Tensor:
    """Attention by two products: on a CPU its backward pass is twice as fast as the fused one."""
    scores = (q * q.shape[-1] ** -0.5) @ k.mT  # (B, H, S, S)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, float("-inf"))
    return scores.softmax(dim=-1) @ v


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Adaptive layer norm (DiT, arXiv 2212.09748): (B, S, D) with shift and scale (B, 1, D)."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


def pack_latents(latents: Tensor) -> Tensor:
    """Latents become tokens of 2 x 2 patches: (B, F, C, h, w) -> (B, F * h/2 * w/2, C * 4).

    Channels of a token are ordered (channel, row in patch, column in patch).
    """
    B, frames, channels, h, w = latents.shape
    patches = latents.reshape(B, frames, channels, h // 2, 2, w // 2, 2)
    return patches.permute(0, 1, 3, 5, 2, 4, 6).flatten(4).flatten(1, 3)


def unpack_latents(tokens: Tensor, grid: Grid) -> Tensor:
    """Undo `pack_latents`: (B, F * R * C, 4 * channels) -> (B, F, channels, 2R, 2C)."""
    patches = tokens.reshape(len(tokens), *grid, -1, 2, 2)
    return patches.permute(0, 1, 4, 2, 5, 3, 6).flatten(5).flatten(3, 4)
