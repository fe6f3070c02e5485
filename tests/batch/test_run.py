import errno
import os
import threading
import time
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest

from layerctl.batch import pipeline, publish, receipt, stages
from layerctl.batch.plan import RECEIPT_ENDING, plan
from layerctl.batch.run import preview, run
from layerctl.batch.stages import Batch
from layerctl.errors import Busy, EnvironmentFault, ImageError, UsageError
from layerctl.formats import FORMATS
from layerctl.preset import Preset
from tests.batch import night
from tests.batch.night import paint, raises_on, slices, tree

LABELS = ["cup.png", "shoe.jpg", "summer/hat.jpg", "summer/hat.png", "winter/boot.webp"]
KEYS = ["cup.png", "shoe", "summer/hat", "summer/hat.png", "winter/boot.webp"]


def statuses(outcomes):
    return {outcome.job.label: outcome.status for outcome in outcomes}


def redone(outcomes):
    return [outcome.job.label for outcome in outcomes if outcome.status == "done"]


def moments(folder):
    return {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.rglob("*") if p.is_file()}


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def never(*_):
    raise AssertionError("there was nothing to do")


def test_every_photo_gets_its_files_and_nothing_else_is_left(go, out):
    assert statuses(go()) == dict.fromkeys(LABELS, "done")
    stack = ["00-background", "01-product-1", "02-product-2", "03-product-3"]
    expected = ["summer", "winter"]
    for key in KEYS:
        expected += [key, *(f"{key}{end}" for end in (".psd", ".pptx", ".layers.json"))]
        expected += [f"{key}/{layer}.png" for layer in stack]
    assert names(out) == sorted(expected)


def test_the_same_photos_give_the_same_bytes(go, out, tmp_path):
    go()
    out.rename(tmp_path / "first")
    go()
    assert tree(out) == tree(tmp_path / "first")


def test_what_is_done_is_skipped_and_left_alone(go, out):
    go()
    before = moments(out)
    assert statuses(go(never)) == dict.fromkeys(LABELS, "skipped")
    assert moments(out) == before


def test_the_model_is_not_loaded_when_nothing_is_left_to_do(go, photos, out):
    go()
    batch = Batch(out, Preset(), night.SETTINGS)
    outcomes = run(plan([photos], out), batch, lambda: pytest.fail("it was loaded"))
    assert statuses(outcomes) == dict.fromkeys(LABELS, "skipped")


def test_a_changed_photo_is_redone_and_no_other(go, photos):
    go()
    paint(photos / "shoe.jpg", seed=99)
    assert redone(go()) == ["shoe.jpg"]


@pytest.mark.parametrize(
    "name",
    ["shoe.psd", "shoe.pptx", "shoe/02-product-2.png", "shoe.layers.json"],
)
def test_a_file_that_is_cut_short_or_lost_is_made_again(go, out, name):
    go()
    whole = tree(out)
    (out / name).write_bytes((out / name).read_bytes()[:20])
    assert redone(go()) == ["shoe.jpg"]
    assert tree(out) == whole
    (out / name).unlink()
    assert redone(go()) == ["shoe.jpg"]
    assert tree(out) == whole


def test_other_settings_redo_everything(go):
    go()
    assert redone(go(settings="1" * 64)) == LABELS


def test_force_redoes_everything(go, out):
    go()
    before = moments(out)
    assert redone(go(force=True)) == LABELS
    assert not set(before.items()) & set(moments(out).items())


def test_files_that_are_no_longer_made_go(go, out):
    go(sections={"decompose": {"layers": 6}}, settings="1")
    assert (out / "shoe" / "05-product-5.png").exists()
    go(sections={"decompose": {"layers": 3}}, settings="2")
    assert names(out / "shoe") == ["00-background.png", "01-product-1.png", "02-product-2.png"]
    go(sections={"export": {"formats": ["psd"]}}, settings="3")
    assert not (out / "shoe").exists()
    assert not (out / "shoe.pptx").exists()


