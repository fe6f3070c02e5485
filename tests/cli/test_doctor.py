"""`layerctl doctor`: what is here, whether a model fits, how fast it is."""

import sys
from types import SimpleNamespace

import pytest

from layerctl.checkpoints import Checkpoint
from layerctl.machine import Memory


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of 4 GB with a model of 25 million parameters, and no network to run."""

    def install(free=4_000_000_000, parameters=25_000_000):
        checkpoint = Checkpoint("mini", tmp_path, parameters, 2 * parameters)
        door = SimpleNamespace(
            choose_device=lambda _: SimpleNamespace(type="cpu"),
            choose_dtype=lambda *_: SimpleNamespace(itemsize=4),
            open_decompose=lambda _: lambda *_: None,
        )
        monkeypatch.setattr("layerctl.checkpoints.examine", lambda _: checkpoint)
        monkeypatch.setattr("layerctl.machine.memory", lambda _: Memory(8_000_000_000, free))
        monkeypatch.setitem(sys.modules, "layerctl.decompose", door)

    return install


def test_machine_model_and_speed_are_told(layerctl, machine):
    machine()
    answer = layerctl("doctor")
    assert answer.code == 0
    assert "8.00 GB, 4.00 GB of it free" in answer.out
    assert "mini   25.0 M      0.05 GB  cpu     2.60 GB  4.00 GB" in answer.out
    assert "takes 0.0 s" in answer.out


def test_a_model_that_does_not_fit_is_an_environment_fault(layerctl, machine):
    machine(parameters=20_000_000_000)
    answer = layerctl("doctor")
    assert answer.code == 3
    assert answer.err == (
        "layerctl: mini does not fit: it needs 82.50 GB on cpu, 4.00 GB are free\n"
    )


def test_a_missing_model_is_an_environment_fault_and_the_machine_is_told_first(layerctl):
    answer = layerctl("doctor", "--model", "nowhere")
    assert answer.code == 3
    assert "cores" in answer.out
    assert "'nowhere' is not here" in answer.err
