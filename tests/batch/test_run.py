"""What a run does: whose turn it is, what is left alone, what lies in the folder afterwards."""

import errno
import os
import shutil
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
from tests.batch.night import LABELS, names, paint, redone, slices, statuses, tree

KEYS = ["cup.png", "shoe", "summer/hat", "summer/hat.png", "winter/boot.webp"]


def moments(folder):
    return {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.rglob("*") if p.is_file()}


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
    assert (out / "shoe.psd.bak").read_text() == "weeks of work"


AGAIN = [
    {},
    {"force": True},
    {"settings": "1" * 64},
    {"settings": "1" * 64, "sections": {"export": {"formats": ["pptx"]}}, "force": True},
]
"""Ways to do a photo again: the last without the PSD and the PNGs."""


def noted(outcomes):
    return {o.job.label: o.receipt.notes for o in outcomes if o.receipt and o.receipt.notes}


@pytest.mark.parametrize("options", AGAIN)
def test_work_of_a_designer_is_kept_and_the_note_says_where(go, out, options):
    go()
    for name in ("shoe.psd", "shoe/01-product-1.png"):
        (out / name).write_text(f"by hand: {name}")
    note = "what was changed since is kept: shoe.psd.bak, shoe/01-product-1.png.bak"
    outcomes = go(**options)
    assert noted(outcomes) == {"shoe.jpg": (note,)}
    assert receipt.read(out / "shoe.layers.json").notes == (note,)
    for name in ("shoe.psd", "shoe/01-product-1.png"):
        assert (out / f"{name}.bak").read_text() == f"by hand: {name}"
    assert [name for name in names(out) if "bak" in name] == [
        "shoe.psd.bak",
        "shoe/01-product-1.png.bak",
    ]


def test_work_that_is_kept_never_gives_way_to_later_work(go, out):
    go()
    for text in ("one", "two", "three"):
        (out / "shoe.psd").write_text(text)
        go()
    kept = ["shoe.psd.bak", "shoe.psd.bak2", "shoe.psd.bak3"]
    assert [(out / name).read_text() for name in kept] == ["one", "two", "three"]


def test_what_nobody_touched_is_replaced_without_copies(go, out):
    go()
    for options in AGAIN:
        assert noted(go(**options)) == {}
    assert not [name for name in names(out) if "bak" in name]


def test_what_comes_out_as_it_is_needs_no_copy(go, out):
    go(settings="1" * 64)
    path = out / "shoe.layers.json"
    old = receipt.read(path)
    receipt.write(replace(old, notes=("the layer 2, product 1, was split",)), path)
    assert noted(go()) == {}
    assert not [name for name in names(out) if "bak" in name]


@pytest.mark.parametrize("for_good", [True, False])
def test_kept_work_outlives_a_move_that_fails(go, out, for_good):
    """A move that fails for good can't be taken back before the next run."""
    go()
    (out / "shoe.psd").write_text("by hand")
    real = publish.Path.replace

    def replace_some(path, target):
        if target.name == "shoe.pptx" and (for_good or ".new." in path.name):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return real(path, target)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(publish.Path, "replace", replace_some)
        assert statuses(go())["shoe.jpg"] == "failed"
    assert any(".layerctl-" in name for name in names(out)) == for_good
    assert for_good or (out / "shoe.psd").read_text() == "by hand"
    assert noted(go()) == {"shoe.jpg": ("what was changed since is kept: shoe.psd.bak",)}
    assert [name for name in names(out) if "bak" in name] == ["shoe.psd.bak"]
    assert (out / "shoe.psd.bak").read_text() == "by hand"
    assert not [name for name in names(out) if ".layerctl-" in name]


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


@pytest.fixture
def winter(tmp_path):
    """Another folder, with a shoe of its own."""
    return paint(tmp_path / "winter" / "shoe.jpg", seed=99).parent


def test_a_photo_of_another_folder_never_takes_the_place_of_one_that_is_still_there(
    go, photos, out, winter
):
    go()
    before = moments(out)
    for settings in (night.SETTINGS, "1" * 64):
        (outcome,) = go(never, inputs=[winter], settings=settings)
        assert outcome.status == "failed"
        assert outcome.reason == (
            f"{out / 'shoe.layers.json'} was made from {photos / 'shoe.jpg'}; "
            "choose another --out, or --force replaces it"
        )
    assert moments(out) == before
    assert statuses(preview(plan([winter], out), Batch(out, Preset(), ""))) == {
        "shoe.jpg": "failed"
    }
    assert statuses(go(never)) == dict.fromkeys(LABELS, "skipped")


def test_force_gives_the_place_to_the_photo_of_another_folder(go, out, winter):
    go()
    assert redone(go(inputs=[winter], force=True)) == ["shoe.jpg"]
    assert receipt.read(out / "shoe.layers.json").input.path == str(winter / "shoe.jpg")
    assert statuses(go(never)) == dict.fromkeys(LABELS, "skipped") | {"shoe.jpg": "failed"}


def test_the_place_of_a_photo_that_is_gone_is_free(go, photos, winter):
    go()
    (photos / "shoe.jpg").rename(photos / "slipper.jpg")
    assert redone(go(inputs=[winter])) == ["shoe.jpg"]


def test_where_a_receipt_does_not_say_whose_a_place_is_it_is_free(go, out, winter):
    go()
    path = out / "shoe.layers.json"
    made = receipt.read(path)
    receipt.write(replace(made, input=replace(made.input, path=None)), path)
    assert redone(go(inputs=[winter])) == ["shoe.jpg"]


@pytest.mark.parametrize("move", [os.rename, shutil.copytree, lambda a, b: b.symlink_to(a)])
def test_the_same_photo_in_another_place_is_done_or_done_again_as_ever(
    go, photos, out, tmp_path, move
):
    go()
    before = moments(out)
    move(photos, tmp_path / "elsewhere")
    there = [tmp_path / "elsewhere"]
    assert statuses(go(never, inputs=there)) == dict.fromkeys(LABELS, "skipped")
    assert moments(out) == before
    assert redone(go(inputs=there, settings="1" * 64)) == LABELS


def test_a_copy_that_was_renewed_with_its_original_is_the_same_photo(go, photos, tmp_path):
    go()
    for folder in (photos, tmp_path / "mirror"):
        paint(folder / "shoe.jpg", seed=98)
    assert redone(go(inputs=[tmp_path / "mirror"])) == ["shoe.jpg"]


def test_a_photo_that_cannot_be_read_fails_for_that_whosever_its_place_is(go, winter, monkeypatch):
    go()
    hashed = receipt.sha256_of

    def denied(path):
        if path.parent == winter:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return hashed(path)

    monkeypatch.setattr(receipt, "sha256_of", denied)
    (outcome,) = go(inputs=[winter])
    assert outcome.reason == "it cannot be read: Permission denied"


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
