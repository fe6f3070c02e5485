"""Checkpoint folders as files: found, whole, and always the same to a hash."""

import json

import pytest

from layerctl.checkpoints import checkpoint_folder, examine, fingerprint
from layerctl.errors import EnvironmentFault
from layerctl.preset import ModelSection

TENSORS = {
    "w": {"dtype": "BF16", "shape": [3, 5], "data_offsets": [0, 30]},
    "b": {"dtype": "BF16", "shape": [5], "data_offsets": [30, 40]},
}


def safetensors(tensors=TENSORS):
    header = json.dumps({"__metadata__": {"format": "pt"}, **tensors}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(40)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model_index.json").write_text("{}")
    for network in ("transformer", "vae"):
        (tmp_path / network).mkdir()
        weights = tmp_path / network / "diffusion_pytorch_model.safetensors"
        weights.write_bytes(safetensors())
    return tmp_path


def test_a_folder_is_a_checkpoint_when_it_has_an_index(folder):
    assert checkpoint_folder(ModelSection(name=str(folder))) == folder
    (folder / "model_index.json").unlink()
    with pytest.raises(EnvironmentFault, match="no checkpoint"):
        checkpoint_folder(ModelSection(name=str(folder)))


def test_a_model_that_is_not_here_is_named_with_what_to_do():
    with pytest.raises(EnvironmentFault, match="'qwenn' is not here: give"):
        checkpoint_folder(ModelSection(name="qwenn"))


def test_parameters_and_bytes_are_read_from_the_headers(folder):
    checkpoint = examine(ModelSection(name=str(folder)))
    assert (checkpoint.parameters, checkpoint.size) == (2 * 20, 2 * 40)


def test_shards_count_through_their_index(folder):
    network = folder / "vae"
    whole = network / "diffusion_pytorch_model.safetensors"
    whole.rename(network / "one.safetensors")
    index = {"weight_map": {"w": "one.safetensors", "b": "one.safetensors"}}
    (network / f"{whole.name}.index.json").write_text(json.dumps(index))
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
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(content)
    with pytest.raises(EnvironmentFault, match=rf"vae/.*{sentence}"):
        examine(ModelSection(name=str(folder)))


def test_missing_weights_are_named(folder):
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(EnvironmentFault, match=r"vae/.* cannot be read: No such file"):
        examine(ModelSection(name=str(folder)))


def test_a_fingerprint_changes_with_any_byte_and_any_name(folder):
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    (folder / "model_index.json").write_text("{ }")
    changed = fingerprint(folder)
    (folder / "model_index.json").rename(folder / "index.json")
    assert len({before, changed, fingerprint(folder)}) == 3
