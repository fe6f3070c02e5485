"""Checkpoint folders as files: found, whole, and always the same to a hash."""

import json
import shutil
import subprocess
import sys

import pytest

from layerctl.checkpoints import (
    SIZES,
    checkpoint_folder,
    examine,
    fingerprint,
    here,
    missing_files,
)
from layerctl.errors import EnvironmentFault
from layerctl.preset import ModelSection
from tests.fake_hub import COMMIT, put_in_cache

WEIGHTS = "diffusion_pytorch_model.safetensors"
TENSORS = {
    "w": {"dtype": "BF16", "shape": [3, 5], "data_offsets": [0, 30]},
    "b": {"dtype": "BF16", "shape": [5], "data_offsets": [30, 40]},
}
INDEX = {
    "_class_name": "QwenImageLayeredPipeline",
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": [None, None],
    "transformer": ["diffusers", "QwenImageTransformer2DModel"],
    "vae": ["diffusers", "AutoencoderKLQwenImage"],
}


def safetensors(tensors=TENSORS):
    header = json.dumps({"__metadata__": {"format": "pt"}, **tensors}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(40)


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "model"
    (home / "scheduler").mkdir(parents=True)
    (home / "scheduler" / "scheduler_config.json").write_text("{}")
    (home / "model_index.json").write_text(json.dumps(INDEX))
    for network in ("transformer", "vae"):
        (home / network).mkdir()
        (home / network / "config.json").write_text("{}")
        (home / network / WEIGHTS).write_bytes(safetensors())
    return home


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def found(name):
    return checkpoint_folder(ModelSection(name=str(name)))


def refusal(name):
    with pytest.raises(EnvironmentFault) as caught:
        found(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def in_shards(network):
    """Keep a network's two tensors in two files."""
    (network / WEIGHTS).unlink()
    places = {}
    for name, entry in TENSORS.items():
        size = entry["data_offsets"][1] - entry["data_offsets"][0]
        header = json.dumps({name: {**entry, "data_offsets": [0, size]}}).encode()
        places[name] = f"diffusion_pytorch_model-{name}.safetensors"
        content = len(header).to_bytes(8, "little") + header + bytes(size)
        (network / places[name]).write_bytes(content)
    (network / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": places}))


def test_a_folder_is_a_checkpoint_when_it_has_an_index(folder):
    assert found(folder) == folder
    (folder / "model_index.json").unlink()
    assert "no checkpoint" in refusal(folder)


@pytest.mark.usefixtures("cache")
def test_a_name_that_no_file_can_have_is_one_sentence():
    assert refusal("x" * 300).endswith("cannot be read: File name too long")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("qwenn", "did you mean qwen?"),
        ("minni", "did you mean mini?"),
        ("Qwen/Qwen-Image-Layer", "did you mean Qwen/Qwen-Image-Layered?"),
        ("quite-other", "give a name (mini, qwen) or the path of a folder"),
        ("org/name", "layerctl models pull org/name"),
        ("./models/mine", "the path of a folder"),
        ("qwen", "layerctl models pull qwen fetches it (57.7 GB)"),
        ("Qwen/Qwen-Image-Layered", "layerctl models pull qwen fetches it"),
    ],
)
@pytest.mark.usefixtures("cache")
def test_a_model_that_is_not_here_is_named_with_what_to_do(name, sentence):
    assert refusal(name).startswith(f"the model '{name}' is not here: ")
    assert sentence in refusal(name)


def test_the_size_that_is_told_is_that_of_the_weights():
    parameters = 20_430_407_232 + 126_897_716 + 8_292_166_656
    assert SIZES["qwen"] == f"{2 * parameters / 1e9:.1f} GB"


@pytest.mark.parametrize("names", [("qwen", "Qwen/Qwen-Image-Layered"), ("org/name",)])
def test_models_are_found_in_the_hub_cache_by_their_names(folder, cache, names):
    snapshot = put_in_cache(folder, cache, names[-1])
    for name in names:
        assert found(name) == snapshot
    assert here()[names[0]] == snapshot


@pytest.mark.parametrize(
    "variables",
    [
        {"HF_HUB_CACHE": "{}/hub"},
        {"HF_HUB_CACHE": "$ROOM/hub", "ROOM": "{}"},
        {"HF_HOME": "{}"},
        {"XDG_CACHE_HOME": "{}", "below": "huggingface/hub"},
        {"HOME": "{}", "below": ".cache/huggingface/hub"},
    ],
)
def test_the_hub_cache_is_where_the_hubs_own_tools_have_it(
    folder, tmp_path, monkeypatch, variables
):
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    below = variables.pop("below", "hub")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    snapshot = put_in_cache(folder, tmp_path / below, "Qwen/Qwen-Image-Layered")
    assert found("qwen") == snapshot


def test_a_name_with_a_folder_of_its_own_means_that_folder(folder, cache, monkeypatch, tmp_path):
    put_in_cache(folder, cache, "org/name")
    shutil.copytree(folder, tmp_path / "org" / "name")
    monkeypatch.chdir(tmp_path)
    assert found("org/name").resolve() == tmp_path / "org" / "name"


def test_qwen_may_be_a_folder_until_it_is_in_the_cache(folder, cache, monkeypatch, tmp_path):
    shutil.copytree(folder, tmp_path / "qwen")
    monkeypatch.chdir(tmp_path)
    assert found("qwen").resolve() == tmp_path / "qwen"
    snapshot = put_in_cache(folder, cache, "Qwen/Qwen-Image-Layered")
    assert found("qwen") == snapshot
    assert found("./qwen").resolve() == tmp_path / "qwen"


@pytest.mark.parametrize(
    "gone",
    [
        "model_index.json",
        "scheduler",
        "vae/config.json",
        f"vae/{WEIGHTS}",
        "transformer/diffusion_pytorch_model-b.safetensors",
    ],
)
def test_half_a_download_is_told_as_such(folder, cache, gone):
    in_shards(folder / "transformer")
    snapshot = put_in_cache(folder, cache, "Qwen/Qwen-Image-Layered")
    assert missing_files(snapshot) == []
    shutil.rmtree(snapshot / gone) if gone == "scheduler" else (snapshot / gone).unlink()
    message = refusal("qwen")
    assert message.startswith(f"only half of the model 'qwen' is here, {gone} missing: ")
    assert "layerctl models pull qwen" in message


def test_a_link_to_a_file_that_is_not_there_is_half_a_download_too(folder, cache):
    in_shards(folder / "transformer")
    snapshot = put_in_cache(folder, cache, "org/name")
    (snapshot / "vae" / WEIGHTS).resolve().unlink()
    assert f"vae/{WEIGHTS} missing" in refusal("org/name")


@pytest.mark.parametrize("content", ["", "nowhere", "\xff"])
def test_a_cache_without_a_main_branch_has_no_model(folder, cache, content):
    snapshot = put_in_cache(folder, cache, "org/name")
    (snapshot.parents[1] / "refs" / "main").write_text(content, encoding="latin-1")
    assert "is not here" in refusal("org/name")
    assert "org/name" not in here()


def test_models_of_other_kinds_are_not_listed(folder, cache):
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    put_in_cache(folder, cache, "org/name")
    assert list(here()) == ["mini"]


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
        "layerctl.checkpoints.sha256_of", lambda paths: [read.append(p) or "0" for p in paths]
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
        "from layerctl.checkpoints import find, fingerprint; fingerprint(find('org/name'));"
        "assert not {'torch', 'huggingface_hub', 'layerctl_model'} & set(sys.modules);"
        "sys.exit(code)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "org/name  0.0 M" in answer.stdout
