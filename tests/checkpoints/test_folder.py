"""Checkpoint folders as files: weighed, whole, and always the same to a hash."""

import shutil
import subprocess
import sys

import pytest

from layerctl.checkpoints.catalogue import examine
from layerctl.checkpoints.folder import fingerprint
from layerctl.errors import EnvironmentFault
from layerctl.preset import ModelSection
from tests.checkpoints.layout import WEIGHTS, in_shards, safetensors
from tests.fake_hub import COMMIT, put_in_cache


def test_parameters_and_bytes_are_read_from_the_headers(folder):
    checkpoint = examine(ModelSection(name=str(folder)))
    assert (checkpoint.parameters, checkpoint.size) == (2 * 20, 2 * 40)


def test_a_text_encoder_counts(folder):
    (folder / "text_encoder").mkdir()
    (folder / "text_encoder" / "model.safetensors").write_bytes(safetensors())
    assert examine(ModelSection(name=str(folder))).parameters == 3 * 20


def test_shards_count_through_their_index(folder):
    in_shards(folder / "vae")
    assert examine(ModelSection(name=str(folder))).parameters == 40


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (safetensors()[:-1], "bytes, not"),
        (safetensors()[:20], "no safetensors file"),
        (b"", "no safetensors file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (safetensors({}), "no safetensors file"),
    ],
    ids=["a byte short", "cut in the header", "empty", "LFS pointer", "no tensors"],
)
def test_damaged_weights_are_named_with_the_reason(folder, content, sentence):
    (folder / "vae" / WEIGHTS).write_bytes(content)
    with pytest.raises(EnvironmentFault, match=rf"vae/.*{sentence}"):
        examine(ModelSection(name=str(folder)))


def test_missing_weights_are_named(folder):
    (folder / "vae" / WEIGHTS).unlink()
    with pytest.raises(EnvironmentFault, match=r"vae/.* cannot be read: No such file"):
        examine(ModelSection(name=str(folder)))


def test_a_fingerprint_changes_with_any_byte_and_any_name(folder):
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    (folder / "model_index.json").write_text("{ }")
    changed = fingerprint(folder)
    (folder / "model_index.json").rename(folder / "index.json")
    assert len({before, changed, fingerprint(folder)}) == 3


def test_the_same_files_have_the_same_fingerprint_wherever_they_are(folder, cache, tmp_path):
    before = fingerprint(folder)
    assert fingerprint(put_in_cache(folder, cache, "org/name")) == before
    assert fingerprint(shutil.copytree(folder, tmp_path / "copy")) == before
    linked = tmp_path / "linked"
    linked.mkdir()
    for path in folder.iterdir():
        (linked / path.name).symlink_to(path)
    assert fingerprint(linked) == before


def test_what_other_tools_hide_in_a_checkpoint_does_not_count(folder):
    before = fingerprint(folder)
    (folder / ".cache" / "huggingface").mkdir(parents=True)
    (folder / ".cache" / "huggingface" / "notes").write_text("today")
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs")
    assert fingerprint(folder) == before


def test_large_files_in_the_hub_cache_are_taken_at_their_word(folder, cache, monkeypatch):
    snapshot = put_in_cache(folder, cache, "org/name")
    before = fingerprint(snapshot)
    read = []
    monkeypatch.setattr(
        "layerctl.checkpoints.folder.sha256_of",
        lambda paths: [read.append(p) or "0" for p in paths],
    )
    assert fingerprint(snapshot) != before
    assert read
    assert all(path.suffix == ".json" for path in read)


def test_a_blob_that_took_another_place_changes_the_fingerprint(folder, cache):
    snapshot = put_in_cache(folder, cache, "org/name")
    before = fingerprint(snapshot)
    (folder / "vae" / WEIGHTS).write_bytes(safetensors()[:-1] + b"\1")
    assert put_in_cache(folder, cache, "org/name") == snapshot
    assert fingerprint(snapshot) != before
    assert COMMIT in str(snapshot)


def test_names_hashes_and_headers_need_no_torch_and_no_network(folder, cache):
    put_in_cache(folder, cache, "org/name")
    code = (
        "import socket, sys; socket.socket.connect = None;"
        "from layerctl.cli import run; code = run(['models', 'list']);"
        "from layerctl.checkpoints.catalogue import find;"
        "from layerctl.checkpoints.folder import fingerprint; fingerprint(find('org/name'));"
        "assert not {'torch', 'huggingface_hub', 'layerctl_model'} & set(sys.modules);"
        "sys.exit(code)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "org/name  0.0 M" in answer.stdout
