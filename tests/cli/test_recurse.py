"""`layerctl recurse` with a stand-in for the network."""

import json
import os
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from layerctl.document import Decomposition, Document, Layer
from layerctl.formats import psd
from layerctl.preset import ExportSection
from tests import parting
from tests.batch import night


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def asked(monkeypatch):
    """What the network was loaded with and asked for; it cuts pictures in two."""
    log = SimpleNamespace(loads=[], presets=[])

    def work(photo, preset):
        log.presets.append(preset)
        return Decomposition(parting.halves(photo), {})

    def open_model(preset):
        log.loads.append(preset)
        return night.Model(work)

    monkeypatch.setitem(sys.modules, "layerctl.decompose", SimpleNamespace(open_model=open_model))
    return log


@pytest.fixture
def call(layerctl, asked, tmp_path):  # noqa: ARG001 - it has to be there
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model_index.json").write_text("{}")
    (folder / "layerctl.json").write_text(json.dumps({"note": "good for little"}))
    return lambda *arguments: layerctl("recurse", *arguments, "--model", folder)


@pytest.fixture
def shot(tmp_path):
    return made(tmp_path / "shot.psd")


def made(path):
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 4), np.uint8)
    layers = Layer("wall", "background", pixels), Layer("产品", "product", pixels, 4, 4)
    psd.write(Document(40, 30, layers), path, ExportSection())
    return path


def test_it_says_what_it_did(call, shot):
    answer = call(shot, "--layer", "产品")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "good for little",
        f"done  {shot}: layer 2, 产品, is a group of 2 layers now",
        "      2/1  left",
        "      2/2  right",
        f"      as it was: {shot}.bak",
    ]
    assert [row.number for row in psd.tree(shot)] == ["1", "2", "2/1", "2/2"]


def test_many_files_load_one_model_and_one_that_fails_stops_no_other(call, asked, tmp_path):
    files = [made(tmp_path / f"{name}.psd") for name in "abc"]
    files[1].write_bytes(b"8BPS and no more")
    answer = call(*files, tmp_path / "none.psd", "--layer", "1", "--no-backup")
    assert answer.code == 1
    assert len(asked.loads) == 1
    assert answer.out.count("done") == 2
    assert answer.err.splitlines() == [
        f"layerctl: {files[1]}: it is damaged: a part of it goes beyond its end",
        f"layerctl: {tmp_path / 'none.psd'}: it does not exist",
    ]
    assert not list(tmp_path.glob("*.bak"))


def test_what_is_refused_is_refused_before_the_model_is_loaded(call, asked, shot):
    answer = call(shot, "--layer", "shoe")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == (
        f"layerctl: {shot}: there is no layer 'shoe'; there are 1 (wall), 2 (产品)\n"
    )
    assert asked.loads == []


def test_layers_and_depth_reach_the_network(call, asked, shot):
    call(shot, "--layer", "2", "--layers", "3", "--depth", "2", "--seed", "5")
    assert {preset.decompose.layers for preset in asked.presets} == {3}
    assert {preset.decompose.seed for preset in asked.presets} == {5}
    assert [row.number for row in psd.tree(shot)][:4] == ["1", "2", "2/1", "2/1/1"]


def test_a_preset_says_how_to_pack_and_what_to_ask(call, asked, shot, tmp_path):
    preset = tmp_path / "mine.yaml"
    preset.write_text("decompose: {layers: 6}\nexport: {psd: {compression: zip}}\n")
    call(shot, "--layer", "1", "--preset", preset)
    assert asked.presets[0].decompose.layers == 6
    assert b"\0\2\x78\x9c" in shot.read_bytes()


def test_a_layer_without_parts_is_left_as_it_is(call, monkeypatch, shot):
    monkeypatch.setattr(parting, "halves", parting.whole)
    before = shot.read_bytes()
    answer = call(shot, "--layer", "1")
    assert answer.code == 0
    assert f"same  {shot}: the model finds no parts in layer 1, wall" in answer.out
    assert shot.read_bytes() == before


