"""LoRAs merged into the transformer's weights while they are loaded, tensor by tensor."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from layerctl_model.folder import CheckpointError
from layerctl_model.lora_file import Addend, flat, read_addends


@dataclass(frozen=True)
class Lora:
    """A LoRA file and how strongly it is merged: 1 as it was trained, 0 not at all, -1 reversed.

    Raises:
        ValueError: The weight is not finite.
    """

    path: Path
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise ValueError(f"the weight of {self.path} must be a finite number")


Sums = dict[str, list[tuple[Addend, float]]]
"""What is added to each tensor, by its flat name, and how strongly."""


def merged(
    tensors: Iterator[tuple[str, Tensor]], loras: Sequence[Lora]
) -> Iterator[tuple[str, Tensor]]:
    """The same tensors, with what the LoRAs add to them.

    Sums are reckoned in fp32 on the tensor's device and cast back to its precision; a tensor
    that gains nothing passes as it is. Headers are read at once, matrices when their tensor
    passes: besides the tensor itself, one fp32 copy and one pair of factors are in memory.

    Args:
        tensors: Names and tensors of the network, all of them, in any order.
        loras: What is merged; order does not matter, and a file may come twice.

    Raises:
        CheckpointError: A file is missing, damaged, in a format that cannot be merged, or does
            not fit the network; a key without a tensor shows only after the last tensor.
    """
    return _merge(tensors, _sums(loras))


def check(loras: Sequence[Lora], shapes: Mapping[str, Sequence[int]]) -> None:
    """Hold LoRAs against the network they are for; neither's matrices are read.

    Args:
        loras: What would be merged.
        shapes: The shapes of all tensors of the network, by name.

    Raises:
        CheckpointError: A file is missing, damaged, in a format that cannot be merged, or does
            not fit the network.
    """
    sums = _sums(loras)
    for name, shape in shapes.items():
        for addend, _ in sums.pop(flat(name), ()):
            addend.check(name, shape)
    _refuse_strays(sums)


def _sums(loras: Sequence[Lora]) -> Sums:
    sums: Sums = defaultdict(list)
    for lora in loras:
        for addend in read_addends(lora.path):
            sums[addend.target].append((addend, lora.weight))
    return sums


def _merge(tensors: Iterator[tuple[str, Tensor]], sums: Sums) -> Iterator[tuple[str, Tensor]]:
    for name, tensor in tensors:
        addends = sums.pop(flat(name), [])
        for addend, _ in addends:
            addend.check(name, tensor.shape)
        yield name, _add(tensor, addends)
    _refuse_strays(sums)


def _add(tensor: Tensor, addends: Sequence[tuple[Addend, float]]) -> Tensor:
    # Adding nothing is not the same as not adding: it makes 0 of -0.
    weighty = [(addend, weight) for addend, weight in addends if weight * addend.scale]
    if not weighty:
        return tensor
    total = tensor.to(torch.float32, copy=True)
    for addend, weight in weighty:
        addend.add_to(total, weight)
    return total.to(tensor.dtype)


def _refuse_strays(sums: Sums) -> None:
    strays = [addend for addends in sums.values() for addend, _ in addends]
    if strays:
        more = f" and {len(strays) - 1} more" if len(strays) > 1 else ""
        raise CheckpointError(
            f"{strays[0].path} does not fit this network: no tensor in it is meant by "
            f"{strays[0].keys[0]}{more}; use a LoRA made for this model"
        )
