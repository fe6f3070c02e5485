"""Muon: steps of equal size in every direction of a weight matrix.

Momentum, made orthogonal by a Newton-Schulz iteration (Jordan et al., 2024,
kellerjordan.github.io/posts/muon); the scale follows Moonlight (arXiv 2502.16982), so that one
learning rate serves matrices of any shape.
"""

from __future__ import annotations

from collections.abc import Iterable

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
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                memory = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                memory.lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(memory, group["momentum"])
                weight.mul_(1 - group["lr"] * group["decay"])
                matrix = ahead.flatten(1)
                reach = 0.2 * max(matrix.shape) ** 0.5
                direction = orthogonalise(matrix).view_as(weight)
                weight.add_(direction, alpha=-group["lr"] * reach)


def orthogonalise(matrix: Tensor) -> Tensor:
    """Return the matrix with its singular values brought near 1: (M, N) -> (M, N)."""
    a, b, c = COEFFICIENTS
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.mT if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).type_as(matrix)
