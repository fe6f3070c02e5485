"""Reads alpha off latents without decoding them: cheap enough to learn from at every step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FINER = 4
"""Alphas a latent along one side."""

WIDTH = 64
STEPS = 400
PICTURES = 96
RATE = 3e-3


class AlphaProbe(nn.Module):
    """Normalised latents (B, N, 16, h, w) to alphas (B, N, 4h, 4w) in [0, 1]."""

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, WIDTH, 3, padding=1)
        self.last = nn.Conv2d(WIDTH, FINER**2, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        """Return what the decoder would make of their alpha, at a coarser size."""
        hidden = F.silu(self.first(latents.flatten(0, 1)))
        alphas = F.pixel_shuffle(self.last(hidden), FINER).sigmoid()
        return alphas[:, 0].unflatten(0, latents.shape[:2])


def fit_probe(examples: Sequence[tuple[Tensor, Tensor]]) -> AlphaProbe:
    """Return a probe that has learned from latents and their true alphas, and learns no more."""
    probe = AlphaProbe(examples[0][0].shape[2]).to(examples[0][0].device)
    adam = torch.optim.AdamW(probe.parameters(), RATE)
    for step in range(STEPS):
        latents, alphas = examples[step % len(examples)]
        some = torch.randperm(alphas[..., 0, 0].numel(), device=alphas.device)[:PICTURES]
        found = probe(latents.flatten(0, 1)[some, None])
        loss = F.binary_cross_entropy(found, alphas.flatten(0, 1)[some, None].float())
        loss.backward()
        adam.step()
        adam.zero_grad()
    return probe.requires_grad_(requires_grad=False)


def true_alphas(pictures: Tensor, reduction: int) -> Tensor:
    """Return (B, N, 4, H, W) in [-1, 1] as the alphas (B, N, 4h, 4w) that a probe should read."""
    alphas = (pictures[:, :, 3] + 1) / 2
    return F.avg_pool2d(alphas, reduction // FINER).clamp(0, 1)
