"""Trains the VLD-MMDiT on the latents of layer stacks, with the flow that samples later."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from pathlib import Path

import torch
from held_out import held_out, score_layers
from loss import Stacks, flow_loss
from muon import Muon
from probe import fit_probe, true_alphas
from session import Average, Session, learn
from stream import ahead, recall, stream
from torch import Tensor

from layerctl_model.checkpoint import (
    load_transformer,
    load_vae,
    save_flow,
    save_index,
    save_transformer,
)
from layerctl_model.flow import Flow
from layerctl_model.transformer import TransformerSizes, VLDMMDiT, initialise
from layerctl_model.vae import RGBAVae

SIZES = TransformerSizes(
    num_layers=6,
    num_attention_heads=4,
    attention_head_dim=64,
    joint_attention_dim=64,
    axes_dims_rope=(16, 24, 24),
)
FLOW = Flow(shift_terminal=None)
BATCH = 16
MEMORY_SCENES = 2560
USES = 4
MUON_RATE = 0.003
ADAM_RATE = 1e-3
ENCODED_AT_ONCE = 16
PROBED = 12


def train_transformer(folder: Path, minutes: float, device: torch.device, workers: int) -> None:
    """Train the checkpoint's transformer, a new one if it has none, and write the average."""
    checkpoint = folder / "checkpoint"
    vae = load_vae(checkpoint, device, torch.float32).requires_grad_(requires_grad=False)
    network = begin(checkpoint).to(device)
    muon, adam = optimizers(network)
    average = Average(network)
    test = held_out()

    def examine() -> dict[str, float]:
        steady = deepcopy(network).eval()
        average.copy_to(steady)
        return score_layers(steady, vae, FLOW, test.to(device))

    session = Session(
        folder / "train-transformer",
        minutes * 60,
        {"network": network, "muon": muon, "adam": adam, "average": average},
        examine,
    )
    session.resume()
    fresh = stream(BATCH, session.steps, workers)
    batches = recall(ahead(encoded(vae, fresh, device)), MEMORY_SCENES // BATCH, USES)
    probe = fit_probe([(one.latents, one.alphas) for one in islice(batches, PROBED)])
    for factor in session.run():
        muon.param_groups[0]["lr"] = MUON_RATE * factor
        adam.param_groups[0]["lr"] = ADAM_RATE * factor
        with torch.autocast(device.type, torch.bfloat16):
            loss = flow_loss(network, FLOW, probe, next(batches))
        if not session.sound(loss):
            continue
        learn(network, loss, muon, adam)
        average.update(network, session.steps)
    average.copy_to(network)
    save_transformer(network.bfloat16(), checkpoint)
    save_flow(FLOW, checkpoint)
    save_index(checkpoint)


def begin(checkpoint: Path) -> VLDMMDiT:
    """Return the checkpoint's transformer in fp32, or a new one where it has none yet."""
    if (checkpoint / "transformer").exists():
        return load_transformer(checkpoint, "cpu", torch.float32).train()
    network = VLDMMDiT(SIZES)
    initialise(network)
    return network


def optimizers(network: VLDMMDiT) -> tuple[Muon, torch.optim.AdamW]:
    """Return Muon for the matrices of the picture stream's blocks, and AdamW for everything else.

    The text stream carries one constant token here, and modulations are not square in any sense:
    neither is worth an orthogonalisation.
    """
    matrices, others = [], []
    for name, parameter in network.named_parameters():
        inside = "transformer_blocks" in name and "mod" not in name
        text = "txt" in name or "add_" in name or "added" in name
        chosen = matrices if inside and parameter.ndim == 2 and not text else others
        chosen.append(parameter)
    return Muon(matrices, MUON_RATE), torch.optim.AdamW(others, ADAM_RATE, betas=(0.9, 0.98))


@torch.no_grad()
def encoded(vae: RGBAVae, batches: Iterator[Tensor], device: torch.device) -> Iterator[Stacks]:
    """Yield batches of (B, N + 1, 4, H, W) as the transformer learns from them."""
    for frames in batches:
        pictures = frames.flatten(0, 1).to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            parts = [vae.encode(part).float() for part in pictures.split(ENCODED_AT_ONCE)]
        latents = vae.normalise(torch.cat(parts)).unflatten(0, frames.shape[:2])
        yield Stacks(latents, true_alphas(frames, vae.sizes.reduction).to(device, torch.float16))
