"""Flags that decide what becomes of photos: they reach the preset and the receipt."""

import json

import pytest

from tests.batch import night
from tests.cli.conftest import NOTE, last


def test_flags_reach_the_preset(decompose, network):
    flags = ["--layers", "auto", "--seed", "7", "--steps", "3", "--guidance", "2.5"]
    answer = decompose(*flags, "--resolution", "128", "--device", "cpu", "--psd", "--png")
    assert answer.code == 0, answer.err
    preset = network.presets[0]
    assert preset.decompose.model_dump() == {
        "layers": "auto",
        "seed": 7,
        "steps": 3,
        "guidance": 2.5,
        "resolution": 128,
        "prompt": None,
        "negative_prompt": " ",
        "caption_language": "en",
        "normalise_guidance": None,
    }
    assert preset.model.device == "cpu"
    assert preset.export.formats == ("psd", "png")


def test_flags_about_memory_and_loras_reach_the_preset(decompose, network, tmp_path):
    lora = tmp_path / "few@steps.safetensors"
    lora.write_bytes(b"weights")
    flags = ["--quantize", "fp8", "--offload", "stream", "--lora", f"{lora}@0.5", "--lora", lora]
    answer = decompose(*flags)
    assert answer.code == 0, answer.err
    section = network.presets[0].model
    assert (section.quantize, section.offload) == ("fp8", "stream")
    assert [(one.file, one.weight) for one in section.loras] == [(str(lora), 0.5), (str(lora), 1)]


def test_what_counts_of_a_lora_is_its_content_and_its_weight(decompose, tmp_path):
    lora, moved = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    lora.write_bytes(b"weights")
    assert "3 done" in last(decompose("--lora", lora))
    lora.rename(moved)
    assert "3 skipped" in last(decompose("--lora", moved))
    assert "3 done" in last(decompose("--lora", f"{moved}@0.9"))
    moved.write_bytes(b"others")
    assert "3 done" in last(decompose("--lora", f"{moved}@0.9"))
    assert "3 skipped" in last(decompose("--lora", f"{moved}@0.9", "--offload", "stream"))
    assert "3 done" in last(decompose("--lora", f"{moved}@0.9", "--quantize", "fp8"))


@pytest.fixture
def reader(network, model):
    """The checkpoint and the network read texts."""
    (model / "text_encoder").mkdir()
    network.model = night.Reader
    return network


@pytest.mark.usefixtures("reader")
def test_the_prompt_of_a_flag_beats_the_preset_and_that_the_texts(decompose, photos, out, tmp_path):
    def said():
        content = json.loads((out / "shoe.layers.json").read_bytes())["prompt"]
        return content["text"], content["origin"]

    (photos / "shoe.txt").write_text("a red shoe")
    assert decompose().code == 0
    assert said() == ("a red shoe", "sidecar")
    mine = tmp_path / "mine.yaml"
    mine.write_text("decompose:\n  prompt: footwear\n")
    assert "3 done" in last(decompose("--preset", mine))
    assert said() == ("footwear", "preset")
    assert "3 done" in last(decompose("--preset", mine, "--prompt", "a boot"))
    assert said() == ("a boot", "flag")
    assert "3 done" in last(decompose("--preset", mine, "--prompt", ""))
    assert said() == ("a red shoe", "sidecar")


@pytest.mark.usefixtures("reader")
def test_reading_texts_is_told_once_and_only_to_people(decompose):
    assert decompose().out.splitlines()[:2] == [NOTE, "reading texts"]
    for line in decompose("--force", "--log-format", "json").out.splitlines():
        json.loads(line)
