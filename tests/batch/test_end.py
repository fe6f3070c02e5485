"""How a photo fails and how a run ends: what is told, what is kept, what the next run does."""

import errno
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from layerctl.batch import pipeline, publish, stages
from layerctl.batch.plan import plan
from layerctl.batch.run import preview, run
from layerctl.batch.stages import Batch
from layerctl.errors import Busy, EnvironmentFault, ImageError, UsageError
from layerctl.formats import FORMATS
from layerctl.preset import Preset
from tests.batch import night
from tests.batch.night import LABELS, names, paint, raises_on, redone, slices, statuses, tree


def test_a_bad_photo_stops_no_other(go, photos, out):
    (photos / "shoe.jpg").write_text("<html>404</html>")
    (photos / "summer" / "zero.png").touch()
    outcomes = go()
    bad = {"shoe.jpg": "failed", "summer/zero.png": "failed"}
    assert statuses(outcomes) == dict.fromkeys(LABELS, "done") | bad
    assert all(outcome.reason for outcome in outcomes if outcome.status == "failed")
    assert not list(out.rglob("*shoe*"))
    assert not list(out.rglob("*zero*"))


def test_what_is_refused_fails_first_and_stops_no_other(go, photos):
    paint(photos / "shoe.psd" / "front.jpg")
    outcomes = go()
    assert outcomes[0].job.label == "shoe.psd/front.jpg"
    assert "would write over each other's outputs" in outcomes[0].reason
    assert statuses(outcomes) == dict.fromkeys(LABELS, "done") | {"shoe.psd/front.jpg": "failed"}
    again = go(settings="1" * 64, sections={"batch": {"fail_fast": True}})
    assert statuses(again) == {"shoe.psd/front.jpg": "failed"}
    assert "failed" in statuses(go(force=True)).values()


def test_the_model_is_not_loaded_for_what_is_refused(go, photos, out):
    go()
    jobs = plan([photos, photos / "nowhere.jpg"], out)[-1:]
    batch = Batch(out, Preset(), night.SETTINGS)
    outcomes = list(run(jobs, batch, lambda: pytest.fail("it was loaded")))
    assert statuses(outcomes) == {"nowhere.jpg": "failed"}
    assert statuses(preview(jobs, batch)) == {"nowhere.jpg": "failed"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("no kernel\nfor this"), "RuntimeError: no kernel for this"),
        (MemoryError(), "MemoryError"),
        (ImageError("it is all one colour"), "it is all one colour"),
    ],
)
def test_an_error_in_one_photo_stops_no_other(go, error, reason):
    outcomes = go(raises_on("shoe.jpg", error))
    assert statuses(outcomes) == dict.fromkeys(LABELS, "done") | {"shoe.jpg": "failed"}
    assert [outcome.reason for outcome in outcomes if outcome.reason] == [reason]


def test_only_the_unexpected_leaves_a_trace(go):
    (failed,) = (o for o in go(raises_on("shoe.jpg", KeyError("x"))) if o.status == "failed")
    assert "raise error" in failed.trace
    (failed,) = (o for o in go(raises_on("shoe.jpg", ImageError("no"))) if o.status == "failed")
    assert failed.trace == ""


def test_what_failed_is_tried_again(go):
    go(raises_on("shoe.jpg", MemoryError()))
    assert redone(go()) == ["shoe.jpg"]


def test_a_photo_that_was_done_stays_when_its_successor_is_bad(go, photos, out):
    go()
    whole = tree(out)
    (photos / "shoe.jpg").write_text("bad")
    assert statuses(go())["shoe.jpg"] == "failed"
    assert tree(out) == whole


def test_a_photo_that_changes_while_it_is_read_fails(go, monkeypatch):
    read = stages.read_photo

    def read_late(path, limit):
        photo = read(path, limit)
        if path.name == "shoe.jpg":
            path.write_bytes(path.read_bytes() + b"more")
        return photo

    monkeypatch.setattr(stages, "read_photo", read_late)
    outcomes = go()
    assert statuses(outcomes) == dict.fromkeys(LABELS, "done") | {"shoe.jpg": "failed"}
    assert "changed while it was read" in next(o.reason for o in outcomes if o.reason)


def test_fail_fast_leaves_the_rest(go):
    outcomes = go(raises_on("shoe.jpg", MemoryError()), sections={"batch": {"fail_fast": True}})
    assert list(statuses(outcomes).values()) == ["done", "failed", "left", "left", "left"]


