"""Muon: weights of one shape step together as each would alone."""

import torch
from muon import Muon, orthogonalise


def weights(*shapes):
    torch.manual_seed(0)
    made = [torch.nn.Parameter(torch.randn(shape)) for shape in shapes]
    for weight in made:
        weight.grad = torch.randn_like(weight)
    return made


def test_weights_step_together_as_they_do_alone():
    shapes = ((8, 4, 3, 3), (5, 8, 1, 1), (8, 4, 3, 3), (6, 9))
    together = weights(*shapes)
    optimizer = Muon(together, 0.1)
    alone = weights(*shapes)
    for _ in range(2):
        optimizer.step()
    for weight in alone:
        one = Muon([weight], 0.1)
        for _ in range(2):
            one.step()
    for weight, other in zip(together, alone, strict=True):
        torch.testing.assert_close(weight, other)


def test_a_weight_without_a_slope_stays():
    first, second = weights((4, 4), (4, 4))
    second.grad = None
    before = second.detach().clone()
    Muon([first, second], 0.1).step()
    assert torch.equal(second, before)


def test_steps_have_one_size_in_every_direction():
    torch.manual_seed(1)
    turned = orthogonalise(torch.randn(3, 6, 10))
    values = torch.linalg.svdvals(turned)
    assert values.min() > 0.5
    assert values.max() < 1.5
