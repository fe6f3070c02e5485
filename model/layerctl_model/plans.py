"""How a checkpoint can run on a machine, and the bytes that takes, before any weight is read.

| name     | modulation weights | blocks                                                      |
|----------|--------------------|-------------------------------------------------------------|
| whole    | on the device      | on the device                                               |
| resident | in the file        | on the device                                               |
| streamed | in the file        | some on the device, the others come from the host's memory  |
| mapped   | in the file        | some on the device, the others come from the file           |

All give the same layers, to the bit. Narrowing matrices to 8 bits changes them a little and is
therefore never chosen here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from layerctl_model.checkpoint import (
    empty_separator,
    empty_transformer,
    empty_vae,
    has_separator,
)
from layerctl_model.folder import TEXT_WEIGHTS, CheckpointError, read_json
from layerctl_model.functional import layer3d_rope
from layerctl_model.modulation import modulation_names
from layerctl_model.quantize import Float8Linear, quantize
from layerctl_model.settings import Settings, bucket_size
from layerctl_model.shards import examine
from layerctl_model.transformer import VLDMMDiT
from layerctl_model.vae import VaeSizes

Name = Literal["whole", "resident", "streamed", "mapped"]

WORKSPACE = 1 << 30
"""Bytes for what kernels take beside their tensors and what an allocator loses to rounding."""

SLOTS = 2
"""Blocks that have room on the device beside those that stay there."""

TEXT_TOKENS = 512
"""What a caption has at most."""

CAPTIONED_AT_ONCE = 8
"""Pictures; more only make captions faster while there is memory for them."""

PIXELS_PER_TEXT_TOKEN = 28**2
"""How a picture is cut up for the text encoder."""


@dataclass(frozen=True)
class Plan:
    """One way to run a checkpoint.

    Attributes:
        name: Where weights wait; see above.
        quantized: Whether the matrices of the blocks have 8 bits.
        resident_blocks: How many of the blocks stay on the device.
        blocks: How many there are.
        device_bytes: What the device must have free once the text encoder is gone.
        host_bytes: Pinned memory on the host.
        text_bytes: What a device must have free for the text encoder, before the others come.
    """

    name: Name
    quantized: bool
    resident_blocks: int
    blocks: int
    device_bytes: int
    host_bytes: int
    text_bytes: int = 0


def possible(
    folder: Path, settings: Settings, *, dtype: torch.dtype, quantized: bool = False
) -> tuple[Plan, ...]:
    """All plans for a checkpoint, fastest first, from its configs and headers alone.

    Args:
        folder: In the layout of diffusers.
        settings: How large the pictures are seen, in how many layers and steps.
        dtype: In which precision it would compute.
        quantized: Whether it would be loaded with 8-bit matrices.

    Raises:
        CheckpointError: A config or header is missing or damaged.
    """
    network = empty_transformer(folder).to(dtype)
    if quantized:
        quantize(network)
    vae = empty_vae(folder).to(dtype)
    tokens = picture_tokens(vae.sizes, settings)
    pictures = max(denoising_bytes(network, tokens), vae_bytes(vae.sizes, settings, dtype))
    block, modulation, rest = transformer_bytes(network)
    everywhere = rest + _bytes(vae) + table_bytes(network, settings) + pictures + WORKSPACE
    if has_separator(folder):
        everywhere += _bytes(empty_separator(folder).to(dtype))
    text = text_bytes(folder, settings, dtype)
    total = len(network.transformer_blocks)

    def plan(name: Name, resident: int, on_device: int, on_host: int = 0) -> Plan:
        return Plan(name, quantized, resident, total, everywhere + on_device, on_host, text)

    # With two slots, a plan saves nothing until three blocks are away.
    fewer = range(total - SLOTS - 1, -1, -1)
    pinned = pinned_bytes(block)
    plans = [
        plan("whole", total, total * block + modulation),
        plan("resident", total, total * block),
        *(plan("streamed", n, (n + SLOTS) * block, (total - n) * pinned) for n in fewer),
    ]
    if not quantized:
        plans += [plan("mapped", n, (n + SLOTS) * block) for n in fewer]
    return tuple(plans)


def choose(plans: Iterable[Plan], device_free: int, host_free: int) -> Plan | None:
    """The fastest plan that fits, if any does.

    Where device and host share one memory, as on a CPU, pass 0 for the host: blocks copied
    within it would only need it twice.
    """
    fits = (p for p in plans if p.device_bytes <= device_free and p.host_bytes <= host_free)
    return next(fits, None)


def below(plans: Iterable[Plan], failed: Plan, host_free: int) -> Plan | None:
    """The plan to go on with where one ran out of memory: the fastest that needs clearly less.

    Catch `torch.OutOfMemoryError`, leave the `except` clause, which holds the frames that hold
    the tensors, drop the decomposer, call `layerctl_model.placement.release`, load anew.
    """
    return choose(plans, failed.device_bytes * 7 // 8, host_free)


def outline(plans: Sequence[Plan]) -> tuple[Plan, ...]:
    """Of every name the plan that needs the least of the device: what is worth printing."""
    return tuple({plan.name: plan for plan in plans}.values())


def transformer_bytes(network: VLDMMDiT) -> tuple[int, int, int]:
    """Bytes of one block without modulation, of all modulation, and of all that remains."""
    modulation = sum(_bytes(network.get_submodule(name)) for name in modulation_names(network))
    blocks = _bytes(network.transformer_blocks) + _bytes(network.norm_out) - modulation
    rest = _bytes(network) - modulation - blocks
    return blocks // len(network.transformer_blocks), modulation, rest


def table_bytes(network: VLDMMDiT, settings: Settings) -> int:
    """Bytes of the modulations of all steps: six of the width twice a block, and two at the end."""
    sizes = network.sizes
    vectors = 12 * sizes.num_layers + 2
    return settings.steps * vectors * sizes.width * network.proj_out.weight.itemsize


def picture_tokens(sizes: VaeSizes, settings: Settings) -> int:
    """The most tokens of a picture's layers, its composite and itself, two latents a side each."""
    pixels = (settings.layers + 2) * largest_bucket(settings.resolution)
    return pixels // (2 * sizes.reduction) ** 2


