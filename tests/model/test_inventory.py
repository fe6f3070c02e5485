"""Taking stock of a checkpoint: what is whole has no faults, what is not is told with its file."""

import json
import random
import shutil
import time

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from layerctl_model import CheckpointError, load
from layerctl_model.checkpoint import load_transformer, load_vae
from layerctl_model.inventory import faults
from layerctl_model.qwen_vl import published_name, shapes
from tests.model.defects import DEFECTS, POINTER
from tests.model.tiny import TEXT_WIDTH, sharded_checkpoint
from tests.model.tiny_text import INDEX, tiny_text

LOADS = {"transformer": load_transformer, "vae": load_vae}


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """A checkpoint with all its parts, the three networks in shards."""
    folder = sharded_checkpoint(tmp_path_factory.mktemp("whole"), seed=3)
    tiny_text(folder, seed=3)
    (folder / "model_index.json").write_text(json.dumps(INDEX))
    home = folder / "text_encoder"
    network = Qwen2_5_VLForConditionalGeneration.from_pretrained(home)
    (home / "model.safetensors").unlink()
    network.save_pretrained(home, max_shard_size="60KB")
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "checkpoint")


def test_a_whole_checkpoint_has_no_faults_and_loads(whole):
    assert faults(whole) == []
    for read in LOADS.values():
        read(whole)


@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder"])
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_every_defect_is_told_with_its_file_here_and_when_loading(folder, part, defect):
    rng = random.Random(f"{part} {defect.__name__}")  # noqa: S311 - no secret
    spoilt = defect(rng, folder, part)
    found = faults(folder)
    assert 1 <= len(found) <= 3, found
    for told in found:
        assert str(folder / part) in told
        assert spoilt.name in told
        assert "\n" not in told
    if part in LOADS:
        with pytest.raises(CheckpointError) as caught:
            LOADS[part](folder)
        assert str(folder / part) in str(caught.value)
        assert spoilt.name in str(caught.value)


@pytest.mark.parametrize("seed", range(8))
def test_several_defects_at_once_are_all_told(folder, seed):
    rng = random.Random(seed)  # noqa: S311 - no secret
    parts = ("transformer", "vae", "text_encoder")
    spoilt = [rng.choice(DEFECTS)(rng, folder, part) for part in parts]
    found = faults(folder)
    for path in spoilt:
        assert any(str(path.parent) in told and path.name in told for told in found), path
    assert len(found) <= 3 * len(parts)


@pytest.mark.parametrize(
    "name",
    [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/tokenizer.json",
        "processor/preprocessor_config.json",
    ],
)
@pytest.mark.parametrize("content", [None, POINTER, '{"cut": "sho'], ids=["no", "pointer", "cut"])
def test_every_other_file_that_is_read_is_looked_at(folder, name, content):
    path = folder / name
    path.unlink() if content is None else path.write_text(content)
    (told,) = faults(folder)
    assert str(path) in told


def test_a_tokenizer_in_its_older_files_will_do(folder):
    (folder / "tokenizer" / "tokenizer.json").unlink()
    (folder / "tokenizer" / "vocab.json").write_text("{}")
    (folder / "tokenizer" / "merges.txt").write_text("")
    assert faults(folder) == []


def test_a_checkpoint_without_text_needs_none_of_its_files(folder):
    index = json.loads((folder / "model_index.json").read_text())
    for part in ("text_encoder", "tokenizer", "processor"):
        shutil.rmtree(folder / part)
        index[part] = [None, None]
    (folder / "model_index.json").write_text(json.dumps(index))
    assert faults(folder) == []


def test_a_text_encoder_that_is_there_counts_whatever_the_index_says(folder):
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"text_encoder": [None, None]}))
    assert faults(folder) == []
    (folder / "text_encoder" / "config.json").write_text("{}")
    (told,) = faults(folder)
    assert "config.json describes no Qwen2.5-VL" in told


def change_config(folder, part, **entries):
    path = folder / part / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))
    return path


@pytest.mark.parametrize(
    "entries",
    [
        {"num_layers": "two"},
        {"num_layers": None},
        {"attention_head_dim": -16, "axes_dims_rope": [-4, -6, -6]},
        {"guidance_embeds": True},
        {"patch_size": [2, 2]},
        {"num_layers": 10**9},
        {"num_layers": True},
    ],
)
def test_a_config_of_no_network_of_ours_is_told(folder, entries):
    path = change_config(folder, "transformer", **entries)
    assert any(str(path) in told for told in faults(folder))


