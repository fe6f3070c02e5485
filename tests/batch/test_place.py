"""Whose a place in the output folder is: a photo takes none that is another's."""

import errno
import os
import shutil
from dataclasses import replace

import pytest

from layerctl.batch import receipt
from layerctl.batch.plan import plan
from layerctl.batch.run import preview
from layerctl.batch.stages import Batch
from layerctl.preset import Preset
from tests.batch import night
from tests.batch.night import LABELS, moments, names, never, paint, redone, statuses


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
