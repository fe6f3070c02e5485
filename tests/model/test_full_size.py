import torch

from benchmarks import full_size
from layerctl_model import Settings, load
from layerctl_model.plans import possible

TINY = ["--scale", "tiny", "--device", "cpu", "--steps", "2"]


def test_the_benchmark_runs_on_a_cpu_in_small(capsys):
    full_size.main([*TINY, "--resolutions", "64", "--layers", "2"])
    out = capsys.readouterr().out
    assert out.startswith("CPU, torch")
    rows = [line.split(" | ")[1] for line in out.splitlines() if line.startswith("| 64 ")]
    assert rows == [
        "bf16, whole, 6 of 6 blocks",
        "bf16, resident, 6 of 6 blocks",
        "bf16, streamed, 0 of 6 blocks",
        "bf16, whole, 6 of 6 blocks on 24 GiB",
        "8 bits, whole, 6 of 6 blocks",
        "8 bits, resident, 6 of 6 blocks",
        "8 bits, streamed, 0 of 6 blocks",
        "8 bits, whole, 6 of 6 blocks on 24 GiB",
    ]


def test_the_bytes_of_plans_are_printed_without_running_any(capsys):
    full_size.main(["--scale", "tiny", "--plans", "--card", "0.001"])
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == 2 * (4 + 3)
    full_size.main(["--plans", "--resolutions", "1024"])
    given = [row for row in capsys.readouterr().out.splitlines() if "what 24 GiB get" in row]
    assert [row.split(" | ")[0] for row in given] == [
        "| bf16, streamed, 46 of 60 blocks, what 24 GiB get",
        "| 8 bits, resident, 60 of 60 blocks, what 24 GiB get",
    ]


def test_a_plan_that_needs_more_than_there_is_makes_room_for_the_next(capsys, monkeypatch):
    measure, tried = full_size.Bench._measure, []

    def full_at_first(bench, plan):
        tried.append(plan)
        if len(tried) == 1:
            raise torch.OutOfMemoryError
        return measure(bench, plan)

    monkeypatch.setattr(full_size.Bench, "_measure", full_at_first)
    monkeypatch.setattr(full_size, "below", lambda plans, *_, **__: plans[-1])
    monkeypatch.setattr(full_size.Bench, "run_all", lambda _: None)
    full_size.main([*TINY, "--resolutions", "64"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| 64 ")]
    assert ["out of memory" in row for row in rows] == [True, False, False]


def test_the_checkpoint_it_writes_is_loaded_under_every_plan(tmp_path):
    full_size.main([*TINY, "--write", str(tmp_path)])
    assert len(list((tmp_path / "transformer").glob("*.safetensors"))) == 7
    run = Settings(1, 1, resolution=32)
    picture = torch.rand(4, 32, 32)
    first, *others = (
        load(tmp_path, plan=plan).decompose(picture, run)
        for plan in possible(tmp_path, run, dtype=torch.float32)
    )
    assert all(torch.equal(first, other) for other in others)