def test_nothing_is_begun_after_the_deadline(go, monkeypatch):
    def count_minutes(photo, preset):
        clock.append(clock[-1] + 1)
        return slices(photo, preset)

    clock = [0]
    monkeypatch.setattr(pipeline, "time", SimpleNamespace(monotonic=lambda: clock[-1]))
    outcomes = go(count_minutes, deadline=1.5)
    assert list(statuses(outcomes).values()) == ["done", "done", "left", "left", "left"]
    assert redone(go()) == LABELS[2:]


def test_a_full_disk_ends_the_run_and_keeps_what_is_done(go, photos, out, monkeypatch):
    paint(photos / "summer" / "hat.jpg", size=(31, 16))
    monkeypatch.setitem(FORMATS, "psd", night.Full(31))
    with pytest.raises(EnvironmentFault, match="No space left on device; what is finished is kept"):
        go(sections={"batch": {"jobs": 1}})
    assert (out / "shoe.layers.json").exists()
    assert not [name for name in names(out) if "layerctl" in name or "hat.jpg" in name]
    monkeypatch.setitem(FORMATS, "psd", night.Raw(".psd"))
    outcomes = statuses(go())
    assert outcomes["shoe.jpg"] == "skipped"
    assert outcomes["summer/hat.jpg"] == "done"


def test_a_disk_that_fills_up_while_files_move_leaves_no_half_of_them(go, out, monkeypatch):
    replaced, real = [], publish.Path.replace

    def replace_some(path, target):
        replaced.append(target)
        if len(replaced) >= 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, target)

    monkeypatch.setattr(publish.Path, "replace", replace_some)
    with pytest.raises(EnvironmentFault):
        go(sections={"batch": {"jobs": 1}})
    assert names(out) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EBUSY])
@pytest.mark.parametrize("moment", range(0, 24, 4))
def test_a_redo_that_cannot_be_moved_leaves_what_was_there(go, out, monkeypatch, number, moment):
    go(settings="1" * 64, sections={"decompose": {"layers": 7}})
    real, steps = publish.Path.replace, iter(range(moment, -1, -1))
    whole = {name: content for name, content in tree(out).items() if name.startswith("cup")}

    def replace(path, target):
        if next(steps, None) == 0:
            raise OSError(number, os.strerror(number), str(path), None, str(target))
        return real(path, target)

    monkeypatch.setattr(publish.Path, "replace", replace)
    sections = {"batch": {"jobs": 1, "fail_fast": True}}
    if number == errno.ENOSPC:
        with pytest.raises(EnvironmentFault):
            go(sections=sections)
    else:
        assert statuses(go(sections=sections))["cup.png"] == "failed"
    found = tree(out)
    assert {name: content for name, content in found.items() if name.startswith("cup")} == whole
    assert not [name for name in found if ".layerctl" in name]


def test_outputs_may_lie_on_several_disks(go, out, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other")
    out.mkdir()
    (out / "summer").symlink_to(other)
    move = publish.Path.replace

    def replace(path, target):
        if ("summer" in path.parts) != ("summer" in target.parts):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(path), None, str(target))
        return move(path, target)

    monkeypatch.setattr(publish.Path, "replace", replace)
    for settings in ("1" * 64, "2" * 64):
        assert statuses(go(settings=settings)) == dict.fromkeys(LABELS, "done")
        assert statuses(go(settings=settings)) == dict.fromkeys(LABELS, "skipped")
    assert (other / "hat.psd").is_file()
    assert not [name for name in names(out) + names(other) if "layerctl-" in name]


def closed(folder, monkeypatch, number, *, also=()):
    """Let no file be made, moved or removed in a folder, which the mode of one does not do for us.

    From files in `also`, other changes fail than those in the folder's.
    """

    def refuse(method):
        def call(path, *others, **options):
            named = [Path(name) for name in (path, *others) if isinstance(name, str | Path)]
            if any(name.parent == folder or name in also for name in named):
                raise OSError(number, os.strerror(number), *names_of(named))
            return method(path, *others, **options)

        return call

    def names_of(named):
        return [str(named[0]), None, *map(str, named[1:])]

    for name in ("replace", "mkdir", "unlink", "rmdir"):
        monkeypatch.setattr(Path, name, refuse(getattr(Path, name)))
    monkeypatch.setattr("os.link", refuse(os.link))
    real = tempfile.mkdtemp

    def mkdtemp(*, prefix, dir):  # noqa: A002 - as tempfile calls it
        if Path(dir) == folder:
            raise OSError(number, os.strerror(number), f"{dir}/{prefix}x")
        return real(prefix=prefix, dir=dir)

    monkeypatch.setattr(publish, "mkdtemp", mkdtemp)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
