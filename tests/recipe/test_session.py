"""A training goes on where it stopped, and says how it went."""

import json

import pytest
import torch
from session import Average, Session, learn, rate
from torch import nn


def session(folder, budget, **more):
    torch.manual_seed(0)
    return Session(folder, budget, {"network": nn.Linear(2, 2)}, **more)


def rows(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_step_follows_a_gradient_whose_length_is_one_at_most():
    network = nn.Linear(2, 2, bias=False)
    before = network.weight.detach().clone()
    learn(network, 100 * network.weight.sum(), torch.optim.SGD(network.parameters(), 1.0))
    torch.testing.assert_close((before - network.weight.detach()).norm(), torch.tensor(1.0))
    assert network.weight.grad is None


def test_a_restart_goes_on_with_weights_steps_and_time(tmp_path):
    first = session(tmp_path, 0.05)
    for _ in first.run():
        with torch.no_grad():
            first.modules["network"].weight.add_(1)
    again = session(tmp_path, 0.05)
    again.resume()
    assert (again.steps, again.elapsed) == (first.steps, first.elapsed)
    assert torch.equal(again.modules["network"].weight, first.modules["network"].weight)
    assert list(again.run()) == []


def test_a_loss_that_is_no_number_is_logged_and_not_learned_from(tmp_path):
    one = session(tmp_path, 0)
    tmp_path.mkdir(exist_ok=True)
    assert one.sound(torch.tensor(0.5))
    assert not one.sound(torch.tensor(float("nan")))
    one.log()
    failed, mean = rows(tmp_path)
    assert "nan" in failed["failed"]
    assert mean["loss"] == 0.5


def test_what_is_held_out_is_scored_at_the_end(tmp_path):
    list(session(tmp_path, 0, examine=lambda: {"overlap": 0.25}).run())
    assert rows(tmp_path)[-1]["overlap"] == 0.25


def test_the_average_follows_the_network_and_can_take_its_place():
    network = nn.Linear(3, 3)
    average = Average(network)
    with torch.no_grad():
        network.weight.add_(1)
    for step in range(2000):
        average.update(network, step)
    other = nn.Linear(3, 3)
    average.copy_to(other)
    torch.testing.assert_close(other.weight, network.weight, atol=0.2, rtol=0)


@pytest.mark.parametrize(("progress", "factor"), [(0.01, 0.5), (0.3, 1.0), (0.75, 0.5), (1, 0.02)])
def test_the_learning_rate_climbs_stays_and_falls(progress, factor):
    assert rate(progress) == pytest.approx(factor)
