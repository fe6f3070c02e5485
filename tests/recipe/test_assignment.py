"""Layers of no order are held against the order they come nearest to."""

import pytest
import torch
from assignment import arrange, assign, orders


@pytest.mark.parametrize("count", [1, 2, 5])
def test_no_assignment_is_cheaper(count):
    costs = torch.rand(20, count, count, generator=torch.Generator().manual_seed(count))
    places = torch.arange(count)
    for cost, found in zip(costs, assign(costs), strict=True):
        others = (cost[places, torch.randperm(count)].sum() for _ in range(200))
        assert sorted(found.tolist()) == places.tolist()
        assert cost[places, found].sum() <= min(others)


def test_every_order_is_there_once():
    assert len({tuple(order) for order in orders(4).tolist()}) == 24


def test_every_example_has_an_order_of_its_own():
    layers = torch.tensor([[10, 20, 30], [40, 50, 60]])
    order = torch.tensor([[2, 0, 1], [0, 2, 1]])
    assert arrange(layers, order).tolist() == [[30, 10, 20], [40, 60, 50]]
