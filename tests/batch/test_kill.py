"""Killed at any moment: what was finished is good, and the next run does the rest."""

import shutil
import sys
import time
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

from layerctl.batch import receipt
from layerctl.batch.plan import RECEIPT_ENDING, plan
from layerctl.batch.receipt import still_valid
from layerctl.batch.run import run
from layerctl.batch.stages import Batch
from layerctl.preset import Preset
from tests.batch import night
from tests.batch.night import paint, tree

KILLS = 6


@pytest.fixture
def photos(tmp_path, request):
    """Photos large enough that writing them takes a while: as photos as the test asks for."""
    for seed in range(request.param):
        paint(tmp_path / "photos" / f"{seed % 3}" / f"{seed}.png", size=(96, 80), seed=seed)
    return tmp_path / "photos"


def wait_for(condition, process=None):
    until = time.monotonic() + 60
    while not condition() and (process is None or process.is_alive()):
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.002)


def receipts(out):
    # Scratch folders of a run at work may be gone before they are looked into.
    while True:
        with suppress(FileNotFoundError):
            return list(out.rglob(f"*{RECEIPT_ENDING}"))


def assert_sound(photos, out):
    """Check that every receipt tells the truth."""
    jobs = {out / job.receipt: job for job in plan([photos], out)}
    for path in receipts(out):
        if ".layerctl-" not in str(path):
            found = receipt.read(path)
            assert still_valid(found, jobs[path].source, found.settings, path.parent)


def finish(photos, out, settings=night.SETTINGS, layers=4):
    preset = Preset.model_validate({"decompose": {"layers": layers}})
    batch = Batch(out, preset, settings)
    return list(run(plan([photos], out), batch, night.Model))


@pytest.mark.parametrize("photos", [15], indirect=True)
def test_a_killed_run_is_finished_by_the_next_as_if_nothing_had_happened(
    photos, out, tmp_path, processes
):
    finish(photos, tmp_path / "unbroken")
    chance = np.random.default_rng(1)
    done = set()
    for _ in range(KILLS):
        process = processes.Process(target=night.all_night, args=(photos, out))
        process.start()
        wait_for(partial(lambda n: len(receipts(out)) > n, len(done)), process)
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        process.join()
        assert_sound(photos, out)
        now = {path for path in receipts(out) if ".layerctl-" not in str(path)}
        assert done <= now, "something finished was lost"
        done = now
    finish(photos, out)
    assert tree(out) == tree(tmp_path / "unbroken")


@pytest.mark.parametrize("photos", [4], indirect=True)
def test_a_run_killed_while_it_replaces_older_results_leaves_no_mixture(
    photos, out, tmp_path, processes
):
    finish(photos, tmp_path / "unbroken")
    finish(photos, tmp_path / "older", settings="1" * 64, layers=7)
    chance = np.random.default_rng(2)
    for _ in range(KILLS):
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(tmp_path / "older", out)
        process = processes.Process(target=night.all_night, args=(photos, out))
        process.start()
        wait_for(lambda: any(out.glob(".layerctl-*")), process)
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.join()
        assert_sound(photos, out)
        finish(photos, out)
        assert tree(out) == tree(tmp_path / "unbroken")


@pytest.mark.parametrize("photos", [2], indirect=True)
@pytest.mark.parametrize("moment", [*range(0, 30, 3), *range(30, 66, 9)])
def test_each_step_of_publishing_may_be_the_last(photos, out, tmp_path, processes, moment):
    """Killed by itself just before the n-th change it makes to a folder."""
    finish(photos, tmp_path / "unbroken")
    finish(photos, out, settings="1" * 64, layers=7)
    process = processes.Process(target=night.dies_moving, args=(photos, out, moment))
    process.start()
    process.join()
    assert process.exitcode == -9
    assert_sound(photos, out)
    finish(photos, out)
    assert tree(out) == tree(tmp_path / "unbroken")


@pytest.mark.parametrize("photos", [1], indirect=True)
@pytest.mark.parametrize("moment", range(0, 36, 3))
def test_work_made_by_hand_outlives_a_kill_at_each_step(photos, out, processes, moment):
    finish(photos, out, settings="1" * 64, layers=7)
    work = {"0/0.png.psd": "a designer's", "0/0.png/06-product-6.png": "another's"}
    for name, text in work.items():
        (out / name).write_text(text)
    process = processes.Process(target=night.dies_moving, args=(photos, out, moment))
    process.start()
    process.join()
    assert process.exitcode == -9
    finish(photos, out)
    assert_sound(photos, out)
    assert {name: (out / f"{name}.bak").read_text() for name in work} == work
    assert len([name for name in night.names(out) if ".bak" in name]) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_flat_over_sixty_photos(tmp_path, out, processes):
    for seed in range(60):
        paint(tmp_path / "photos" / f"{seed}.png", size=(200, 150), seed=seed)
    samples = tmp_path / "samples"
    process = processes.Process(target=night.memory, args=(tmp_path / "photos", out, samples))
    process.start()
    process.join()
    kib = [int(line) for line in samples.read_text().split()]
    assert len(kib) == 60
    assert max(kib[30:]) < 1.05 * max(kib[10:30]), kib
