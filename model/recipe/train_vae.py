"""Trains the RGBA-VAE on the photos and layers of procedural scenes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from muon import Muon
from session import Session, learn
from stream import stream
from torch import Tensor

from layerctl_model.checkpoint import save_vae
from layerctl_model.vae import RGBAVae, VaeSizes

SIZES = VaeSizes(
    base_dim=16,
    num_res_blocks=1,
    dim_mult=(1, 2, 4, 4, 4),
    temperal_downsample=(False, False, False, False),
)
"""One halving more than the published one: 256 pixels are as many tokens as 128 were to it."""

CROP = 128
CROPS, PICTURES = 8, 2
"""Pictures a step: cropped ones while training is young, whole ones later."""

FULL_SIZE_FROM = 0.7
MUON_RATE = 3e-3
ADAM_RATE = 1e-3
KL_WEIGHT = 1e-5
FIRST_LOG_VARIANCE = -6.0
"""Latents begin nearly without noise: under unit noise colour is given up before it is learned."""


def train_vae(folder: Path, minutes: float, device: torch.device, workers: int) -> None:
    """Train for so many minutes in all, then write the checkpoint's `vae` folder."""
    vae = RGBAVae(SIZES).to(device, memory_format=torch.channels_last)
    initialise(vae)
    kernels = [p for p in vae.parameters() if p.ndim == 4]
    others = [p for p in vae.parameters() if p.ndim != 4]
    muon = Muon(kernels, MUON_RATE, decay=0.0)
    adam = torch.optim.AdamW(others, ADAM_RATE, betas=(0.9, 0.98))
    modules = {"vae": vae, "muon": muon, "adam": adam}
    session = Session(folder / "train-vae", minutes * 60, modules)
    session.resume()
    batches = stream(4, session.steps, workers)
    for factor in session.run():
        muon.param_groups[0]["lr"] = MUON_RATE * factor
        adam.param_groups[0]["lr"] = ADAM_RATE * factor
        full = session.elapsed > FULL_SIZE_FROM * session.budget
        pictures = pick(next(batches), full_size=full).to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            loss = reconstruction_loss(vae, pictures)
        if not session.sound(loss):
            continue
        learn(vae, loss, muon, adam)
    vae = with_statistics(vae.float(), stream(8, 1 << 20, 0))
    save_vae(vae.bfloat16(), folder / "checkpoint")


@torch.no_grad()
def initialise(vae: RGBAVae) -> None:
    """Fill the VAE so that signals keep their size: smaller weights learn colour very late."""
    for module in vae.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            torch.nn.init.zeros_(module.bias)
    torch.nn.init.constant_(vae.quant_conv.bias[SIZES.z_dim :], FIRST_LOG_VARIANCE)


def pick(frames: Tensor, *, full_size: bool) -> Tensor:
    """Return random pictures out of a batch of frame stacks, cropped while training is young."""
    pictures = frames.flatten(0, 1)
    if full_size:
        return pictures[torch.randperm(len(pictures))[:PICTURES]]
    height, width = pictures.shape[2:]
    top = int(torch.randint(height - CROP + 1, ()))
    left = int(torch.randint(width - CROP + 1, ()))
    crops = pictures[..., top : top + CROP, left : left + CROP]
    return crops[torch.randperm(len(crops))[:CROPS]]


def reconstruction_loss(vae: RGBAVae, pictures: Tensor) -> Tensor:
    """How far what is seen and its edges are off, alpha twice, what is clear a little, and KL."""
    mean, log_variance = vae.moments(pictures)
    mean, log_variance = mean.float(), log_variance.float()
    latents = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
    decoded = vae.decode(latents).float()
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
    seen, truth = premultiplied(decoded), premultiplied(pictures)
    clear = (decoded - pictures).abs().mean()
    tint = distance(opponents(seen), opponents(truth))
    outline = distance(seen[:, 3:], truth[:, 3:])
    return distance(seen, truth) + outline + tint + 0.2 * clear + KL_WEIGHT * kl


def premultiplied(pictures: Tensor) -> Tensor:
    """Return straight RGBA in [-1, 1] as premultiplied RGB over black, and alpha, in [0, 1]."""
    unit = (pictures + 1) / 2
    return torch.cat([unit[:, :3] * unit[:, 3:], unit[:, 3:]], dim=1)


def opponents(pictures: Tensor) -> Tensor:
    """Return red against green and blue against yellow: the axes on which neighbours hardly differ.

    Pictures are so much alike in their three channels that the plain distance learns hue last.
    """
    red, green, blue = pictures[:, :3].unbind(dim=1)
    return torch.stack([red - green, blue - (red + green) / 2], dim=1)


def distance(pictures: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute and squared difference of pixels, and of the steps between neighbours."""
    error = pictures - truth
    across, down = error.diff(dim=-1).abs().mean(), error.diff(dim=-2).abs().mean()
    return error.abs().mean() + error.square().mean() + across + down


@torch.no_grad()
def with_statistics(vae: RGBAVae, batches: Iterator[Tensor], count: int = 30) -> RGBAVae:
    """Return the VAE with the mean and spread of its latents written into its sizes."""
    stacks = (next(batches).flatten(0, 1) for _ in range(count))
    device = vae.quant_conv.weight.device
    channels = torch.cat(
        [vae.encode(p.to(device)).transpose(0, 1).flatten(1) for p in stacks], dim=1
    )
    vae.sizes = replace(
        vae.sizes,
        latents_mean=tuple(round(x, 5) for x in channels.mean(dim=1).tolist()),
        latents_std=tuple(round(x, 5) for x in channels.std(dim=1).tolist()),
    )
    return vae
