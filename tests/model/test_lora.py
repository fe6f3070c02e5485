import math
import weakref

import pytest
import torch
from diffusers import QwenImageLayeredPipeline
from diffusers.loaders.lora_conversion_utils import _convert_non_diffusers_qwen_lora_to_diffusers
from hypothesis import given, settings
from hypothesis import strategies as st

from layerctl_model import CheckpointError, lora_file
from layerctl_model.checkpoint import load_transformer
from layerctl_model.lora import Lora, merged
from layerctl_model.lora_file import PEFT_CONFIG, PEFT_WEIGHTS, flat
from layerctl_model.transformer import TransformerSizes, VLDMMDiT
from tests.model.loras import (
    SPELLINGS,
    Q,
    assert_added,
    matrices,
    merge,
    peft_config,
    random_lora,
    tiny_network,
    written,
)
from tests.model.tiny import TEXT_WIDTH, reference_transformer


@pytest.fixture(scope="module")
def network():
    return tiny_network()


@pytest.mark.parametrize("alpha", [True, False])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_matrix_of_the_network_is_found_in_every_spelling(network, tmp_path, spelling, alpha):
    tensors, products = random_lora(matrices(network), 1, spelling, alpha=alpha)
    path = written(tmp_path / "lora.safetensors", tensors)
    assert_added(network, merge(network, Lora(path)), products)


def test_no_two_tensors_of_the_full_network_share_a_flat_name():
    with torch.device("meta"):
        names = VLDMMDiT(TransformerSizes()).state_dict().keys()
    assert len({flat(name) for name in names}) == len(names)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spelling", ["adapter named", "kohya", "Lightning", "ComfyUI"])
def test_keys_and_scales_are_those_of_diffusers(network, tmp_path, spelling, seed, parity):
    # Networks without layers have no such embedding, and its converter knows only theirs.
    shapes = matrices(network)
    del shapes["time_text_embed.addition_t_embedding"]
    tensors, _ = random_lora(shapes, seed, spelling)
    path = written(tmp_path / "lora.safetensors", tensors)
    if spelling == "adapter named":
        tensors = {key.removeprefix("transformer."): tensor for key, tensor in tensors.items()}
    converted = _convert_non_diffusers_qwen_lora_to_diffusers(tensors)
    after = merge(network, Lora(path))
    for module in shapes:
        up, down = (converted[f"transformer.{module}.lora_{side}.weight"] for side in "BA")
        weight = f"{module}.weight"
        parity(f"LoRA, {spelling}", after[weight], network[weight] + up @ down)


@pytest.mark.parametrize("prefix", ["", "transformer."])
@pytest.mark.parametrize("stabilised", [False, True])
def test_peft_says_alphas_in_the_header(network, tmp_path, prefix, stabilised):
    shapes = dict.fromkeys((Q, Q.replace("0", "1"), "transformer_blocks.1.attn.to_k"), (32, 32))
    tensors, products = random_lora(shapes, 2, alpha=False)
    metadata = peft_config(
        **{
            f"{prefix}r": 4,
            f"{prefix}lora_alpha": 8,
            f"{prefix}alpha_pattern": {"to_k": 3, r"^transformer_blocks\.0.*": 5},
            f"{prefix}use_rslora": stabilised,
            "text_encoder.lora_alpha": 100,
        }
    )
    after = merge(network, Lora(written(tmp_path / "lora.safetensors", tensors, metadata)))
    for module, alpha in zip(shapes, (5, 8, 3), strict=True):
        rank = tensors[f"transformer.{module}.lora_A.weight"].shape[0]
        products[f"{module}.weight"] *= alpha / (math.sqrt(rank) if stabilised else rank)
    assert_added(network, after, products)


def test_peft_says_alphas_in_a_file_beside_its_own(network, tmp_path):
    tensors, products = random_lora({Q: (32, 32)}, 3, "PEFT", alpha=False)
    path = written(tmp_path / PEFT_WEIGHTS, tensors)
    with pytest.raises(CheckpointError, match=PEFT_CONFIG):
        merge(network, Lora(path))
    (tmp_path / PEFT_CONFIG).write_text('{"lora_alpha": 6, "alpha_pattern": null}')
    rank = tensors[f"base_model.model.{Q}.lora_A.weight"].shape[0]
    assert_added(
        network, merge(network, Lora(path)), {f"{Q}.weight": products[f"{Q}.weight"] * 6 / rank}
    )


