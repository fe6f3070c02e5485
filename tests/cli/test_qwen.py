"""The command with a whole checkpoint that reads texts, in the layout of the published one."""

import json
import shutil

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from safetensors.torch import save_file

from tests.batch.night import paint
from tests.model.tiny import TEXT_WIDTH, shaken
from tests.model.tiny_text import tiny_checkpoint

BLOCKS = 4
"""Enough of them to be streamed."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"), seed=1)
    torch.manual_seed(0)
    transformer = QwenImageTransformer2DModel(
        num_layers=BLOCKS,
        num_attention_heads=2,
        attention_head_dim=16,
        joint_attention_dim=TEXT_WIDTH,
        axes_dims_rope=(4, 6, 6),
        use_additional_t_cond=True,
        use_layer3d_rope=True,
    )
    shaken(transformer).save_pretrained(folder / "transformer")
    return folder


@pytest.fixture
def photos(tmp_path):
    for seed, name in enumerate(["boot.png", "cup.png", "hat.png"]):
        paint(tmp_path / "in" / name, size=(60, 48), seed=seed)
    (tmp_path / "in" / "cup.txt").write_text("a cup {on} oak")
    return tmp_path / "in"


@pytest.fixture
def decompose(layerctl, checkpoint, photos, tmp_path):
    """Run with the smallest settings: decompose("out", ...) -> the last line."""
    usual = ["--model", checkpoint, "--device", "cpu", "--resolution", 64, "--steps", 2]
    usual += ["--layers", 2, "--png"]

    def call(out, *arguments):
        answer = layerctl("decompose", photos, "-o", tmp_path / out, *usual, *arguments)
        assert (answer.code, answer.err) == (0, ""), answer
        return answer.out.splitlines()[-1]

    return call


def layers(folder):
    """Return the bytes of every layer."""
    files = (path for path in folder.rglob("*.png") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def prompt(folder, name):
    return json.loads((folder / f"{name}.png.layers.json").read_bytes())["prompt"]


def test_a_folder_is_captioned_or_takes_its_texts_and_is_done_once(
    decompose, photos, tmp_path, own_cache
):
    assert decompose("out").startswith("3 done")
    assert prompt(tmp_path / "out", "cup") == {"text": "a cup {on} oak", "origin": "sidecar"}
    captions = [prompt(tmp_path / "out", name) for name in ("boot", "hat")]
    assert {caption["origin"] for caption in captions} == {"caption"}
    assert captions[0]["text"] != captions[1]["text"]
    assert decompose("out").startswith("0 done, 3 skipped")

    shutil.rmtree(own_cache)
    (photos / "boot.txt").write_text("a boot")
    assert decompose("out").startswith("1 done, 2 skipped")
    assert not (own_cache / "text" / "captions").exists()
    decompose("again", "--force")
    assert layers(tmp_path / "out") == layers(tmp_path / "again")


def test_memory_changes_nothing_and_8_bits_change_a_little(decompose, tmp_path):
    usual = ("--prompt", "a thing")
    decompose("whole", *usual, "--offload", "none")
    decompose("streamed", *usual, "--offload", "stream")
    decompose("fp8", *usual, "--quantize", "fp8")
    whole, streamed, fp8 = (layers(tmp_path / name) for name in ("whole", "streamed", "fp8"))
    assert whole == streamed
    assert whole != fp8


def test_a_lora_changes_the_layers_as_much_as_it_weighs(decompose, tmp_path):
    chance = torch.Generator().manual_seed(0)
    width, name = 32, "transformer.transformer_blocks.0.attn.to_q"
    lora = {f"{name}.lora_{end}.weight": torch.randn(8, width, generator=chance) for end in "AB"}
    lora[f"{name}.lora_B.weight"] = lora[f"{name}.lora_B.weight"].T.contiguous()
    save_file(lora, tmp_path / "style.safetensors")
    usual = ("--prompt", "a thing")
    decompose("plain", *usual)
    decompose("weightless", *usual, "--lora", f"{tmp_path / 'style.safetensors'}@0")
    decompose("styled", *usual, "--lora", tmp_path / "style.safetensors")
    plain, weightless, styled = (
        layers(tmp_path / name) for name in ("plain", "weightless", "styled")
    )
    assert plain == weightless
    assert plain != styled
