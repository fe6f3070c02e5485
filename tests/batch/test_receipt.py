import json
import os
from dataclasses import replace

import pytest

from layerctl.batch import receipt
from layerctl.errors import DocumentError, ImageError
from tests.batch import night


@pytest.fixture
def made(go, out):
    """The receipt of a cup, and where it is."""
    go()
    path = out / "cup.png.layers.json"
    return receipt.read(path), path


def test_it_reads_back_as_it_was_written(made, tmp_path):
    found, path = made
    receipt.write(found, tmp_path / "again.json")
    assert receipt.read(tmp_path / "again.json") == found
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_it_says_what_was_made_of_what(made, photos):
    found, path = made
    assert found.input == receipt.record_input(photos / "cup.png")
    assert found.input.path == str(photos / "cup.png")
    assert found.size == (24, 16)
    assert set(found.seconds) == {"read", "model", "lift", "write"}
    assert [(layer.number, layer.name) for layer in found.layers] == [
        ("1", "background"),
        ("2", "product 1"),
        ("3", "product 2"),
        ("4", "product 3"),
    ]
    assert found.layers[2].box == (0, 6, 24, 11)
    assert [file.path for file in found.files] == [
        "cup.png.psd",
        "cup.png.pptx",
        "cup.png/00-background.png",
        "cup.png/01-product-1.png",
        "cup.png/02-product-2.png",
        "cup.png/03-product-3.png",
    ]
    assert all((path.parent / f.path).stat().st_size == f.bytes for f in found.files)


def test_one_from_before_there_were_prompts_is_understood(made):
    found, path = made
    content = json.loads(path.read_bytes())
    assert content.pop("prompt") is None
    path.write_text(json.dumps(content))
    assert receipt.read(path) == found


def test_one_that_does_not_say_where_the_photo_was_stands_as_well(made, photos):
    found, path = made
    content = json.loads(path.read_bytes())
    del content["input"]["path"]
    path.write_text(json.dumps(content))
    older = receipt.read(path)
    assert older == replace(found, input=replace(found.input, path=None))
    assert receipt.still_valid(older, photos / "cup.png", night.SETTINGS, path.parent)


def test_fields_that_are_not_known_are_passed_over(made):
    found, path = made
    content = json.loads(path.read_bytes())
    for part in (content, content["input"], content["files"][0], content["layers"][0]):
        part["invented later"] = [1]
    path.write_text(json.dumps(content))
    assert receipt.read(path) == found


def test_any_name_survives(made, tmp_path):
    found, _ = made
    name = "产品 \udcff\n🎁.jpg"
    odd = replace(found, input=replace(found.input, name=name, path=f"/{name}"))
    receipt.write(odd, tmp_path / "odd.json")
    assert receipt.read(tmp_path / "odd.json") == odd
    assert "产品" in (tmp_path / "odd.json").read_text()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"version": 2}',
    ],
)
def test_what_is_no_receipt_is_refused(content, tmp_path):
    path = tmp_path / "x.layers.json"
    path.write_bytes(content)
    with pytest.raises(DocumentError, match="not a receipt"):
        receipt.read(path)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x"])
def test_a_path_that_leads_out_of_the_folder_is_refused(path, made):
    _, place = made
    content = json.loads(place.read_bytes())
    content["files"][0]["path"] = path
    place.write_text(json.dumps(content))
    with pytest.raises(DocumentError):
        receipt.read(place)


def test_it_stands_while_nothing_changes(made, photos):
    found, path = made
    assert receipt.still_valid(found, photos / "cup.png", night.SETTINGS, path.parent)


def test_it_falls_when_the_settings_change(made, photos):
    found, path = made
    assert not receipt.still_valid(found, photos / "cup.png", "1" * 64, path.parent)


def damage_photo(photo, _):
    night.paint(photo, seed=99)


def remove_photo(photo, _):
    photo.unlink()


def truncate_output(_, folder):
    file = folder / "cup.png.psd"
    file.write_bytes(file.read_bytes()[:100])


def flip_a_bit(_, folder):
    file = folder / "cup.png.psd"
    content = bytearray(file.read_bytes())
    content[7] ^= 1
    file.write_bytes(content)


def remove_layer(_, folder):
    (folder / "cup.png" / "01-product-1.png").unlink()


@pytest.mark.parametrize(
    "change", [damage_photo, remove_photo, truncate_output, flip_a_bit, remove_layer]
)
def test_it_falls_when_a_file_changes(change, made, photos):
    found, path = made
    change(photos / "cup.png", path.parent)
    assert not receipt.still_valid(found, photos / "cup.png", night.SETTINGS, path.parent)


def test_a_folder_or_a_pipe_is_no_photo(tmp_path):

    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="not a regular file"):
        receipt.record_input(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="it is a folder"):
        receipt.record_input(tmp_path)
    with pytest.raises(ImageError, match="No such file"):
        receipt.record_input(tmp_path / "nothing.jpg")
