"""What the transformer is told of its mistakes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from assignment import arrange, assign
from probe import FINER, AlphaProbe
from torch import Tensor

from layerctl_model.flow import Flow
from layerctl_model.functional import Grid, pack_latents, unpack_latents
from layerctl_model.transformer import VLDMMDiT

PURE_NOISE = 0.95
"""Share of the examples at pure noise, where the network sees nothing but the photo.

It learns the mean of what the layers may be: all that the shipped model needs, which takes a single
step.
"""

FIXED = 2
"""The composite and the backdrop have their places; the layers above may come in any order."""

COMPOSITE_WEIGHT = 0.25
"""The composite is thrown away after sampling and easy to draw: it should not lead the loss."""

CLEAR_WEIGHT = 0.25
"""What is clear counts less than what is there: things in doubt would be drawn in no layer."""

OUTLINE_WEIGHT = 0.15
"""How much a wrong outline counts beside wrong latents."""

CLEAR = 0.05
"""Alpha up to which nothing is there."""


@dataclass(frozen=True, eq=False)
class Stacks:
    """A batch of layer stacks: the composite, then the layers bottom first.

    `latents` is (B, N + 1, 16, h, w), normalised; `alphas` (B, N + 1, 4h, 4w) in [0, 1].
    """

    latents: Tensor
    alphas: Tensor

    def shuffled(self) -> Stacks:
        """Return the stacks with the layers above the backdrop in random orders."""
        places = torch.rand(self.latents.shape[:2], device=self.latents.device)
        places[:, :FIXED] = torch.arange(-FIXED, 0)
        order = places.argsort(dim=1)
        return Stacks(arrange(self.latents, order), arrange(self.alphas, order))


def flow_loss(network: VLDMMDiT, flow: Flow, probe: AlphaProbe, stacks: Stacks) -> Tensor:
    """Return the error of the velocity, and of the alpha it leads to, at random noise levels.

    In the order in which the layers above the backdrop are nearest to the true ones, unless noise
    has left something of them to see, which settles their order.
    """
    stacks = stacks.shuffled()
    _, frames, _, height, width = stacks.latents.shape
    tokens, condition = pack_latents(stacks.latents), pack_latents(stacks.latents[:, :1])
    grid: Grid = (frames, height // 2, width // 2)
    sigma = draw_sigmas(flow, len(tokens), condition.shape[1]).to(tokens)
    eps = torch.randn_like(tokens)
    text = tokens.new_zeros(len(tokens), 1, network.sizes.joint_attention_dim)
    noisy = torch.cat([flow.noise(tokens, eps, sigma), condition], dim=1)
    velocity = network(noisy, text, sigma, (frames + 1, *grid[1:]))[:, : tokens.shape[1]]
    # The velocity's error is that of the latents it leads to, whatever the noise level.
    found = eps - velocity.float()
    alphas = probe(unpack_latents(found, grid))
    found, truth = (x.unflatten(1, (frames, -1)) for x in (found, tokens))
    weights = token_weights(stacks.alphas)
    fixed = (weights * (found - truth).square().mean(dim=-1))[:, :FIXED].mean(dim=(0, 2))
    costs = latent_costs(found[:, FIXED:], truth[:, FIXED:], weights[:, FIXED:])
    costs = costs + OUTLINE_WEIGHT * outline_costs(alphas[:, FIXED:], stacks.alphas[:, FIXED:])
    layers = nearest(costs, settled=sigma < 1)
    return (COMPOSITE_WEIGHT * fixed[0] + fixed[1] + layers) / frames


def draw_sigmas(flow: Flow, count: int, tokens: int) -> Tensor:
    """Return noise levels for training: most are pure noise, the others spread as in sampling."""
    spread = flow.warp(1 - torch.rand(count), tokens)
    return torch.where(torch.rand(count) < PURE_NOISE, torch.ones(count), spread)


def token_weights(alphas: Tensor) -> Tensor:
    """Return how much each token counts, by what it holds: (B, N, 4h, 4w) -> (B, N, S)."""
    there = F.max_pool2d(alphas.float(), 2 * FINER).flatten(2) > CLEAR
    return torch.where(there, 1.0, CLEAR_WEIGHT)


def latent_costs(found: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted squared error of each found layer (B, N, S, C) beside each true one."""
    apart = (found[:, :, None] - truth[:, None]).square().mean(dim=-1)
    return (weights[:, None] * apart).mean(dim=-1)


def outline_costs(found: Tensor, truth: Tensor) -> Tensor:
    """Return 1 - soft IoU of each found alpha (B, N, H, W) beside each true one: (B, N, N).

    Beside an empty layer it is the mean of what was found.
    """
    found, truth = found.flatten(2)[:, :, None], truth.float().flatten(2)[:, None]
    empty = truth.amax(dim=-1) <= CLEAR
    return torch.where(empty, found.mean(dim=-1), 1 - soft_iou(found, truth))


def soft_iou(first: Tensor, second: Tensor) -> Tensor:
    """Return sum min / sum max over the last axis of two alphas; 0 where both are clear."""
    either = torch.maximum(first, second).sum(dim=-1)
    return torch.minimum(first, second).sum(dim=-1) / either.clamp_min(1e-6)


def nearest(costs: Tensor, settled: Tensor) -> Tensor:
    """Return what the cheapest assignment costs, or the given one where that is settled.

    `costs` is (B, N, N), what it costs that found layer i stands for true layer j; `settled` (B,).
    """
    given = torch.arange(costs.shape[1], device=costs.device).expand(costs.shape[:2])
    order = torch.where(settled[:, None], given, assign(costs.detach()))
    return costs.gather(2, order[..., None]).sum(dim=(1, 2)).mean()
