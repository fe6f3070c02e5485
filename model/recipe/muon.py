"""Muon: steps of equal size in every direction of a weight matrix.

Momentum, made orthogonal by a Newton-Schulz iteration (Jordan et al., 2024,
kellerjordan.github.io/posts/muon); the scale follows Moonlight (arXiv 2502.16982), so that one
learning rate serves matrices of any shape.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Optimises matrices and convolution kernels; all else belongs to another optimizer."""

    def __init__(
        self, matrices: Iterable[Tensor], lr: float, momentum: float = 0.95, decay: float = 0.01
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, _closure: None = None) -> None:  # type: ignore[override]
        """Take one step along the orthogonalised momentum of every matrix."""
        for group in self.param_groups:
            waiting = [weight for weight in group["params"] if weight.grad is not None]
            # All of one shape at once: a step is thousands of small products.
            for _, alike in groupby(sorted(waiting, key=_sides), _sides):
                self._turn(list(alike), group)

    def _turn(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        """Step along the momentum of weights of one shape."""
        slopes = [weight.grad for weight in weights]
        memories = [
            self.state[weight].setdefault("momentum", torch.zeros_like(weight))
            for weight in weights
        ]
        for memory, slope in zip(memories, slopes, strict=True):
            memory.lerp_(slope, 1 - group["momentum"])
        ahead = torch.stack(slopes).lerp(torch.stack(memories), group["momentum"])
        reach = 0.2 * max(ahead[0].flatten(1).shape) ** 0.5
        directions = orthogonalise(ahead.flatten(2)).view_as(ahead)
        for weight, direction in zip(weights, directions, strict=True):
            weight.mul_(1 - group["lr"] * group["decay"])
            weight.add_(direction, alpha=-group["lr"] * reach)


def _sides(weight: Tensor) -> tuple[int, ...]:
    return tuple(weight.shape)


def orthogonalise(matrix: Tensor) -> Tensor:
    """Return matrices with their singular values brought near 1: (..., M, N) -> (..., M, N)."""
    a, b, c = COEFFICIENTS
    x = matrix.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).type_as(matrix)
