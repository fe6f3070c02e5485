import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from layerctl_model import CheckpointError
from layerctl_model.checkpoint import load_flow, load_transformer, load_vae, save_index
from layerctl_model.folder import SHARD_INDEX, WEIGHTS
from tests.model.tiny import reference_checkpoint, reference_transformer


@pytest.fixture
def folder(tmp_path):
    reference_checkpoint(tmp_path, 0)
    save_index(tmp_path)
    return tmp_path


def change(path, **tensors):
    """Rewrite a weight file with other tensors, None takes one away; __ in a name is a dot."""
    state = load_file(path)
    for name, tensor in tensors.items():
        state.pop(name.replace("__", "."), None)
        if tensor is not None:
            state[name.replace("__", ".")] = tensor
    save_file(state, path)


def refusal(load, folder):
    with pytest.raises(CheckpointError) as caught:
        load(folder)
    return str(caught.value)


def test_shards_give_the_same_network_as_one_file(tmp_path):
    reference = reference_transformer(0)
    reference.save_pretrained(tmp_path / "one" / "transformer")
    reference.save_pretrained(tmp_path / "many" / "transformer", max_shard_size="20KB")
    assert len(list((tmp_path / "many" / "transformer").glob("*.safetensors"))) > 2
    one, many = (load_transformer(tmp_path / name) for name in ("one", "many"))
    for name, tensor in one.state_dict().items():
        assert torch.equal(many.state_dict()[name], tensor), name


def test_a_missing_shard_is_named(tmp_path):
    reference_transformer(0).save_pretrained(tmp_path / "transformer", max_shard_size="20KB")
    shard = sorted((tmp_path / "transformer").glob("*-of-*.safetensors"))[1]
    shard.unlink()
    assert str(shard) in refusal(load_transformer, tmp_path)


def test_an_index_without_shards_is_named(tmp_path):
    reference_transformer(0).save_pretrained(tmp_path / "transformer", max_shard_size="20KB")
    (tmp_path / "transformer" / SHARD_INDEX).write_text("{}")
    assert SHARD_INDEX in refusal(load_transformer, tmp_path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_come_in_the_precision_asked_for(folder, dtype):
    for load in (load_vae, load_transformer):
        network = load(folder, dtype=dtype)
        assert {parameter.dtype for parameter in network.parameters()} == {dtype}
        assert not network.training


def test_every_tensor_that_does_not_fit_is_named(folder):
    change(
        folder / "transformer" / WEIGHTS,
        img_in__bias=None,
        txt_norm__weight=torch.zeros(3),
        extra__weight=torch.zeros(1),
    )
    message = refusal(load_transformer, folder)
    assert "img_in.bias is missing" in message
    assert "extra.weight is unexpected" in message
    assert "txt_norm.weight is (3,) where (24,) is expected" in message


def test_a_network_of_other_sizes_is_refused(folder):
    config = folder / "vae" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_dim": 16}))
    message = refusal(load_vae, folder)
    assert "is expected" in message
    assert re.search(r"and \d+ more", message)


@pytest.mark.parametrize("part", ["transformer", "vae"])
def test_a_missing_file_is_named(folder, part):
    path = folder / part / WEIGHTS
    path.unlink()
    load = load_vae if part == "vae" else load_transformer
    assert f"{path} is missing" in refusal(load, folder)


@pytest.mark.parametrize("size", [0, 7, 3000, -10])
def test_a_file_cut_short_is_named(folder, size):
    path = folder / "vae" / WEIGHTS
    path.write_bytes(path.read_bytes()[:size])
    assert f"{path} is cut short or damaged" in refusal(load_vae, folder)


@pytest.mark.parametrize("name", [f"vae/{WEIGHTS}", "vae/config.json"])
def test_a_git_lfs_pointer_says_how_to_get_the_file(folder, name):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (folder / name).write_text(pointer)
    message = refusal(load_vae, folder)
    assert name in message
    assert "git lfs pull" in message


@pytest.mark.parametrize(
    "content", ["{", "[]", "\x00\xff", '{"shift": 3, "use_beta_sigmas": true}']
)
def test_a_config_that_makes_no_sense_is_named(folder, content):
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(content)
    assert str(path) in refusal(load_flow, folder)


def test_checkpoints_are_examined_without_torch(folder):
    code = (
        "import sys, pathlib; from layerctl_model import CheckpointError, Settings, read_profile;"
        f"print(read_profile(pathlib.Path({str(folder)!r})).most_layers);"
        "assert 'torch' not in sys.modules"
    )
    package = Path(sys.modules["layerctl_model"].__file__).parent.parent
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=package
    )
    assert run.stdout.strip() == "16"