def denoising_bytes(network: VLDMMDiT, tokens: int) -> int:
    """Bytes of the activations of a step, at their most: of a forward pass and what is around it.

    That is a dozen tensors as thin as the latents, in fp32 at most, and the ropes that are kept.
    """
    sizes = network.sizes
    thin = 12 * 4 * tokens * sizes.in_channels
    ropes = layer3d_rope.cache_parameters()["maxsize"] or 0
    rope = 8 * (tokens + TEXT_TOKENS) * sizes.attention_head_dim // 2
    return forward_bytes(network, tokens, TEXT_TOKENS) + thin + ropes * rope


def forward_bytes(network: VLDMMDiT, tokens: int, text_tokens: int) -> int:
    """Bytes of the activations of one forward pass, at their most.

    That is in an MLP: both streams are there as they came, as they are now, and out of attention;
    the longer one also normalised, and twice four times as wide, and once more to spare. Cards
    without 8-bit products widen a matrix at a time, the largest is of such an MLP.
    """
    wide = 3 * (tokens + text_tokens) + 10 * max(tokens, text_tokens)
    quantized = any(isinstance(module, Float8Linear) for module in network.modules())
    widened = 2 * 4 * network.sizes.width if quantized else 0
    return (wide + widened) * network.sizes.width * network.proj_out.weight.itemsize


def vae_bytes(sizes: VaeSizes, settings: Settings, dtype: torch.dtype) -> int:
    """Bytes of the activations of decoding one layer, at their most.

    That is in the last blocks: six pictures of the first width. Encoding takes less.
    """
    return 6 * largest_bucket(settings.resolution) * sizes.base_dim * dtype.itemsize


def text_bytes(folder: Path, settings: Settings, dtype: torch.dtype) -> int:
    """Bytes of the text encoder, with the keys, values and activations of a batch of captions."""
    home = folder / "text_encoder"
    if not home.is_dir():
        return 0
    parameters = sum(prod(t.shape) for t in examine(home, TEXT_WEIGHTS).tensors.values())
    tokens = largest_bucket(settings.resolution) // PIXELS_PER_TEXT_TOKEN + 2 * TEXT_TOKENS
    numbers = parameters + CAPTIONED_AT_ONCE * tokens * _numbers_per_token(home / "config.json")
    return numbers * dtype.itemsize + WORKSPACE


def _numbers_per_token(path: Path) -> int:
    """What a language model keeps of a token, its keys and values, and what one layer makes of it.

    Raises:
        CheckpointError: The config is missing or describes something else.
    """
    config = read_json(path)
    config = config.get("text_config", config)
    try:
        head = config["hidden_size"] // config["num_attention_heads"]
        kept = 2 * config["num_hidden_layers"] * config["num_key_value_heads"] * head
        return kept + 3 * config["intermediate_size"] + 8 * config["hidden_size"]
    except (ArithmeticError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} describes no language model: {error}") from error


def pinned_bytes(size: int) -> int:
    """What PyTorch takes from the host for so many pinned bytes: the next power of two."""
    return 1 << max(size - 1, 0).bit_length()


def largest_bucket(resolution: int) -> int:
    """The most pixels that rounding leaves a picture, up to four times as wide as it is high."""
    buckets = (bucket_size(100, width, resolution) for width in range(100, 401))
    return max(height * width for height, width in buckets)


def _bytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in module.state_dict().values())
