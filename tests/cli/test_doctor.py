"""`layerctl doctor`: what is here, which plans fit and which is taken, how fast it is."""

import shutil
from types import SimpleNamespace

import pytest

from layerctl import fit, network
from layerctl.checkpoints.catalogue import shipped_folder
from layerctl.checkpoints.folder import Checkpoint
from layerctl.fit import Room
from layerctl.machine import Memory
from layerctl.network import Plan, Profile, Settings

GB = 10**9


def plans(quantized):
    """All that there is of a large model: (name, blocks on the device, GB there, GB beside)."""
    half = 2 if quantized else 1
    sizes = [("whole", 60, 60, 0), ("resident", 60, 44, 0), ("streamed", 30, 24, 40)]
    sizes += [("streamed", 0, 8, 64)]
    return tuple(
        Plan(name, quantized, resident, 60, device * GB // half, host * GB // half, 18 * GB)
        for name, resident, device, host in sizes
    )


class Steady:
    """A model that takes two seconds a photo, and a tenth of one a step."""

    def decompose(self, _, preset, prompt):
        assert prompt.text
        return SimpleNamespace(seconds={"model": 1 + preset.decompose.steps / 10, "lift": 1.0})


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with a GPU and a large model that reads texts, and no network to run."""

    def install(device, host):
        checkpoint = Checkpoint("qwen", tmp_path, 28_850_000_000, 57_700_000_000)
        setup = SimpleNamespace(device="cuda", dtype="bfloat16")
        monkeypatch.setattr("layerctl.checkpoints.catalogue.examine", lambda _: checkpoint)
        monkeypatch.setattr("layerctl.machine.memory", lambda: Memory(64 * GB, host * GB))
        monkeypatch.setattr("layerctl.decompose.checked_setup", lambda _: setup)
        monkeypatch.setattr(
            network, "profile", lambda _: Profile(Settings(steps=50), needs_text=True)
        )
        monkeypatch.setattr(network, "possible_plans", lambda *_, quantized: plans(quantized))
        monkeypatch.setattr(fit, "room", lambda _: Room(device * GB, host * GB))
        monkeypatch.setattr("layerctl.decompose.open_model", lambda _: Steady())

    return install


def rows(answer):
    """What is said of each plan."""
    table, _, _ = answer.out[answer.out.index("plan ") :].partition("\n\n")
    words = [line.split("  ") for line in table.splitlines()[1:]]
    return [f"{line[0]}: {line[-1].strip()}" for line in words]


def test_machine_model_plans_and_speed_are_told(layerctl, machine):
    machine(device=24, host=48)
    answer = layerctl("doctor", "--model", "qwen")
    assert answer.code == 0, answer.err
    assert "64.00 GB, 48.00 GB of it free" in answer.out
    assert "qwen   28,850.0 M  57.70 GB  cuda    bfloat16   24.00 GB and 48.00 GB of" in answer.out
    assert "streamed  none      30 of 60              24.00 GB      40.00 GB    taken" in answer.out
    assert rows(answer) == [
        "whole: does not fit",
        "resident: does not fit",
        "streamed: taken",
        "streamed: does not fit",
        "whole: does not fit",
        "resident: fits",
        "streamed: fits",
    ]
    assert "takes 7.0 s" in answer.out


def test_what_is_asked_for_decides_what_is_taken(layerctl, machine):
    machine(device=24, host=48)
    answer = layerctl("doctor", "--model", "qwen", "--quantize", "fp8")
    assert "resident  fp8       60 of 60              22.00 GB      0.00 GB     taken" in answer.out
    assert layerctl("doctor", "--model", "qwen", "--offload", "none").code == 3


def test_a_model_that_does_not_fit_is_an_environment_fault(layerctl, machine):
    machine(device=16, host=100)
    answer = layerctl("doctor", "--model", "qwen")
    assert answer.code == 3
    assert "taken" not in answer.out
    assert answer.err.startswith(
        "layerctl: qwen does not fit: the least it needs is 18.00 GB and 64.00 GB of host memory, "
        "free are 16.00 GB and 100.00 GB of host memory"
    )


def test_no_room_for_photos_is_an_environment_fault(layerctl, machine):
    machine(device=80, host=1)
    answer = layerctl("doctor", "--model", "qwen")
    assert answer.code == 3
    assert "photos of 24 megapixels" in answer.err
    assert "1.50 GB of the machine's memory, 1.00 GB are free" in answer.err


def test_a_damaged_model_is_told_with_its_file(layerctl, tmp_path):
    folder = shutil.copytree(shipped_folder() / "mini", tmp_path / "copy")
    (folder / "scheduler" / "scheduler_config.json").unlink()
    answer = layerctl("doctor", "--model", folder)
    (sentence,) = answer.sentences()
    assert sentence.startswith(f"{folder}/scheduler/scheduler_config.json is missing")


def test_a_missing_model_is_an_environment_fault_and_the_machine_is_told_first(layerctl):
    answer = layerctl("doctor", "--model", "nowhere")
    assert answer.code == 3
    assert "cores" in answer.out
    assert "'nowhere' is not here" in answer.err
