"""Mistakes that count, and those that do not."""

import pytest
import torch
from loss import (
    CLEAR_WEIGHT,
    FIXED,
    Stacks,
    draw_sigmas,
    latent_costs,
    nearest,
    outline_costs,
    soft_iou,
    token_weights,
)

from layerctl_model.flow import Flow

FREE, SETTLED = torch.tensor([False]), torch.tensor([True])


def discs(*rows):
    """One stack of alphas, (1, N, 32, 32): a disc around each row, none for None."""
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    layers = [
        torch.zeros(32, 32) if r is None else ((y - r) ** 2 + (x - 16) ** 2 < 36) * 1.0
        for r in rows
    ]
    return torch.stack(layers)[None]


def test_the_order_is_free_unless_it_is_settled():
    truth = discs(8, 16, 24, None)
    found = truth[:, [2, 0, 3, 1]]
    assert nearest(outline_costs(found, truth), FREE) == 0
    assert nearest(outline_costs(found, truth), SETTLED) > 2


def test_two_things_in_one_layer_cost_more_than_one_in_each():
    truth = discs(8, 24, None)
    together = torch.maximum(truth[:, :1], truth[:, 1:2])
    both = torch.cat([together, discs(None, None)], dim=1)
    assert nearest(outline_costs(both, truth), FREE) > 1
    assert nearest(outline_costs(truth, truth), FREE) == 0


def test_something_found_where_nothing_is_costs_little():
    truth = discs(8, None)
    cost = nearest(outline_costs(discs(8, 24), truth), FREE)
    assert cost == pytest.approx(discs(24).mean())


def test_leaving_a_thing_out_costs_more_than_drawing_it_twice():
    alphas = torch.cat([torch.ones(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)], dim=1)
    weights = token_weights(alphas)
    assert weights.unique().tolist() == [CLEAR_WEIGHT, 1]
    truth = torch.tensor([1.0, 0.0])[None, :, None, None].expand(1, 2, 16, 4)
    missing = nearest(latent_costs(torch.zeros_like(truth), truth, weights), FREE)
    twice = nearest(latent_costs(torch.ones_like(truth), truth, weights), FREE)
    assert missing > 2 * twice > 0


def test_two_alphas_that_are_clear_have_no_overlap_and_no_number_is_lost():
    clear = torch.zeros(2, 3)
    assert soft_iou(clear, clear).tolist() == [0, 0]
    assert soft_iou(torch.ones(2, 3), torch.ones(2, 3)).tolist() == [1, 1]


def test_shuffled_stacks_hold_the_same_layers_each_in_an_order_of_its_own():
    torch.manual_seed(0)
    numbers = torch.arange(7.0).expand(64, 7)
    mixed = Stacks(numbers[..., None, None, None], numbers[..., None, None]).shuffled()
    assert torch.equal(mixed.latents[..., 0], mixed.alphas[..., None, 0][..., 0][..., None])
    assert torch.equal(mixed.alphas[:, :FIXED, 0, 0], numbers[:, :FIXED])
    assert torch.equal(mixed.alphas[..., 0, 0].sort(dim=1).values, numbers)
    assert len({tuple(row) for row in mixed.alphas[..., 0, 0].tolist()}) > 20


def test_most_noise_levels_are_pure_noise_and_the_rest_lie_below():
    torch.manual_seed(0)
    sigmas = draw_sigmas(Flow(shift_terminal=None), 4000, 64)
    assert (sigmas == 1).float().mean() == pytest.approx(0.95, abs=0.02)
    assert sigmas.min() > 0
