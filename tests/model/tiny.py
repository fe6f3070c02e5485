"""Tiny random networks as diffusers builds and saves them: the other side of every parity test."""

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImageTransformer2DModel,
)

from layerctl_model.checkpoint import save_index
from layerctl_model.separator import Fields

TEXT_WIDTH = 24
VIDEO = (False, True, True)
PICTURES = (False, False, False)
SMALLER = (False, False, False, False)
"""One halving more, as in mini: 16 pixels a latent."""

MULTIPLES = [1, 2, 4, 4, 4]


def reference_vae(seed, temporal=VIDEO):
    torch.manual_seed(seed)
    vae = AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=16,
        dim_mult=MULTIPLES[: len(temporal) + 1],
        num_res_blocks=1 + seed % 2,
        temperal_downsample=list(temporal),
        input_channels=4,
        latents_mean=torch.randn(16).tolist(),
        latents_std=(0.5 + torch.rand(16)).tolist(),
    )
    return shaken(vae)


def reference_transformer(seed):
    torch.manual_seed(seed)
    network = QwenImageTransformer2DModel(
        num_layers=2,
        num_attention_heads=2,
        attention_head_dim=16,
        joint_attention_dim=TEXT_WIDTH,
        axes_dims_rope=(4, 6, 6),
        use_additional_t_cond=True,
        use_layer3d_rope=True,
    )
    return shaken(network)


def reference_scheduler(**config):
    config = {"use_dynamic_shifting": True, "shift_terminal": 0.02, **config}
    return FlowMatchEulerDiscreteScheduler(**config)


def shaken(network):
    """Move what starts at zero or one, gammas and biases: a fresh network would hide mistakes."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1 or parameter.shape[1:].numel() == 1:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return network.eval().requires_grad_(requires_grad=False)


def reference_checkpoint(folder, seed, temporal=VIDEO):
    """Save a whole checkpoint as diffusers does, and return its networks: (vae, transformer)."""
    vae, transformer = reference_vae(seed, temporal), reference_transformer(seed)
    vae.save_pretrained(folder / "vae")
    transformer.save_pretrained(folder / "transformer")
    reference_scheduler().save_pretrained(folder / "scheduler")
    return vae, transformer


def sharded_checkpoint(folder, seed):
    """Save a whole checkpoint without text, each network in several files and an index."""
    reference_vae(seed).save_pretrained(folder / "vae", max_shard_size="60KB")
    reference_transformer(seed).save_pretrained(folder / "transformer", max_shard_size="20KB")
    reference_scheduler().save_pretrained(folder / "scheduler")
    save_index(folder)
    return folder


def fields_of(labels, order):
    """Fields of a network that is sure of every pixel: `labels` (h, w), 0 is the background."""
    labels = torch.tensor(labels)
    keys = torch.stack([(labels == thing).float() for thing in range(1, len(order) + 1)])[None]
    kinds = torch.stack([labels == 0, labels > 0, torch.zeros_like(labels)])[None].float()
    nearness = torch.zeros(labels.shape)
    for place, thing in enumerate(order):
        nearness[labels == thing] = float(place)
    sure = 2 * keys - 1
    return Fields(20 * kinds, 20 * keys, sure, sure, nearness[None, None])
