"""What hangs on a photo follows where a layer of its document is split, whenever that is ended."""

import multiprocessing
import shutil
import signal
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from layerctl.batch import receipt as receipts
from layerctl.batch.plan import plan
from layerctl.batch.run import divide, run
from layerctl.batch.stages import Batch
from layerctl.document import Group
from layerctl.formats import FORMATS, psd
from layerctl.preset import Preset
from layerctl.recursion.psd_file import Order, recurse
from layerctl.verify import verify
from tests import parting
from tests.batch import night


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def done(tmp_path):
    """Two photos that a run took apart, and what the run was: `again()` divides into todo, done."""
    photos = tmp_path / "photos"
    for seed, name in enumerate(("cup.png", "shoe.jpg")):
        night.paint(photos / name, (80, 60), seed)
    batch = Batch(tmp_path / "out", Preset(), night.SETTINGS)
    jobs = plan([photos], batch.out)
    assert {o.status for o in run(jobs, batch, night.Model)} == {"done"}
    return batch.out, photos, lambda: [len(part) for part in divide(jobs, batch)]


def test_everything_that_hangs_on_a_photo_follows(done):
    out, photos, again = done
    recurse(out / "shoe.psd", Order("2"), parting.halves)
    receipt = receipts.read(out / "shoe.layers.json")
    assert [(r.number, r.name, r.role) for r in receipt.layers][:3] == [
        ("1", "background", "background"),
        ("2/1", "left", "product"),
        ("2/2", "right", "text"),
    ]
    assert receipt.notes[-1] == "the layer 2, product 1, was split"
    assert receipt.input.path == str(photos / "shoe.jpg")
    assert sorted(p.name for p in (out / "shoe").iterdir()) == [
        "00-background.png",
        "01-00-left.png",
        "01-01-right.png",
        "02-product-2.png",
        "03-product-3.png",
    ]
    slide = FORMATS["pptx"].read(out / "shoe.pptx")
    assert isinstance(slide.at("2"), Group)
    verdicts = {v.label: v for v in verify(out, photos)}
    assert verdicts["shoe"].passed, verdicts["shoe"]
    assert again() == [0, 2]


def test_a_photo_still_counts_as_done_after_several_splits(done):
    out, photos, again = done
    for address in ("2", "2/1", "3"):
        recurse(out / "shoe.psd", Order(address), parting.halves)
    assert all(verdict.passed for verdict in verify(out, photos))
    assert again() == [0, 2]
    numbers = [record.number for record in receipts.read(out / "shoe.layers.json").layers]
    assert numbers == ["1", "2/1/1", "2/1/2", "2/2", "3/1", "3/2", "4"]


def test_work_of_a_designer_is_not_done_again_by_the_next_run(done):
    out, photos, again = done
    path = out / "shoe.psd"
    path.write_bytes(path.read_bytes() + b"touched")
    assert again() == [1, 1]
    recurse(path, Order("2"), parting.halves)
    assert again() == [0, 2]
    receipt = receipts.read(out / "shoe.layers.json")
    assert receipt.notes[-1] == "the outputs were changed by hand, and the layer 2 was split"
    assert receipt.input.path == str(photos / "shoe.jpg")
    assert (out / "shoe" / "01-product-1.png").exists()


def test_slides_that_somebody_worked_on_are_not_written_over(done):
    out, _, again = done
    slides = out / "shoe.pptx"
    slides.write_bytes(slides.read_bytes() + b"touched")
    (out / "shoe" / "00-background.png").unlink()
    recurse(out / "shoe.psd", Order("2"), parting.halves)
    assert slides.read_bytes().endswith(b"touched")
    assert again() == [0, 2]