def test_results_can_go_to_a_folder(call, tmp_path):
    files = [made(tmp_path / f"{name}.psd") for name in "ab"]
    answer = call(*files, "--layer", "1", "-o", tmp_path / "new")
    assert answer.code == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.psd", "b.psd"]
    assert f" -> {tmp_path / 'new' / 'a.psd'}" in answer.out


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ("new", "new/shot.psd"),
        ("new/", "new/shot.psd"),
        ("a/b.c", "a/b.c/shot.psd"),
        ("new.psd/", "new.psd/shot.psd"),
        ("new.psd", "new.psd"),
        ("a/new.PSB", "a/new.PSB"),
    ],
)
def test_a_place_is_a_folder_unless_it_is_called_like_a_file(call, shot, tmp_path, given, result):
    answer = call(shot, "--layer", "1", "-o", f"{tmp_path}/{given}")
    assert (answer.code, answer.err) == (0, "")
    assert (tmp_path / result).is_file()
    assert f" -> {tmp_path / result}" in answer.out


def test_a_file_that_is_there_is_a_file_whatever_its_name(call, shot, tmp_path):
    (tmp_path / "old").write_text("old")
    assert "is there already" in call(shot, "--layer", "1", "-o", tmp_path / "old").err
    assert call(shot, "--layer", "1", "-o", tmp_path / "old", "--force").code == 0
    assert psd.tree(tmp_path / "old")
    answer = call(shot, "--layer", "1", "-o", f"{tmp_path}/old/")
    assert answer.code == 2
    assert f"{tmp_path}/old is a file, not a folder" in answer.err


def test_what_has_no_parts_goes_to_the_folder_too(call, monkeypatch, tmp_path):
    monkeypatch.setattr(parting, "halves", parting.whole)
    files = [made(tmp_path / f"{name}.psd") for name in "ab"]
    answer = call(*files, "--layer", "1", "-o", tmp_path / "new")
    assert answer.code == 0
    for file in files:
        copy = tmp_path / "new" / file.name
        assert copy.read_bytes() == file.read_bytes()
        assert (
            f"same  {file}: the model finds no parts in layer 1, wall; copied as it is -> {copy}"
            in answer.out.splitlines()
        )


def test_several_results_do_not_go_to_one_file(call, tmp_path):
    files = [made(tmp_path / f"{name}.psd") for name in "ab"]
    answer = call(*files, "--layer", "1", "-o", files[0])
    assert answer.code == 2
    assert "2 files need a folder" in answer.err


def test_results_of_the_same_name_do_not_go_to_one_folder(call, tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
    files = [made(tmp_path / folder / "shot.psd") for folder in "ab"]
    answer = call(*files, "--layer", "1", "-o", tmp_path / "new", "--force")
    assert answer.code == 2
    assert "some of the files have the same name" in answer.err


def test_what_nobody_expected_of_one_file_stops_no_other_and_is_reported(
    call, monkeypatch, tmp_path
):
    files = [made(tmp_path / f"{name}.psd") for name in "ab"]
    halves, turns = parting.halves, iter([1 / 2, 0])

    def fails_first(photo):
        return halves(photo) if next(turns) else 1 / 0

    turns = iter([0, 1])
    monkeypatch.setattr(parting, "halves", fails_first)
    answer = call(*files, "--layer", "1")
    assert answer.code == 70
    assert f"done  {files[1]}" in answer.out
    assert f"layerctl: {files[0]}: ZeroDivisionError" in answer.err
    assert "this is a bug, please report" in answer.err


def test_a_file_that_is_write_protected_is_the_machines_fault(call, shot, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: (path, mode) != (shot, os.W_OK))
    answer = call(shot, "--layer", "1")
    assert answer.code == 3
    assert "is write-protected; name another with --out" in answer.err


def test_a_prompt_is_no_use_to_a_model_that_reads_no_text(call, shot):
    answer = call(shot, "--layer", "1", "--prompt", "a shoe")
    assert answer.code == 2
    assert "--prompt" in answer.err


@pytest.mark.parametrize("arguments", [(), ("--depth", "0", "--layer", "1")])
def test_wrong_usage_is_one_sentence(call, shot, arguments):
    answer = call(shot, *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.count("\n") == 1
