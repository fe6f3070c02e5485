"""Modulation reckoned once per schedule, so that its weights, a third of all, can stay away.

How the time bends the blocks depends on nothing but the noise levels, and those are the same for
all pictures of one size. So the vectors of all steps are put where the weights were, as tables,
and the number of the step takes the place of the time: the network runs as it is written.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call

from layerctl_model.transformer import VLDMMDiT

TIME = "time_text_embed"
KEPT = 4
"""Schedules whose vectors stay in the host's memory: 221 MB each at full size and 50 steps."""

Vectors = dict[str, Tensor]
"""Modulations at all steps, (steps, C) each, by the name of the module that gives them."""


class StepNumber(nn.Module):
    """Stands in for the time embedding: noise levels become the numbers of their steps."""

    sigmas: Tensor

    def __init__(self, sigmas: Tensor) -> None:
        super().__init__()
        self.register_buffer("sigmas", sigmas, persistent=False)

    def forward(self, t: Tensor, condition: Tensor | None, dtype: torch.dtype) -> Tensor:  # noqa: ARG002 - the signature of a time embedding
        """(B,) in [0, 1] -> (B,); a level that is not in the schedule has no row in any table."""
        if condition is not None:
            raise ValueError("a network with a schedule knows only the condition of inference")
        here = t[:, None] == self.sigmas
        return torch.where(here.any(dim=-1), here.int().argmax(dim=-1), len(self.sigmas))


def modulation_names(network: VLDMMDiT) -> Iterator[str]:
    """The modules that bend the blocks and the last norm."""
    for number in range(len(network.transformer_blocks)):
        yield f"transformer_blocks.{number}.img_mod"
        yield f"transformer_blocks.{number}.txt_mod"
    yield "norm_out.linear"


class Modulations:
    """What a network knows of the time, taken out of it; `schedule` puts vectors there instead.

    The weights may lie on any device and in any precision: they are brought to the network's, one
    module at a time, and forgotten there. Vectors have the bits they would have step by step.
    """

    def __init__(self, network: VLDMMDiT) -> None:
        self.network = network
        self.modules = {name: network.get_submodule(name) for name in modulation_names(network)}
        self.time = network.time_text_embed
        self.kept: OrderedDict[tuple[float, ...], Vectors] = OrderedDict()
        self.current: tuple[float, ...] = ()
        for name in (TIME, *self.modules):
            network.set_submodule(name, nn.Identity())

    def schedule(self, sigmas: Tensor) -> None:
        """Make the network ready for these noise levels, (steps,), and for no others."""
        key = tuple(sigmas.tolist())
        if key == self.current:
            return
        self._clear()
        if key not in self.kept:
            self.kept[key] = self._vectors(sigmas)
        self.kept.move_to_end(key)
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        device = self.network.proj_out.weight.device
        for name, vectors in self.kept[key].items():
            self.network.set_submodule(name, _table(vectors.to(device)))
        self.network.set_submodule(TIME, StepNumber(sigmas.to(device)))
        self.current = key

    def _clear(self) -> None:
        """Forget the tables on the device before others come there."""
        self.current = ()
        for name in self.modules:
            self.network.set_submodule(name, nn.Identity())

    def _vectors(self, sigmas: Tensor) -> Vectors:
        like = self.network.proj_out.weight
        embed = _brought(self.time, like)
        sigmas = sigmas.to(like.device)
        times = [
            functional_call(self.time, embed, (sigma[None], None, like.dtype)) for sigma in sigmas
        ]
        return {name: self._bend(module, times, like) for name, module in self.modules.items()}

    def _bend(self, module: nn.Module, times: list[Tensor], like: Tensor) -> Tensor:
        weights = _brought(module, like)
        return torch.cat([functional_call(module, weights, (time,)) for time in times]).cpu()


def _table(rows: Tensor) -> nn.Module:
    return nn.Embedding.from_pretrained(rows)  # type: ignore[no-untyped-call]


def _brought(module: nn.Module, like: Tensor) -> dict[str, Tensor]:
    """A module's weights on the device and in the precision of another tensor."""
    return {name: weight.to(like) for name, weight in module.state_dict().items()}
