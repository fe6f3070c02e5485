"""Which found layer stands for which true one: the order above the backdrop is not given away.

Two shoes side by side have no first and second. A network that is asked for one order where several
would do learns the mean of them all, which is both shoes in every layer. So it is held against the
order that it comes nearest to, as in set prediction (DETR, Carion et al., arXiv 2005.12872).
"""

from __future__ import annotations

from functools import cache
from itertools import permutations

import torch
from torch import Tensor


@cache
def orders(count: int) -> Tensor:
    """Return every order of so many layers: (count!, count)."""
    return torch.tensor(list(permutations(range(count))))


def assign(costs: Tensor) -> Tensor:
    """Return the cheapest one-to-one assignment: costs (B, N, N) -> (B, N).

    `costs[b, i, j]` is what it costs that found layer i stands for true layer j; entry i of the
    result is that j. All orders are tried, so N should be small.
    """
    found = orders(costs.shape[1]).to(costs.device)
    places = torch.arange(costs.shape[1], device=costs.device)
    totals = costs[:, places, found].sum(dim=-1)
    return found[totals.argmin(dim=1)]


def arrange(layers: Tensor, order: Tensor) -> Tensor:
    """Return layers (B, N, ...) in an order of their own for each of the batch, (B, N)."""
    return layers[torch.arange(len(layers), device=layers.device)[:, None], order]