def test_files_of_others_in_the_same_folder_stay(go, out):
    go()
    mine = out / "shoe" / "07-mine.png"
    mine.write_text("by hand")
    go(sections={"export": {"formats": ["psd"]}}, settings="1")
    assert names(out / "shoe") == ["07-mine.png"]
    assert mine.read_text() == "by hand"


def test_a_file_that_no_receipt_names_is_not_replaced_unless_forced(go, out):
    out.mkdir()
    (out / "shoe.psd").write_text("weeks of work")
    outcomes = go()
    assert statuses(outcomes)["shoe.jpg"] == "failed"
    assert "shoe.psd is there already" in next(o.reason for o in outcomes if o.reason)
    assert names(out).count("shoe.pptx") == 0
    assert (out / "shoe.psd").read_text() == "weeks of work"
    assert redone(go(force=True)) == LABELS


@pytest.mark.parametrize("name", ["shoe.psd", "shoe.layers.json", "shoe/00-background.png"])
def test_a_folder_in_the_way_fails_one_photo(go, out, name):
    (out / name).mkdir(parents=True)
    before = names(out)
    outcomes = go(force=True)
    assert statuses(outcomes) == dict.fromkeys(LABELS, "done") | {"shoe.jpg": "failed"}
    assert {name for name in names(out) if name.startswith("shoe")} == set(before)


def test_a_file_where_the_stack_has_to_go_fails_one_photo(go, out):
    out.mkdir()
    (out / "shoe").write_text("mine")
    outcomes = go()
    assert statuses(outcomes)["shoe.jpg"] == "failed"
    assert "file where the folder" in next(o.reason for o in outcomes if o.reason)
    assert [name for name in names(out) if name.startswith("shoe")] == ["shoe"]


def test_a_bad_photo_stops_no_other(go, photos, out):
    (photos / "shoe.jpg").write_text("<html>404</html>")
    (photos / "summer" / "zero.png").touch()
    outcomes = go()
    bad = {"shoe.jpg": "failed", "summer/zero.png": "failed"}
    assert statuses(outcomes) == dict.fromkeys(LABELS, "done") | bad
    assert all(outcome.reason for outcome in outcomes if outcome.status == "failed")
    assert not list(out.rglob("*shoe*"))
    assert not list(out.rglob("*zero*"))


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


def test_a_preview_touches_nothing(go, photos, out):
    batch = Batch(out, Preset(), night.SETTINGS)
    assert statuses(preview(plan([photos], out), batch)) == dict.fromkeys(LABELS, "todo")
    assert not out.exists()
    go()
    paint(photos / "shoe.jpg", seed=99)
    before = moments(out)
    found = statuses(preview(plan([photos], out), batch))
    assert found == dict.fromkeys(LABELS, "skipped") | {"shoe.jpg": "todo"}
    assert moments(out) == before


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


def test_files_are_on_disk_before_they_move_and_the_receipt_moves_last(go, monkeypatch):
    events, sync, move = [], publish._sync, publish.Path.replace
    monkeypatch.setattr(publish, "_sync", lambda path: (events.append(path), sync(path)))
    monkeypatch.setattr(
        publish.Path, "replace", lambda path, to: (events.append((path, to)), move(path, to))
    )
    go(sections={"batch": {"jobs": 1}})
    moves = [event for event in events if isinstance(event, tuple)]
    assert len(moves) == 5 * 7
    assert all(moved in events[: events.index((moved, to))] for moved, to in moves)
    assert [to.name.endswith(RECEIPT_ENDING) for _, to in moves] == ([False] * 6 + [True]) * 5


