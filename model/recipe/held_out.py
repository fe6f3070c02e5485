"""Scenes that no training sees, and how well a network in training takes them apart."""

from __future__ import annotations

import numpy as np
import torch
from assignment import assign
from loss import soft_iou
from stream import SIDE, draw
from torch import Tensor

from layerctl_model.flow import Flow, Guidance, Text
from layerctl_model.functional import pack_latents, unpack_latents
from layerctl_model.transformer import VLDMMDiT
from layerctl_model.vae import RGBAVae

SEED = 20_512_15603
SCENES = 32
LAYERS = 6
STEPS = 1
THERE = 0.5
"""Alpha that a true layer reaches somewhere if it is not one of the empty ones."""


def held_out() -> Tensor:
    """Return the scenes, always the same: (32, 7, 4, 256, 256), in [-1, 1], the photo first."""
    rng = np.random.default_rng(SEED)
    return torch.stack([draw(rng, LAYERS, SIDE, SIDE) for _ in range(SCENES)])


@torch.inference_mode()
def score_layers(network: VLDMMDiT, vae: RGBAVae, flow: Flow, scenes: Tensor) -> dict[str, float]:
    """Return the mean overlap of layers with the true ones, and the backdrop's L1.

    Overlap is the soft IoU of alpha, without the backdrop and without empty layers, in the order in
    which it is best; both scores are those of the network's own output in [0, 1], before any lift.
    """
    truth, found = (scenes[:, 1:] + 1) / 2, (decomposed(network, vae, flow, scenes[:, 0]) + 1) / 2
    alpha, guess = truth[:, 1:, 3].flatten(2), found[:, 1:, 3].flatten(2)
    there = alpha.amax(dim=-1) > THERE
    overlaps = soft_iou(guess[:, :, None], alpha[:, None]) * there[:, None]
    best = assign(-overlaps)
    overlap, there = overlaps.gather(2, best[..., None])[..., 0], there.gather(1, best)
    backdrop = (truth[:, 0, :3] - found[:, 0, :3]).abs().mean()
    return {"overlap": overlap[there].mean().item(), "backdrop": backdrop.item()}


def decomposed(network: VLDMMDiT, vae: RGBAVae, flow: Flow, photos: Tensor) -> Tensor:
    """Return the network's layers of photos: (B, 4, H, W) -> (B, N, 4, H, W), in [-1, 1]."""
    condition = vae.normalise(vae.encode(photos))[:, None]
    batch, _, channels, height, width = condition.shape
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.randn((batch, LAYERS + 1, channels, height, width), generator=generator)
    grid = (LAYERS + 2, height // 2, width // 2)
    nothing = Text(photos.new_zeros(batch, 1, network.sizes.joint_attention_dim))
    steps = flow.denoise(
        network,
        pack_latents(noise.to(photos)),
        pack_latents(condition),
        Guidance(nothing),
        grid,
        STEPS,
    )
    *_, tokens = steps
    latents = unpack_latents(tokens, (LAYERS + 1, *grid[1:]))[:, 1:]
    pictures = vae.decode(vae.denormalise(latents.flatten(0, 1))).clamp(-1, 1)
    return pictures.unflatten(0, (batch, LAYERS))