def test_an_alpha_among_the_tensors_comes_before_the_configuration(network, tmp_path):
    tensors, products = random_lora({Q: (32, 32)}, 4)
    path = written(tmp_path / "lora.safetensors", tensors, peft_config(lora_alpha=1000))
    assert_added(network, merge(network, Lora(path)), products)


def test_whole_differences_and_biases_are_added(network, tmp_path):
    tensors, products = random_lora({Q: (32, 32)}, 5)
    difference, bias, up_bias = torch.randn(TEXT_WIDTH), torch.randn(32), torch.randn(32)
    scale = tensors[f"transformer.{Q}.alpha"] / tensors[f"transformer.{Q}.lora_A.weight"].shape[0]
    tensors |= {
        "diffusion_model.txt_norm.diff": difference,
        "img_in.diff_b": bias,
        f"transformer.{Q}.lora_B.bias": up_bias,
    }
    products |= {
        "txt_norm.weight": difference,
        "img_in.bias": bias,
        f"{Q}.bias": scale * up_bias,
    }
    path = written(tmp_path / "lora.safetensors", tensors)
    assert_added(network, merge(network, Lora(path, -0.5)), products, -0.5)


weights = st.floats(-2, 2, width=16)


@settings(max_examples=10, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 99), min_size=2, max_size=2, unique=True), a=weights, b=weights
)
def test_several_loras_are_a_weighted_sum_in_any_order(network, tmp_path_factory, seeds, a, b):
    folder = tmp_path_factory.mktemp("loras")
    shapes = {Q: (32, 32), "proj_out": (64, 32), "transformer_blocks.1.img_mod.1": (192, 32)}
    loras, products = [], {}
    for seed, weight in zip(seeds, (a, b), strict=True):
        tensors, added = random_lora(shapes, seed)
        loras.append(Lora(written(folder / f"{seed}.safetensors", tensors), weight))
        for name, product in added.items():
            products[name] = products.get(name, 0) + weight * product
    for order in (loras, loras[::-1]):
        after = merge(network, *order)
        for name, product in products.items():
            expected = (network[name] + product).float()
            torch.testing.assert_close(after[name], expected, rtol=1e-4, atol=1e-4)


def test_merging_twice_is_merging_double_and_merging_back_is_nothing(network, tmp_path):
    tensors, products = random_lora(matrices(network), 6)
    path = written(tmp_path / "lora.safetensors", tensors)
    assert_added(network, merge(network, Lora(path), Lora(path)), products, 2.0)
    assert_added(network, merge(network, Lora(path), Lora(path, -1.0)), products, 0.0)
    assert_added(network, merge(merge(network, Lora(path)), Lora(path)), products, 2.0)


def test_weight_zero_touches_nothing(network, tmp_path):
    tensors, _ = random_lora(matrices(network), 7)
    path = written(tmp_path / "lora.safetensors", tensors)
    after = merge(network, Lora(path, 0.0))
    assert all(after[name] is tensor for name, tensor in network.items())


@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16, torch.float8_e4m3fn])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sums_are_rounded_once_to_the_precision_of_the_network(network, tmp_path, dtype, stored):
    tensors, _ = random_lora({Q: (32, 32)}, 8, alpha=False)
    tensors = {key: tensor.to(stored) for key, tensor in tensors.items()}
    down, up = (tensor.double() for tensor in tensors.values())
    before = {name: tensor.to(dtype) for name, tensor in network.items()}
    weight = before[f"{Q}.weight"].clone()
    after = merge(before, Lora(written(tmp_path / "lora.safetensors", tensors), 0.3))
    assert torch.equal(before[f"{Q}.weight"], weight)
    assert after[f"{Q}.weight"].dtype == dtype
    expected = (weight.double() + 0.3 * up @ down).to(dtype)
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(after[f"{Q}.weight"], expected, rtol=eps, atol=1e-6)


