"""Checkpoints are found by their names, or refused with what to do."""

import json
import shutil

import pytest

from layerctl.checkpoints.catalogue import SIZES, checkpoint_folder, here
from layerctl.checkpoints.folder import missing_files
from layerctl.errors import EnvironmentFault
from layerctl.preset import ModelSection
from tests.checkpoints.layout import WEIGHTS, in_shards
from tests.fake_hub import put_in_cache


def found(name):
    return checkpoint_folder(ModelSection(name=str(name)))


def refusal(name):
    with pytest.raises(EnvironmentFault) as caught:
        found(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


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