def test_what_was_split_is_kept_when_the_photo_is_done_with_other_settings(done):
    out, photos, _ = done
    recurse(out / "shoe.psd", Order("2", backup=False), parting.halves)
    split = {name: content for name, content in night.tree(out).items() if "shoe" in name}
    batch = Batch(out, Preset.model_validate({"export": {"formats": ["psd"]}}), "1" * 64)
    outcomes = list(run(plan([photos], out), batch, night.Model))
    found = night.tree(out)
    for name in ("shoe.psd", "shoe.pptx", "shoe/01-00-left.png", "shoe/02-product-2.png"):
        assert found[f"{name}.bak"] == split[name]
    told = {outcome.job.label: " ".join(outcome.receipt.notes) for outcome in outcomes}
    assert told["cup.png"] == ""
    assert told["shoe.jpg"].startswith("what was changed since is kept: shoe.pptx.bak, shoe.psd.")
    assert not [name for name in found if "cup" in name and "bak" in name]


def test_no_receipt_follows_a_file_that_goes_elsewhere(done, tmp_path):
    out, _, again = done
    before = night.tree(out)
    recurse(out / "shoe.psd", Order("2", out=tmp_path / "new.psd"), parting.halves)
    assert night.tree(out) == before
    assert again() == [0, 2]


@pytest.fixture(scope="module")
def killed():
    """Recurse in another process and kill it at the n-th step; say whether that came to pass."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.parting"])

    def kill(path, address, moment):
        process = context.Process(target=parting.dies, args=(path, address, moment))
        process.start()
        process.join(60)
        assert process.exitcode in (0, -signal.SIGKILL)
        return process.exitcode != 0

    return kill


def check_followed(out, photos, *, split):
    """The next run takes a photo for done, split or not, and all that hangs on it is in step."""
    jobs = plan([photos], out)
    assert {o.status for o in run(jobs, Batch(out, Preset(), night.SETTINGS), None)} == {"skipped"}
    numbers = [record.number for record in receipts.read(out / "shoe.layers.json").layers]
    assert ("2/1" in numbers) == split
    assert (out / "shoe" / "01-00-left.png").exists() == split
    assert (out / "shoe" / "01-product-1.png").exists() != split
    assert all(verdict.passed for verdict in verify(out, photos))


def test_killed_at_any_step_the_old_file_or_the_new_one_is_there(done, killed, tmp_path):
    out, photos, _ = done
    old = (out / "shoe.psd").read_bytes()
    recurse(out / "shoe.psd", Order("2", out=tmp_path / "new.psd"), parting.halves)
    new = (tmp_path / "new.psd").read_bytes()
    found = set()
    for moment in count():
        shutil.copytree(out, tmp_path / "copy")
        alive = not killed(tmp_path / "copy" / "shoe.psd", "2", moment)
        found.add(content := (tmp_path / "copy" / "shoe.psd").read_bytes())
        check_followed(tmp_path / "copy", photos, split=content == new)
        kept = Path(tmp_path / "copy" / "shoe.psd.bak")
        assert content in (old, new)
        assert content == old or kept.read_bytes() == old
        recurse(tmp_path / "copy" / "shoe.psd", Order("1"), parting.halves)
        assert not list((tmp_path / "copy").glob(".*"))
        shutil.rmtree(tmp_path / "copy")
        if alive:
            break
    assert moment > 5
    assert found == {old, new}


def test_ended_by_a_signal_at_any_step_the_photo_still_counts_as_done(done, tmp_path):
    out, photos, _ = done
    for moment in count():
        shutil.copytree(out, tmp_path / "copy")
        steps = iter(range(moment, -1, -1))

        def move(path, target, *, steps=steps, replace=Path.replace):
            if next(steps, -1) == 0:
                raise SystemExit(143)
            return replace(path, target)

        with pytest.MonkeyPatch.context() as patched, suppress(SystemExit):
            patched.setattr(Path, "replace", move)
            recurse(tmp_path / "copy" / "shoe.psd", Order("2"), parting.halves)
        split = "2/1" in {row.number for row in psd.tree(tmp_path / "copy" / "shoe.psd")}
        check_followed(tmp_path / "copy", photos, split=split)
        assert split == (moment > 0)
        shutil.rmtree(tmp_path / "copy")
        if next(steps, -1) != -1:
            break
    assert moment > 3