def test_matrices_are_read_when_their_tensor_passes_and_let_go_after(
    network, tmp_path, monkeypatch
):
    tensors, _ = random_lora(matrices(network), 9)
    path = written(tmp_path / "lora.safetensors", tensors)
    alive = weakref.WeakSet()
    read, most = lora_file._read, []

    def watched(*args):
        factor = read(*args)
        alive.add(factor)
        most.append(len(alive))
        return factor

    monkeypatch.setattr(lora_file, "_read", watched)
    stream = merged(iter(network.items()), [Lora(path), Lora(path, 0.5)])
    assert not most
    for _ in stream:
        pass
    assert len(most) == 4 * len(matrices(network))
    assert max(most) <= 2


def test_a_sharded_checkpoint_is_loaded_with_its_loras(tmp_path):
    reference = reference_transformer(0)
    reference.save_pretrained(tmp_path / "transformer", max_shard_size="20KB")
    state = load_transformer(tmp_path).state_dict()
    tensors, products = random_lora(matrices(state), 10, "kohya")
    path = written(tmp_path / "lora.safetensors", tensors)
    after = load_transformer(tmp_path, dtype=torch.float64, loras=[Lora(path)]).state_dict()
    for name, product in products.items():
        torch.testing.assert_close(after[name], state[name] + product, rtol=1e-5, atol=1e-5)


def fused(path, weight):
    """The weights of `reference_transformer(1)` with a LoRA fused by diffusers and PEFT."""
    network = reference_transformer(1)
    tensors, metadata = QwenImageLayeredPipeline.lora_state_dict(path, return_lora_metadata=True)
    QwenImageLayeredPipeline.load_lora_into_transformer(tensors, network, metadata=metadata)
    network.fuse_lora(lora_scale=weight)
    network.unload_lora()
    return network.state_dict()


# PEFT takes the biases that it saves for damaged matrices.
@pytest.mark.filterwarnings("ignore:Adapter 'default'")
@pytest.mark.parametrize("stabilised", [False, True])
def test_what_peft_trained_is_merged_as_it_fuses_it(tmp_path, stabilised, parity):
    peft = pytest.importorskip("peft")
    trained = reference_transformer(1)
    trained.save_pretrained(tmp_path / "transformer")
    config = peft.LoraConfig(
        r=4,
        lora_alpha=6,
        target_modules="all-linear",
        rank_pattern={"to_k": 2, "proj_out": 7},
        alpha_pattern={"to_k": 5, "transformer_blocks.1.img_mod.1": 3},
        use_rslora=stabilised,
        lora_bias=True,
    )
    trained.add_adapter(config)
    torch.manual_seed(2)
    for name, parameter in trained.named_parameters():
        if "lora_" in name:
            parameter.data.normal_()
    QwenImageLayeredPipeline.save_lora_weights(
        tmp_path,
        peft.get_peft_model_state_dict(trained, adapter_name="default"),
        weight_name="lora.safetensors",
        transformer_lora_adapter_metadata=trained.peft_config["default"].to_dict(),
    )
    path = tmp_path / "lora.safetensors"
    ours = load_transformer(tmp_path, loras=[Lora(path, -0.7)]).state_dict()
    for name, tensor in fused(path, -0.7).items():
        parity("LoRA, trained and fused by PEFT", ours[name], tensor)


@pytest.mark.parametrize(
    ("spelling", "alpha"),
    [
        ("diffusers", False),
        ("before PEFT", False),
        ("no prefix", True),
        ("kohya", True),
        ("Lightning", True),
        ("ComfyUI", True),
    ],
)
def test_what_diffusers_reads_is_merged_as_it_fuses_it(tmp_path, spelling, alpha, parity):
    pytest.importorskip("peft")
    reference_transformer(1).save_pretrained(tmp_path / "transformer")
    shapes = matrices(load_transformer(tmp_path).state_dict())
    del shapes["time_text_embed.addition_t_embedding"]
    tensors, _ = random_lora(shapes, 3, spelling, alpha=alpha)
    path = written(tmp_path / "lora.safetensors", tensors)
    ours = load_transformer(tmp_path, loras=[Lora(path, 0.5)]).state_dict()
    for name, tensor in fused(path, 0.5).items():
        parity("LoRA, fused by PEFT", ours[name], tensor)