@pytest.mark.parametrize("before", [True, False])
def test_a_folder_that_is_closed_fails_its_photos_and_no_other(
    go, out, monkeypatch, number, before
):
    if before:
        go(settings="1" * 64)
    (out / "winter").mkdir(parents=True, exist_ok=True)
    whole = {name: content for name, content in tree(out).items() if "winter" in name}
    closed(out / "winter", monkeypatch, number)
    outcomes = go()
    assert statuses(outcomes) == dict.fromkeys(LABELS, "done") | {"winter/boot.webp": "failed"}
    (reason,) = (outcome.reason for outcome in outcomes if outcome.reason)
    assert reason.startswith(f"cannot write to {out}/winter")
    assert reason.endswith(f": {os.strerror(number)}")
    assert {name: content for name, content in tree(out).items() if "winter" in name} == whole
    assert not [name for name in names(out) if ".layerctl" in name]


def test_a_file_that_cannot_be_replaced_is_named(go, out, monkeypatch):
    go(settings="1" * 64)
    closed(None, monkeypatch, errno.EPERM, also=[out / "shoe.pptx"])
    outcomes = go()
    assert statuses(outcomes) == dict.fromkeys(LABELS, "done") | {"shoe.jpg": "failed"}
    (reason,) = (outcome.reason for outcome in outcomes if outcome.reason)
    assert reason == f"cannot write to {out}/shoe.pptx: Operation not permitted"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_an_output_folder_that_is_closed_ends_the_run(go, out, monkeypatch, number):
    go(settings="1" * 64)
    closed(out, monkeypatch, number)
    monkeypatch.setattr("layerctl.batch.lock.Path.unlink", lambda *_, **__: None)
    with pytest.raises(EnvironmentFault, match=f"cannot write to {out}: {os.strerror(number)}; "):
        go()


def test_an_output_folder_that_is_closed_in_the_middle_ends_the_run(go, out, monkeypatch):
    def close(photo, preset):
        if photo.source.name == "shoe.jpg":
            closed(out, monkeypatch, errno.EROFS)
            monkeypatch.setattr("layerctl.batch.lock.Path.unlink", lambda *_, **__: None)
        return slices(photo, preset)

    with pytest.raises(EnvironmentFault, match=f"cannot write to {out}: Read-only file system; "):
        go(close, sections={"batch": {"jobs": 1}})


def test_a_fault_of_the_machine_in_the_model_ends_the_run(go):
    with pytest.raises(EnvironmentFault, match="the device is gone"):
        go(raises_on("shoe.jpg", EnvironmentFault("the device is gone")))


def test_what_the_model_cannot_do_at_all_ends_the_run(go):
    with pytest.raises(UsageError, match="at most 4 layers"):
        go(raises_on("cup.png", UsageError("at most 4 layers")))


def test_a_model_that_cannot_be_loaded_writes_nothing(photos, out):
    def load():
        raise EnvironmentFault("it is damaged")

    with pytest.raises(EnvironmentFault, match="damaged"):
        list(run(plan([photos], out), Batch(out, Preset(), night.SETTINGS), load))
    assert names(out) == []


def test_an_output_folder_that_cannot_be_made_is_refused_before_the_model_loads(photos, tmp_path):
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    with pytest.raises(EnvironmentFault, match="cannot write to"):
        list(run(plan([photos], out), Batch(out, Preset(), "0"), lambda: pytest.fail("loaded")))


def test_a_second_run_on_the_same_folder_is_refused_at_once(go, photos, out):
    second = []

    def look(photo, preset):
        with pytest.raises(Busy):
            list(run(plan([photos], out), Batch(out, preset, "0"), night.Model))
        second.append(photo.source.name)
        return slices(photo, preset)

    assert statuses(go(look)) == dict.fromkeys(LABELS, "done")
    assert len(second) == 5


def test_a_run_that_is_closed_clears_up_and_leaves_the_rest(photos, out):
    outcomes = run(plan([photos], out), Batch(out, Preset(), night.SETTINGS), night.Model)
    first = next(outcomes)
    outcomes.close()
    assert first.status == "done"
    assert (out / first.job.receipt).exists()
    assert not [name for name in names(out) if ".layerctl" in name]


def test_an_interrupt_in_the_model_leaves_the_photo_to_the_next_run(go, out):
    with pytest.raises(KeyboardInterrupt):
        go(raises_on("hat.png", KeyboardInterrupt()))
    assert not [name for name in names(out) if ".layerctl" in name or "hat.png" in name]
    assert "summer/hat.png" in redone(go())
