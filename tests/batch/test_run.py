"""What a run does: whose turn it is, what is left alone, what lies in the folder afterwards."""

import os
import threading
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from layerctl.batch import publish, receipt, stages
from layerctl.batch.plan import RECEIPT_ENDING, plan
from layerctl.batch.run import preview, run
from layerctl.batch.stages import Batch
from layerctl.formats import FORMATS
from layerctl.preset import Preset
from tests.batch import night
from tests.batch.night import LABELS, moments, names, never, paint, redone, slices, statuses, tree

KEYS = ["cup.png", "shoe", "summer/hat", "summer/hat.png", "winter/boot.webp"]


def test_every_photo_gets_its_files_and_nothing_else_is_left(go, out):
    assert statuses(go()) == dict.fromkeys(LABELS, "done")
    stack = ["00-background", "01-product-1", "02-product-2", "03-product-3"]
    expected = ["summer", "winter"]
    for key in KEYS:
        expected += [key, *(f"{key}{end}" for end in (".psd", ".pptx", ".layers.json"))]
        expected += [f"{key}/{layer}.png" for layer in stack]
    assert names(out) == sorted(expected)


def test_a_main_picture_and_a_folder_of_numbered_views_are_done_side_by_side(go, out, tmp_path):
    for seed, name in enumerate(["shoe.jpg", "shoe/00-background.png", "shoe/01-product-1.png"]):
        paint(tmp_path / "shop" / name, seed=seed)
    for expected in ("done", "skipped"):
        assert set(statuses(go(inputs=[tmp_path / "shop"])).values()) == {expected}
    assert {name for name in names(out / "shoe") if "product-1" in name} >= {
        "01-product-1.png",
        "01-product-1.png.psd",
        "01-product-1.png.layers.json",
        "01-product-1.png~/01-product-1.png",
    }


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
    assert {**tree(out), "shoe.layers.json": 0}.items() >= {**whole, "shoe.layers.json": 0}.items()
    (out / f"{name}.bak").unlink(missing_ok=True)
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


def test_files_are_on_disk_before_they_move_and_the_receipt_moves_last(go, monkeypatch):
    events, sync, move = [], publish.sync, publish.Path.replace
    monkeypatch.setattr(publish, "sync", lambda path: (events.append(path), sync(path)))
    monkeypatch.setattr(
        publish.Path, "replace", lambda path, to: (events.append((path, to)), move(path, to))
    )
    go(sections={"batch": {"jobs": 1}})
    moves = [event for event in events if isinstance(event, tuple)]
    brought = [(moved, to) for moved, to in moves if ".layerctl-" in to.name]
    assert len(brought) == 5 * 7
    assert all(moved in events[: events.index((moved, to))] for moved, to in brought)
    ends = [to.name.endswith(RECEIPT_ENDING) for _, to in moves if ".layerctl-" not in to.name]
    assert ends == ([False] * 6 + [True]) * 5


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
