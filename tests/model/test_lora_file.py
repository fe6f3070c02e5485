import math

import pytest
import torch

from layerctl_model import CheckpointError
from layerctl_model.lora import Lora, check, merged
from layerctl_model.lora_file import PEFT_HEADER, flat
from tests.model.loras import (
    Q,
    assert_added,
    matrices,
    merge,
    peft_config,
    random_lora,
    tiny_network,
    written,
)


@pytest.fixture(scope="module")
def network():
    return tiny_network()


def refusal(act):
    with pytest.raises(CheckpointError) as caught:
        act()
    assert "\n" not in str(caught.value)
    return str(caught.value)


FAULTS = {
    "a key finds no tensor": ({"transformer_blocks.7.attn.to_q.diff": (32, 32)}, "no tensor"),
    "an alpha alone": ({f"{Q}.alpha": ()}, "lacks one of its factors"),
    "a factor alone": ({f"{Q}.lora_A.weight": (4, 32)}, "lacks one of its factors"),
    "ranks differ": (
        {f"{Q}.lora_A.weight": (4, 32), f"{Q}.lora_B.weight": (32, 3)},
        "no product",
    ),
    "rank zero": ({f"{Q}.lora_A.weight": (0, 32), f"{Q}.lora_B.weight": (32, 0)}, "no product"),
    "a convolution": (
        {f"{Q}.lora_A.weight": (4, 32, 1, 1), f"{Q}.lora_B.weight": (32, 4, 1, 1)},
        "no product",
    ),
    "another width": (
        {f"{Q}.lora_A.weight": (4, 24), f"{Q}.lora_B.weight": (32, 4)},
        "(32, 24) where transformer_blocks.0.attn.to_q.weight is (32, 32)",
    ),
    "a product that would broadcast": ({"img_in.diff_b": (1,)}, "(1,) where img_in.bias is (32,)"),
    "two adapters": ({f"{Q}.lora_A.one.weight": (4, 32), f"{Q}.lora_A.two.weight": (4, 32)}, "two"),
    "two spellings": ({f"{Q}.diff": (32, 32), f"lora_unet_{flat(Q)}.diff": (32, 32)}, "two"),
    "an alpha for each channel": (
        {f"{Q}.lora_A.weight": (4, 32), f"{Q}.lora_B.weight": (32, 4), f"{Q}.alpha": (4,)},
        "not one number",
    ),
    "a whole network": ({f"{Q}.weight": (32, 32)}, "not a LoRA in a format known here"),
    "text encoder": ({"lora_te1_layers_0_q.lora_up.weight": (2, 2)}, "of the text encoder"),
    "text encoder, diffusers": ({"text_encoder.q.lora_A.weight": (2, 2)}, "of the text encoder"),
    "DoRA, kohya": ({f"{Q}.dora_scale": (32,)}, "a DoRA"),
    "DoRA, PEFT": ({f"{Q}.lora_magnitude_vector": (32,)}, "a DoRA"),
    "LoKr": ({f"lycoris_{flat(Q)}.lokr_w1": (4, 4)}, "a LoKr"),
    "LoHa": ({f"lora_unet_{flat(Q)}.hada_w1_a": (4, 4)}, "a LoHa"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_merged_is_refused_by_name(network, tmp_path, fault):
    contents, reason = FAULTS[fault]
    tensors = {key: torch.ones(shape) for key, shape in contents.items()}
    path = written(tmp_path / "lora.safetensors", tensors)
    shapes = {name: tensor.shape for name, tensor in network.items()}
    for weight in (1.0, 0.0):
        loras = [Lora(path, weight)]
        message = refusal(lambda loras=loras: merge(network, *loras))
        assert str(path) in message
        assert reason in message
        assert refusal(lambda loras=loras: check(loras, shapes)) == message


def test_a_lora_that_fits_passes_the_check(network, tmp_path):
    path = written(tmp_path / "lora.safetensors", random_lora(matrices(network), 11)[0])
    check([Lora(path), Lora(path, 0.0)], {name: tensor.shape for name, tensor in network.items()})


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(network, tmp_path, number):
    tensors, _ = random_lora({Q: (32, 32)}, 12)
    for key, tensor in tensors.items():
        broken = tensor.clone()
        broken.view(-1)[-1] = number
        path = written(tmp_path / "lora.safetensors", {**tensors, key: broken})
        assert "not finite" in refusal(lambda path=path: merge(network, Lora(path)))
    with pytest.raises(ValueError, match="finite"):
        Lora(path, number)


def test_whole_numbers_are_no_matrices_but_may_be_an_alpha(network, tmp_path):
    tensors, _ = random_lora({Q: (32, 32)}, 13, "Lightning")
    whole = tensors | {f"{Q}.alpha": torch.tensor(4)}
    merge(network, Lora(written(tmp_path / "lora.safetensors", whole)))
    packed = {key: tensor.to(torch.int8) for key, tensor in tensors.items()}
    path = written(tmp_path / "lora.safetensors", packed)
    assert "I8" in refusal(lambda: merge(network, Lora(path)))


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_file_cut_short_is_refused_before_the_first_tensor(tmp_path, kept):
    path = written(tmp_path / "lora.safetensors", random_lora({Q: (32, 32)}, 14)[0])
    path.write_bytes(path.read_bytes()[:kept])
    message = refusal(lambda: merged(iter(()), [Lora(path)]))
    assert f"{path} is cut short or damaged" in message


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_refused_whatever_its_name(tmp_path, zipped):
    path = tmp_path / "lora.safetensors"
    torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=zipped)
    assert "is a pickle" in refusal(lambda: merged(iter(()), [Lora(path)]))


def test_a_header_whose_length_looks_like_a_pickle_is_read(network, tmp_path):
    tensors, products = random_lora({Q: (32, 32)}, 15)
    path = tmp_path / "lora.safetensors"
    for padding in range(0, 300, 8):
        written(path, tensors, {"padding": "." * padding})
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[0] == 0x80
    assert_added(network, merge(network, Lora(path)), products)


def test_a_git_lfs_pointer_says_how_to_get_the_file(tmp_path):
    path = tmp_path / "lora.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "git lfs pull" in refusal(lambda: merged(iter(()), [Lora(path)]))


@pytest.mark.parametrize("name", ["", "missing.safetensors"])
def test_a_folder_or_nothing_at_all_is_named(tmp_path, name):
    message = refusal(lambda: merged(iter(()), [Lora(tmp_path / name)]))
    assert f"{tmp_path / name} is not a file" in message


@pytest.mark.parametrize(
    "metadata",
    [
        {PEFT_HEADER: "{"},
        {PEFT_HEADER: "[]"},
        peft_config(lora_alpha="x"),
        peft_config(lora_alpha=[1]),
        peft_config(lora_alpha=8, alpha_pattern={"(": 1}),
        peft_config(lora_alpha=8, alpha_pattern=[1]),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(tmp_path, metadata):
    tensors, _ = random_lora({Q: (32, 32)}, 16, alpha=False)
    path = written(tmp_path / "lora.safetensors", tensors, metadata)
    message = refusal(lambda: merged(iter(()), [Lora(path)]))
    assert f"{path} comes with a configuration" in message
