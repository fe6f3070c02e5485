"""A transformer's tensors brought where a plan wants them, one after another as they are read."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn

from layerctl_model.functional import layer3d_rope
from layerctl_model.modulation import Modulations, modulation_names
from layerctl_model.offload import StreamedBlocks, pinned, slot, spread
from layerctl_model.plans import Plan
from layerctl_model.quantize import quantize, quantized
from layerctl_model.transformer import VLDMMDiT


def place(
    network: VLDMMDiT, tensors: Iterator[tuple[str, Tensor]], plan: Plan, device: torch.device
) -> Modulations:
    """Give an empty network its tensors, so that it runs within a plan's memory.

    Args:
        network: On `meta`, in the precision to compute in.
        tensors: Names and tensors of the whole network on the CPU, best mapped from their files:
            what a plan leaves there is kept as it comes.
        plan: Where the blocks and the modulation weights go, and whether matrices are narrowed.
        device: Where to compute.

    Returns:
        What makes the network ready for a schedule; without one it cannot run.
    """
    if plan.quantized:
        quantize(network)
        tensors = quantized(tensors, network, device)
    away = spread(plan.blocks - plan.resident_blocks, plan.blocks)
    bare = [_without_modulation(network.transformer_blocks[n]) for n in away[:2]]
    state = _placed(network, tensors, plan, away, device)
    network.load_state_dict(state, assign=True)
    network.eval().requires_grad_(requires_grad=False)
    modulations = Modulations(network)
    if away:
        slots = [slot(block, device) for block in bare]
        network.transformer_blocks = StreamedBlocks(network.transformer_blocks, slots, away)
    return modulations


def release() -> None:
    """Give back what a network leaves behind on its device once nobody holds it any more."""
    layer3d_rope.cache_clear()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _without_modulation(block: nn.Module) -> nn.Module:
    """A block like this one, for a slot: its modulations come from whom it stands in for."""
    bare = deepcopy(block)
    bare.img_mod = bare.txt_mod = nn.Identity()
    return bare


def _placed(
    network: VLDMMDiT,
    tensors: Iterator[tuple[str, Tensor]],
    plan: Plan,
    away: list[int],
    device: torch.device,
) -> dict[str, Tensor]:
    wanted = network.state_dict()
    rooms = _rooms(network, away, pin=device.type == "cuda") if plan.name == "streamed" else {}
    stay = () if plan.name == "whole" else tuple(modulation_names(network))
    stay += tuple(f"transformer_blocks.{number}." for number in away)

    def home(name: str, tensor: Tensor) -> Tensor:
        if name in rooms:
            return rooms[name].copy_(tensor)
        return tensor if name.startswith(stay) else tensor.to(device, wanted[name].dtype)

    return {name: home(name, tensor) for name, tensor in tensors}


def _rooms(network: VLDMMDiT, away: list[int], *, pin: bool) -> dict[str, Tensor]:
    """Pinned memory for every tensor of the blocks that are away, by its full name."""
    rooms = {}
    for number in away:
        block = _without_modulation(network.transformer_blocks[number]).state_dict()
        for name, room in pinned(block, pin=pin).items():
            rooms[f"transformer_blocks.{number}.{name}"] = room
    return rooms