@pytest.mark.parametrize(
    "entries",
    [
        {"latents_std": [0.0] * 16},
        {"latents_mean": ["0"] * 16},
        {"latents_mean": [float("nan")] * 16},
        {"num_res_blocks": 10**9},
    ],
)
def test_an_autoencoder_of_senseless_numbers_is_told(folder, entries):
    path = change_config(folder, "vae", **entries)
    assert any(str(path) in told for told in faults(folder))


@pytest.mark.parametrize("entries", [{"model_type": "llama"}, {"vision_config": {"depth": 10**9}}])
def test_a_language_model_of_another_kind_is_told(folder, entries):
    change_config(folder, "text_encoder", **entries)
    assert "config.json describes no Qwen2.5-VL" in faults(folder)[0]


@pytest.mark.parametrize(
    "name",
    [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "transformer/config.json",
        "vae/config.json",
    ],
)
def test_a_part_of_another_class_is_told(folder, name):
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | {"_class_name": "Other"}))
    (told,) = faults(folder)
    assert f"{folder / name} is that of Other" in told


@pytest.mark.parametrize("place", ["/elsewhere.safetensors", "..", "", "a\0.safetensors"])
def test_an_index_never_leads_out_of_its_folder(folder, place):
    index = folder / "transformer" / "diffusion_pytorch_model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["proj_out.bias"] = place
    index.write_text(json.dumps(content))
    assert faults(folder)
    assert all(str(folder / "transformer") in told for told in faults(folder))


def test_parts_of_different_models_are_told(folder):
    change_config(folder, "transformer", joint_attention_dim=TEXT_WIDTH // 2)
    for path in (folder / "transformer").glob("*.safetensors"):
        save_file({n: narrowed(n, t) for n, t in load_file(path).items()}, path)
    (told,) = faults(folder)
    assert "joint_attention_dim of transformer is 12, where 24 would fit" in told
    with pytest.raises(CheckpointError, match="joint_attention_dim of transformer"):
        load(folder)


def narrowed(name, tensor):
    """Make the text side of a transformer half as wide."""
    if name == "txt_norm.weight":
        return tensor[: len(tensor) // 2].clone()
    if name == "txt_in.weight":
        return tensor[:, : tensor.shape[1] // 2].clone()
    return tensor


@pytest.mark.parametrize(
    "prefixes",
    [
        {"visual.": "model.visual.", "model.": "model.language_model."},
        {"model.": "language_model.model.", "lm_head.": "language_model.lm_head."},
        {},
    ],
)
def test_text_encoders_of_every_version_of_transformers_are_known(folder, prefixes):
    home = folder / "text_encoder"
    Qwen2_5_VLForConditionalGeneration.from_pretrained(home).save_pretrained(home)
    for extra in [*home.glob("*-of-*"), *home.glob("*.index.json")]:
        extra.unlink()
    state = load_file(home / "model.safetensors")
    save_file({renamed(n, prefixes): t for n, t in state.items()}, home / "model.safetensors")
    assert faults(folder) == []


def renamed(name, prefixes):
    for old, new in prefixes.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_the_names_of_qwen2_5_vl_are_those_of_transformers_at_full_size(tied, nested):
    language = {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_attention_heads": 28,
        "num_hidden_layers": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
    }
    vision = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16}
    vision |= {"out_hidden_size": 3584, "in_chans": 3, "patch_size": 14}
    config = {"vision_config": vision, "tie_word_embeddings": tied}
    config |= {"text_config": language} if nested else language
    wanted = shapes(config)
    with torch.device("meta"):
        theirs = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**config)).state_dict()
    found = {published_name(name): tuple(tensor.shape) for name, tensor in theirs.items()}
    if tied:
        del found["lm_head.weight"]
    assert wanted == found
    if not tied:
        assert sum(torch.Size(shape).numel() for shape in wanted.values()) == 8_292_166_656


def test_stock_is_taken_without_reading_the_weights(folder, monkeypatch):
    monkeypatch.setattr("safetensors.safe_open", None)
    monkeypatch.setattr("layerctl_model.checkpoint.safe_open", None)
    started = time.perf_counter()
    assert faults(folder) == []
    assert time.perf_counter() - started < 5
