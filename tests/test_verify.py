"""Finished outputs: whole or not, and how far from their photos."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image

from layerctl.batch import receipt as receipts
from layerctl.batch.receipt import Receipt
from layerctl.document import Document, Layer
from layerctl.errors import UsageError
from layerctl.formats import FORMATS
from layerctl.photo import read_photo
from layerctl.preset import ExportSection
from layerctl.verify import difference, verify


def draw():
    """A backdrop, a product with a soft edge and a shadow: what a decomposition looks like."""
    backdrop = np.full((40, 60, 4), (200, 190, 180, 255), np.uint8)
    shadow = np.zeros((10, 30, 4), np.uint8)
    shadow[..., 3] = 77
    product = np.full((20, 20, 4), (180, 40, 30, 255), np.uint8)
    product[:, :3, 3] = (40, 120, 200)
    layers = (
        Layer("background", "background", backdrop),
        Layer("shadow", "shadow", shadow, 15, 25, blend="multiply"),
        Layer("product", "product", product, 20, 10),
    )
    return Document(60, 40, layers)


@pytest.fixture
def finished(tmp_path):
    """Put a photo and its finished outputs on disk; return the folders IN and OUT."""

    def finish(formats=("psd", "pptx", "png"), change=0):
        photos, home = tmp_path / "in" / "summer", tmp_path / "out" / "summer"
        photos.mkdir(parents=True)
        home.mkdir(parents=True)
        document, source = draw(), photos / "shoe.png"
        Image.fromarray(document.flatten() - np.uint8([change, 0, 0, 0])).save(source)
        files = []
        for name in formats:
            target = home / f"shoe{FORMATS[name].suffix}"
            files += FORMATS[name].write(document, target, ExportSection())
        receipt = Receipt(
            version=1,
            input=receipts.record_input(source),
            settings="",
            seed=0,
            seconds={},
            size=(60, 40),
            layers=receipts.record_layers(document),
            files=receipts.record_files(files, home),
            notes=(),
        )
        receipts.write(receipt, home / "shoe.layers.json")
        return tmp_path / "in", tmp_path / "out"

    return finish


def test_every_document_is_read_back_and_compared_with_its_photo(finished):
    photos, out = finished()
    (verdict,) = verify(out, photos)
    assert verdict.passed
    assert verdict.label == "summer/shoe"
    assert [d.reader for d in verdict.deviations] == ["psd", "psd by psd-tools", "pptx", "png"]
    assert all(d.worst <= d.limit for d in verdict.deviations)


def test_without_its_photo_an_image_is_compared_with_the_merged_picture(finished, layerctl):
    photos, out = finished(["psd", "png"])
    (verdict,) = verify(out)
    assert verdict.passed
    assert [d.reader for d in verdict.deviations] == ["psd", "psd by psd-tools", "png"]
    told = "1 of 1 images are good, as far as outputs tell; --against IN compares with the photos"
    assert layerctl("verify", out).out.splitlines()[-1] == told
    answer = layerctl("verify", out, "--against", photos)
    assert answer.out.splitlines()[-1] == "1 of 1 images are good"


@pytest.mark.parametrize("formats", [["png"], ["pptx"], ["pptx", "png"]])
def test_without_photo_and_psd_an_image_is_good_and_said_to_be_compared_with_nothing(
    finished, layerctl, formats
):
    photos, out = finished(formats)
    answer = layerctl("verify", out)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "good  summer/shoe: whole, but compared with nothing",
        "1 of 1 images are good, as far as outputs tell; --against IN compares with the photos",
    ]
    assert "compared" not in layerctl("verify", out, "--against", photos).out


def test_without_photo_and_psd_every_document_must_still_be_readable(finished):
    _, out = finished(["pptx", "png"])
    harmed = out / "summer" / "shoe.pptx"
    harmed.write_bytes(b"no presentation")
    note = out / "summer" / "shoe.layers.json"
    receipt = receipts.read(note)
    files = tuple(
        receipts.record_files([harmed], harmed.parent)[0] if file.path == harmed.name else file
        for file in receipt.files
    )
    receipts.write(replace(receipt, files=files), note)
    (verdict,) = verify(out)
    assert not verdict.passed
    assert "no presentation that can be read" in verdict.faults[0]


def test_an_image_too_large_for_psd_tools_is_read_by_the_others(finished, monkeypatch):
    photos, out = finished()
    monkeypatch.setattr("layerctl.verify.PSD_TOOLS_PIXELS", 60 * 40 - 1)
    (verdict,) = verify(out, photos)
    assert verdict.passed
    assert [d.reader for d in verdict.deviations] == ["psd", "pptx", "png"]


@pytest.mark.parametrize(
    ("size", "length", "limit"),
    [((60, 40), 1000, 200), ((20_000, 12_501), 1000, 251), ((60, 40), 2_400_000_000, 301)],
)
def test_a_photo_is_read_whatever_was_allowed_when_it_was_taken_apart(
    finished, monkeypatch, size, length, limit
):
    photos, out = finished()
    note, limits = out / "summer" / "shoe.layers.json", []
    receipt = receipts.read(note)
    receipts.write(replace(receipt, size=size, input=replace(receipt.input, bytes=length)), note)
    monkeypatch.setattr("layerctl.verify.read_photo", partial(_remembering, limits))
    (verdict,) = verify(out, photos)
    assert verdict.passed
    assert limits == [limit]


def _remembering(limits, path, limit):
    limits.append(limit)
    return read_photo(path)


def test_documents_that_do_not_show_the_photo_do_not_pass(finished):
    photos, out = finished(change=3)
    (verdict,) = verify(out, photos)
    assert not verdict.passed
    assert [(d.worst, d.off) for d in verdict.deviations if d.reader != "psd by psd-tools"] == [
        (3, 1.0),
        (3, 1.0),
        (3, 1.0),
    ]


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        (lambda file: file.unlink(), "shoe.psd is missing"),
        (
            lambda file: file.write_bytes(file.read_bytes()[:100]),
            "shoe.psd is not what was written",
        ),
        (
            lambda file: file.write_bytes(bytes([*file.read_bytes()[:-1], 7])),
            "not what was written",
        ),
    ],
    ids=["gone", "cut short", "one byte off"],
)
def test_a_file_that_is_not_as_it_was_written_is_named(finished, harm, fault):
    photos, out = finished()
    harm(out / "summer" / "shoe.psd")
    (verdict,) = verify(out, photos)
    assert fault in verdict.faults[0]


def test_a_damaged_receipt_is_a_fault_of_its_image_alone(finished):
    photos, out = finished()
    (out / "other.layers.json").write_text("{")
    good = {verdict.label: verdict.passed for verdict in verify(out, photos)}
    assert good == {"other": False, "summer/shoe": True}


def test_one_document_can_be_verified_against_one_photo(finished):
    photos, out = finished()
    (verdict,) = verify(out / "summer" / "shoe.psd", photos / "summer" / "shoe.png")
    assert verdict.passed


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        (lambda photo: photo.unlink(), "is not there"),
        (lambda photo: photo.write_bytes(b"new"), "no longer the photo"),
    ],
    ids=["gone", "changed"],
)
def test_a_photo_that_is_not_the_one_is_no_match(finished, harm, fault):
    photos, out = finished()
    harm(photos / "summer" / "shoe.png")
    (verdict,) = verify(out, photos)
    assert fault in verdict.faults[0]


def test_a_photo_is_known_by_its_content_wherever_it_lies(finished):
    photos, out = finished()
    (photos / "a").mkdir()
    (photos / "a" / "shoe.png").write_bytes(b"another shoe")
    (verdict,) = verify(out, photos)
    assert verdict.passed


def test_scratch_folders_of_a_run_are_not_its_results(finished):
    photos, out = finished()
    (out / ".layerctl-x").mkdir()
    (out / ".layerctl-x" / "shoe.layers.json").write_text("{")
    assert len(list(verify(out, photos))) == 1


def test_where_nothing_was_finished_there_is_nothing_to_verify(tmp_path):
    with pytest.raises(UsageError, match="nothing to verify"):
        verify(tmp_path)


def test_a_missing_photo_folder_is_refused_at_once(finished, tmp_path):
    _, out = finished()
    with pytest.raises(UsageError, match="does not exist"):
        verify(out, tmp_path / "nowhere")


def test_colour_counts_as_far_as_it_is_seen():
    clear = np.zeros((2, 2, 4), np.uint8)
    tinted = clear + np.uint8([255, 0, 0, 0])
    assert difference(clear, tinted) == (0, 0.0)
    faint = tinted + np.uint8([0, 0, 0, 1])
    assert difference(clear, faint) == (1, 1.0)


def test_the_share_of_pixels_off_is_counted():
    one = np.full((10, 10, 4), 255, np.uint8)
    other = one.copy()
    other[0, :5, 1] -= 1
    assert difference(one, other) == (1, 0.05)
