"""The text phase of a run: words for all photos first, and nothing lost or told twice by it."""

import time
from types import SimpleNamespace

import pytest

from layerctl.batch import pipeline, receipt, stages
from layerctl.errors import EnvironmentFault
from layerctl.texts.prompt import Prompt
from tests.batch import night
from tests.batch.night import LABELS, Reader, paint, raises_on, redone, statuses

FILES = ["cup.png", "shoe.jpg", "hat.jpg", "hat.png", "boot.webp"]
SIDECAR = "shoe.txt"


@pytest.fixture
def reader():
    return Reader()


def prompts(outcomes):
    return {outcome.job.label: outcome.receipt.prompt for outcome in outcomes}


def test_all_photos_are_read_before_the_first_is_taken_apart(go, reader):
    def work(photo, preset):
        assert reader.read == FILES
        return night.slices(photo, preset)

    reader.work = work
    assert statuses(go(model=reader)) == dict.fromkeys(LABELS, "done")


def test_a_model_without_text_reads_each_photo_once_and_no_text_at_all(go, photos, monkeypatch):
    (photos / SIDECAR).write_bytes(b"\xff")
    read, paths = stages.read_photo, []
    monkeypatch.setattr(stages, "read_photo", lambda *a: (paths.append(a[0]), read(*a))[1])
    outcomes = go()
    assert statuses(outcomes) == dict.fromkeys(LABELS, "done")
    assert len(paths) == len(LABELS)
    assert set(prompts(outcomes).values()) == {None}
    assert statuses(go()) == dict.fromkeys(LABELS, "skipped")


def test_a_photo_with_a_text_beside_it_is_not_captioned(go, photos, reader):
    (photos / SIDECAR).write_text("a red shoe")
    outcomes = go(model=reader)
    assert reader.read == ["cup.png", "a red shoe", "hat.jpg", "hat.png", "boot.webp"]
    found = prompts(outcomes)
    assert found["shoe.jpg"] == Prompt("a red shoe", "sidecar")
    assert found["cup.png"] == Prompt("24 by 16", "caption")


@pytest.mark.parametrize("origin", ["flag", "preset"])
def test_a_prompt_for_all_beats_the_texts_and_no_photo_is_read_for_it(
    go, photos, reader, origin, monkeypatch
):
    (photos / SIDECAR).write_text("a red shoe")
    said = Prompt("a thing", origin)
    read, paths = stages.read_photo, []
    monkeypatch.setattr(stages, "read_photo", lambda *a: (paths.append(a[0]), read(*a))[1])
    assert set(prompts(go(model=reader, prompt=said)).values()) == {said}
    assert reader.read == ["a thing"] * 5
    assert len(paths) == len(LABELS)


def test_the_prompt_is_in_the_receipt_on_disk(go, photos, out, reader):
    (photos / SIDECAR).write_text("红色的鞋")
    go(model=reader)
    assert receipt.read(out / "shoe.layers.json").prompt == Prompt("红色的鞋", "sidecar")


def test_a_changed_text_is_a_reason_to_do_it_again(go, photos, reader):
    def change(text):
        (photos / SIDECAR).write_text(text)
        return redone(go(model=reader))

    go(model=reader)
    assert change("a shoe") == ["shoe.jpg"]
    assert change("a shoe\n") == []
    assert change("a boot") == ["shoe.jpg"]
    (photos / SIDECAR).unlink()
    assert redone(go(model=reader)) == ["shoe.jpg"]
    assert redone(go(model=reader)) == []


def test_a_caption_that_somebody_writes_down_changes_nothing(go, photos, reader):
    go(model=reader)
    (photos / SIDECAR).write_text("24 by 16")
    assert redone(go(model=reader)) == []


def test_what_is_done_is_not_read_again(go, photos, reader):
    go(model=reader)
    paint(photos / "shoe.jpg", seed=99)
    reader.read.clear()
    assert redone(go(model=reader)) == ["shoe.jpg"]
    assert reader.read == ["shoe.jpg"]


def test_a_bad_photo_or_text_is_told_once_and_stops_no_other(go, photos, reader):
    (photos / "shoe.jpg").write_text("<html>404</html>")
    (photos / "cup.txt").write_bytes(b"\xff\xfe")
    outcomes = go(model=reader)
    assert [o.job.label for o in outcomes] == LABELS
    bad = {"shoe.jpg": "failed", "cup.png": "failed"}
    assert statuses(outcomes) == dict.fromkeys(LABELS, "done") | bad
    assert reader.read == ["hat.jpg", "hat.png", "boot.webp"]
    assert outcomes[0].reason == "its text cup.txt is not in UTF-8"


def test_an_unreadable_text_does_not_undo_what_is_there(go, photos, out, reader):
    go(model=reader)
    (photos / SIDECAR).write_bytes(b"\xff")
    assert statuses(go(model=reader))["shoe.jpg"] == "failed"
    assert (out / "shoe.layers.json").exists()


def test_fail_fast_reads_no_further_and_does_what_comes_before(go, photos, reader):
    (photos / "shoe.jpg").write_text("bad")
    outcomes = go(model=reader, sections={"batch": {"fail_fast": True}})
    assert list(statuses(outcomes).values()) == ["done", "failed", "left", "left", "left"]
    assert reader.read == ["cup.png"]


def test_nothing_is_read_after_the_deadline(go, reader, monkeypatch):
    clock = [0]

    def count_minutes(_):
        clock[0] += 1

    monkeypatch.setattr(pipeline, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    outcomes = go(model=reader, deadline=2, on_text=count_minutes)
    assert set(statuses(outcomes).values()) == {"left"}
    assert 2 <= len(reader.read) <= 3
    assert redone(go(model=reader)) == LABELS


def test_each_photo_is_told_as_its_text_is_read(go, reader):
    told = []
    go(model=reader, on_text=lambda job: told.append(job.label))
    assert told == LABELS


def test_an_encoder_that_is_missing_ends_the_run(go, reader, out):
    def missing(photos, _):
        next(iter(photos))
        raise EnvironmentFault("pip install 'layerctl[qwen]'")

    reader.prepare = missing
    with pytest.raises(EnvironmentFault, match="pip install"):
        go(model=reader)
    assert list(out.iterdir()) == []


def test_notes_of_how_it_went_are_in_the_receipt(go):
    def shrunk(photo, preset):
        taken = night.slices(photo, preset)
        return type(taken)(taken.document, taken.seconds, notes=("the device ran out of memory",))

    assert go(shrunk)[0].receipt.notes == ("the device ran out of memory",)


def test_a_photo_that_fails_in_the_model_is_read_for_the_next_run_too(go, reader):
    reader.work = raises_on("shoe.jpg", MemoryError())
    go(model=reader)
    assert redone(go(model=Reader())) == ["shoe.jpg"]


def test_the_next_photo_is_opened_while_texts_are_read(go, reader, monkeypatch):
    begun, read = [], stages.read_photo
    monkeypatch.setattr(stages, "read_photo", lambda *a: (begun.append(a[0]), read(*a))[1])

    def patient(photos, _):
        first = next(iter(photos))
        until = time.monotonic() + 20
        while len(begun) < 2:
            assert time.monotonic() < until
        assert first.source == begun[0]

    reader.prepare = patient
    assert statuses(go(model=reader)) == dict.fromkeys(LABELS, "done")