def test_a_disk_that_fills_up_while_files_move_leaves_no_half_of_them(go, out, monkeypatch):
    replaced, real = [], publish.Path.replace

    def replace_some(path, target):
        replaced.append(target)
        if len(replaced) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, target)

    monkeypatch.setattr(publish.Path, "replace", replace_some)
    with pytest.raises(EnvironmentFault):
        go(sections={"batch": {"jobs": 1}})
    assert names(out) == []


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
            list(run(plan([photos], out), Batch(out, preset, "0"), lambda: slices))
        second.append(photo.source.name)
        return slices(photo, preset)

    assert statuses(go(look)) == dict.fromkeys(LABELS, "done")
    assert len(second) == 5


def test_a_run_that_is_closed_clears_up_and_leaves_the_rest(photos, out):
    outcomes = run(plan([photos], out), Batch(out, Preset(), night.SETTINGS), lambda: slices)
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


def test_the_next_photo_is_read_and_the_last_written_while_the_model_works(go, monkeypatch):
    begun = {(stage, label): threading.Event() for stage in ("read", "draw") for label in LABELS}
    after = dict(pairwise(LABELS))
    read = stages.read_photo

    def label(path):
        return next(label for label in LABELS if str(path).endswith(f"products/{label}"))

    def wait_for(stage, path):
        assert label(path) not in after or begun[stage, after[label(path)]].wait(20)

    def note_reading(path, limit):
        begun["read", label(path)].set()
        return read(path, limit)

    def draw_while_reading(photo, preset):
        begun["draw", label(photo.source)].set()
        wait_for("read", photo.source)
        written.append(photo.source)
        return slices(photo, preset)

    class Patient(night.Raw):
        def write(self, document, target, export):
            wait_for("draw", written.pop(0))
            return super().write(document, target, export)

    written = []
    monkeypatch.setitem(FORMATS, "psd", Patient(".psd"))
    monkeypatch.setattr(stages, "read_photo", note_reading)
    outcomes = go(draw_while_reading, sections={"batch": {"jobs": 1}})
    assert statuses(outcomes) == dict.fromkeys(LABELS, "done")


def test_few_documents_are_alive_however_slow_the_writers_are(go, photos, monkeypatch):
    alive, most, lock = 0, 0, threading.Lock()

    def count(photo, preset):
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        return slices(photo, preset)

    class Counted(night.Raw):
        def write(self, document, target, export):
            nonlocal alive
            time.sleep(0.02)
            with lock:
                alive -= 1
            return super().write(document, target, export)

    monkeypatch.setitem(FORMATS, "psd", Counted(".psd"))
    for number in range(12):
        paint(photos / f"{number}.png", seed=number)
    go(count, sections={"batch": {"jobs": 2}})
    assert most <= 4


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_outputs_may_be_read_by_whom_the_user_lets(go, out, mask):
    before = os.umask(mask)
    try:
        go()
    finally:
        os.umask(before)
    for path in out.rglob("*"):
        wanted = (0o777 if path.is_dir() else 0o666) & ~mask
        assert path.stat().st_mode & 0o777 == wanted, path


ODD = ["-n.jpg", "[x].jpg", "dot..dots...jpg", "a#b%20.jpg", "two\nlines.jpg", "x" * 240 + ".jpg"]


def test_odd_names_come_through(go, tmp_path, out):
    folder = tmp_path / "odd"
    for name in [*ODD, os.fsdecode(b"caf\xe9.jpg"), "产品 🎁.jpg"]:
        paint(folder / name)
    assert set(statuses(go(inputs=[folder])).values()) == {"done"}
    assert set(statuses(go(never, inputs=[folder])).values()) == {"skipped"}
    assert receipt.read(out / os.fsdecode(b"caf\xe9.layers.json")).input.name == "caf\udce9.jpg"


def test_notes_and_doubts_are_in_the_receipt(go, monkeypatch):
    read = stages.read_photo

    def noted(path, limit):
        return replace(read(path, limit), notes=("only the first frame is used",))

    monkeypatch.setattr(stages, "read_photo", noted)
    first, *_ = go(night.doubtful)
    assert first.receipt.notes == ("only the first frame is used",)
    assert first.receipt.doubts == ("layer 1, background: its edge is soft",)
