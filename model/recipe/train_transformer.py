"""Trains the VLD-MMDiT on the latents of layer stacks, with the flow that samples later."""

from __future__ import annotations

import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from held_out import held_out, score_layers
from muon import Muon
from session import Average, Session
from stream import stream
from torch import Tensor

from layerctl_model.checkpoint import (
    load_transformer,
    load_vae,
    save_flow,
    save_index,
    save_transformer,
)
from layerctl_model.flow import Flow
from layerctl_model.functional import Grid, pack_latents
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
MEMORY_SCENES = 2560
USES = 3
MUON_RATE = 0.003
ADAM_RATE = 1e-3
PURE_NOISE = 0.9
COMPOSITE_WEIGHT = 0.25
"""The composite is thrown away after sampling and easy to draw: it should not lead the loss."""


@dataclass(frozen=True)
class Stage:
    """A stretch of training: the side of square pictures in pixels, scenes a step, minutes."""

    side: int
    batch: int
    minutes: float


def train_transformer(folder: Path, stage: Stage, device: torch.device, workers: int) -> None:
    """Train the checkpoint's transformer, a new one if it has none, and write the average.

    Stages follow each other: each has a state of its own to go on from after an interruption.
    """
    checkpoint = folder / "checkpoint"
    vae = load_vae(checkpoint, device, torch.float32).requires_grad_(requires_grad=False)
    network = begin(checkpoint).to(device)
    muon, adam = optimizers(network)
    average = Average(network)
    test = held_out(stage.side)

    def examine() -> dict[str, float]:
        steady = deepcopy(network).eval()
        average.copy_to(steady)
        return score_layers(steady, vae, FLOW, test.to(device))

    session = Session(
        folder / f"train-transformer-{stage.side}",
        stage.minutes * 60,
        {"network": network, "muon": muon, "adam": adam, "average": average},
        examine,
    )
    session.resume()
    fresh = stream(stage.batch, session.steps, workers, stage.side)
    batches = recall(encoded(vae, fresh, device), MEMORY_SCENES // stage.batch)
    for factor in session.run():
        muon.param_groups[0]["lr"] = MUON_RATE * factor
        adam.param_groups[0]["lr"] = ADAM_RATE * factor
        with torch.autocast(device.type, torch.bfloat16):
            loss = flow_loss(network, next(batches))
        if not session.sound(loss):
            continue
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimizer in (muon, adam):
            optimizer.step()
            optimizer.zero_grad()
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
def encoded(vae: RGBAVae, batches: Iterator[Tensor], device: torch.device) -> Iterator[Tensor]:
    """Yield batches as normalised latents (B, N + 1, 16, h, w)."""
    for frames in batches:
        pictures = frames.flatten(0, 1).to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            latents = vae.normalise(vae.encode(pictures).float())
        yield latents.unflatten(0, frames.shape[:2])


def recall(batches: Iterator[Tensor], most: int) -> Iterator[Tensor]:
    """Yield each batch now, and older ones from memory in between: scenes cost more than steps."""
    memory: list[Tensor] = []
    for batch in batches:
        memory.append(batch)
        if len(memory) > most:
            memory.pop(random.randrange(most))  # noqa: S311 - not a secret
        yield batch
        for _ in range(USES - 1):
            yield random.choice(memory)  # noqa: S311


def draw_sigmas(count: int, tokens: int) -> Tensor:
    """Return noise levels for training: most are pure noise, the others spread as in sampling.

    At pure noise the network sees nothing but the photo, and learns the mean of what its layers
    may be: all that the shipped model needs, which takes a single step.
    """
    spread = FLOW.warp(1 - torch.rand(count), tokens)
    return torch.where(torch.rand(count) < PURE_NOISE, torch.ones(count), spread)


def flow_loss(network: VLDMMDiT, latents: Tensor) -> Tensor:
    """Squared error of the velocity at random noise levels, spread as in sampling.

    `latents` is (B, N + 1, 16, h, w): the composite, then the layers bottom first.
    """
    tokens = pack_latents(latents)
    condition = pack_latents(latents[:, :1])
    grid: Grid = (latents.shape[1] + 1, latents.shape[3] // 2, latents.shape[4] // 2)
    sigma = draw_sigmas(len(tokens), condition.shape[1]).to(tokens)
    eps = torch.randn_like(tokens)
    text = tokens.new_zeros(len(tokens), 1, SIZES.joint_attention_dim)
    noisy = torch.cat([FLOW.noise(tokens, eps, sigma), condition], dim=1)
    velocity = network(noisy, text, sigma, grid)[:, : tokens.shape[1]]
    error = (velocity.float() - FLOW.velocity(tokens, eps)).square().mean(dim=-1)
    composite = condition.shape[1]
    return error[:, composite:].mean() + COMPOSITE_WEIGHT * error[:, :composite].mean()
