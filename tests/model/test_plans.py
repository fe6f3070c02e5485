import json
from functools import cache
from itertools import pairwise
from math import prod

import pytest
import torch
from safetensors.torch import save_file
from torch.profiler import ProfilerActivity, profile

from layerctl_model import CheckpointError, Settings, load
from layerctl_model.checkpoint import empty_transformer, save_transformer
from layerctl_model.flow import Text
from layerctl_model.folder import TEXT_WEIGHTS, write_json
from layerctl_model.plans import (
    WORKSPACE,
    below,
    choose,
    denoising_bytes,
    forward_bytes,
    largest_bucket,
    outline,
    picture_tokens,
    pinned_bytes,
    possible,
    table_bytes,
    text_bytes,
    transformer_bytes,
    vae_bytes,
)
from layerctl_model.quantize import quantize
from layerctl_model.transformer import TransformerSizes, VLDMMDiT
from layerctl_model.vae import RGBAVae, VaeSizes
from tests.model.tiny import PICTURES, reference_checkpoint

BF16 = torch.bfloat16
GB = 10**9
MARGIN = 1.1
"""Above what is measured, reckoned activations lie by less than this."""

D = 3072
"""Width of the published transformer."""


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The configs of a checkpoint as large as the published one, and nothing else."""
    folder = tmp_path_factory.mktemp("published")
    write_json(folder / "transformer" / "config.json", TransformerSizes().to_config())
    write_json(folder / "vae" / "config.json", VaeSizes().to_config())
    return folder


@cache
def published_plans(folder, resolution=640, *, quantized=False):
    return possible(folder, Settings(resolution=resolution), dtype=BF16, quantized=quantized)


def test_the_published_transformer_is_counted_as_by_hand(published):
    block, modulation, rest = transformer_bytes(empty_transformer(published).to(BF16))
    # Two streams, each with four projections and an MLP four times as wide inside; four QK norms.
    assert block == 2 * (2 * (4 * (D * D + D) + (4 * D * D + 4 * D) + (4 * D * D + D)) + 4 * 128)
    assert block / 2 / 1e6 == pytest.approx(226.5, abs=0.1)
    # Two a block to six times the width, and the last norm's to twice.
    assert modulation == 2 * (60 * 2 * (6 * D * D + 6 * D) + 2 * D * D + 2 * D)
    time = (256 * D + D) + (D * D + D) + 2 * D
    ends = (64 * D + D) + (3584 * D + D) + 3584 + (D * 64 + 64)
    assert rest == 2 * (time + ends)
    assert (60 * block + modulation + rest) / 2 == pytest.approx(20.43e9, rel=1e-3)


def test_8_bits_are_counted_as_by_hand(published):
    network = empty_transformer(published).to(BF16)
    exact = transformer_bytes(network)
    quantize(network)
    block, modulation, rest = transformer_bytes(network)
    assert (modulation, rest) == exact[1:]
    outputs = 2 * (4 * D + 4 * D) + D  # channels with a scale of 4 bytes: all but img_mlp.net.2
    assert block == exact[0] - (24 - 4) * D * D + 4 * outputs


def test_tables_are_counted_as_by_hand(published):
    network = empty_transformer(published).to(BF16)
    assert table_bytes(network, Settings(steps=50)) == 2 * 50 * (60 * 2 * 6 + 2) * D


@pytest.mark.parametrize("resolution", [640, 1024])
def test_plans_add_up(published, resolution):
    settings = Settings(resolution=resolution)
    network = empty_transformer(published).to(BF16)
    block, modulation, rest = transformer_bytes(network)
    tokens = picture_tokens(VaeSizes(), settings)
    pictures = max(denoising_bytes(network, tokens), vae_bytes(VaeSizes(), settings, BF16))
    with torch.device("meta"):
        vae = 2 * sum(p.numel() for p in RGBAVae(VaeSizes()).parameters())
    always = rest + vae + table_bytes(network, settings) + pictures + WORKSPACE
    for plan in published_plans(published, resolution):
        slots = 2 if plan.name in {"streamed", "mapped"} else 0
        kept = modulation if plan.name == "whole" else 0
        assert plan.device_bytes == always + (plan.resident_blocks + slots) * block + kept
        away = 60 - plan.resident_blocks if plan.name == "streamed" else 0
        assert plan.host_bytes == away * 512 * 2**20  # PyTorch pins powers of two


@pytest.mark.parametrize("quantized", [False, True])
def test_plans_come_fastest_first(published, quantized):
    plans = published_plans(published, quantized=quantized)
    names = list(dict.fromkeys(plan.name for plan in plans))
    assert names == ["whole", "resident", "streamed"] + ["mapped"] * (not quantized)
    for name in names:
        resident = [plan.resident_blocks for plan in plans if plan.name == name]
        assert resident == sorted(resident, reverse=True)
    assert [plan.device_bytes for plan in outline(plans)] == [
        min(plan.device_bytes for plan in plans if plan.name == name) for name in names
    ]


@pytest.mark.parametrize(
    ("device_gb", "host_gb", "quantized", "name"),
    [
        (80, 64, False, "whole"),
        (40, 64, False, "resident"),
        (24, 64, False, "streamed"),
        (24, 4, False, "mapped"),
        (24, 4, True, "resident"),
        (12, 64, True, "streamed"),
    ],
)
def test_the_fastest_plan_that_fits_is_chosen(published, device_gb, host_gb, quantized, name):
    plans = published_plans(published, quantized=quantized)
    plan = choose(plans, device_gb * GB, host_gb * GB)
    assert plan.name == name
    assert plan.device_bytes <= device_gb * GB
    assert plan.host_bytes <= host_gb * GB
    if name in {"streamed", "mapped"}:  # as many blocks stay as fit
        block = 2**20 * 512 if not quantized else 2**20 * 256
        assert device_gb * GB - plan.device_bytes < block


def test_nothing_is_chosen_where_nothing_fits(published):
    assert choose(published_plans(published), 2 * GB, 999 * GB) is None


def test_below_a_plan_that_failed_lies_one_that_needs_clearly_less(published):
    plans = published_plans(published)
    plan, seen = plans[0], []
    while plan is not None:
        seen.append(plan)
        plan = below(plans, plan, host_free=64 * GB)
    assert [plan.name for plan in seen[:3]] == ["whole", "resident", "streamed"]
    for former, later in pairwise(seen):
        assert later.device_bytes <= former.device_bytes * 7 / 8
    assert seen[-1].resident_blocks < 6


@pytest.mark.parametrize(("size", "pinned"), [(1, 1), (2, 2), (3, 4), (512, 512), (513, 1024)])
def test_pinned_memory_comes_in_powers_of_two(size, pinned):
    assert pinned_bytes(size) == pinned


@pytest.mark.parametrize("resolution", [640, 1024])
def test_the_largest_bucket_is_a_little_larger_than_the_square(resolution):
    assert resolution**2 <= largest_bucket(resolution) <= 1.06 * resolution**2


def test_the_text_encoder_is_counted_from_its_headers(tmp_path):
    home = tmp_path / "text_encoder"
    home.mkdir()
    assert text_bytes(tmp_path / "none", Settings(), BF16) == 0
    save_file({"a": torch.zeros(1000, 1000, dtype=BF16)}, home / TEXT_WEIGHTS)
    sizes = {"hidden_size": 8, "num_attention_heads": 2, "num_key_value_heads": 1}
    sizes |= {"num_hidden_layers": 3, "intermediate_size": 16}
    # Keys and values of a token are 3 layers x 2 x 4 numbers; passing through are 3 x 16 + 8 x 8.
    tokens = 8 * (largest_bucket(640) // 28**2 + 2 * 512)
    wanted = 2 * (1_000_000 + tokens * (24 + 112)) + WORKSPACE
    for config in (sizes, {"text_config": sizes}):  # as transformers 4 and 5 write it
        (home / "config.json").write_text(json.dumps(config))
        assert text_bytes(tmp_path, Settings(), BF16) == wanted


def test_a_config_of_no_language_model_is_refused(tmp_path):
    write_json(tmp_path / "text_encoder" / "config.json", {"hidden_size": 8})
    with pytest.raises(CheckpointError, match="no language model"):
        text_bytes(tmp_path, Settings(), BF16)


def test_a_folder_without_configs_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        possible(tmp_path, Settings(), dtype=BF16)


def peak_bytes(work):
    """The most that PyTorch had allocated at once on the CPU, beyond what was there before."""
    work()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        work()
    events = [e for e in recorded.profiler.kineto_results.events() if e.name() == "[memory]"]
    live = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return most


NETWORK = TransformerSizes(
    num_layers=2,
    num_attention_heads=4,
    attention_head_dim=64,
    joint_attention_dim=96,
    axes_dims_rope=(16, 24, 24),
)


@pytest.mark.parametrize("dtype", [torch.float32, BF16])
@pytest.mark.parametrize(
    ("grid", "text_tokens"), [((6, 16, 16), 20), ((6, 16, 16), 512), ((4, 8, 8), 400)]
)
def test_a_forward_pass_never_takes_more_than_reckoned(dtype, grid, text_tokens, monkeypatch):
    network = VLDMMDiT(NETWORK).to(dtype).eval()
    tokens = prod(grid)
    given = (
        torch.randn(1, tokens, 64, dtype=dtype),
        torch.randn(1, text_tokens, 96, dtype=dtype),
        torch.tensor([0.5]),
        grid,
        torch.tensor([[False] + [True] * (text_tokens - 1)]),
    )
    # Where a CPU multiplies bfloat16 by tiles, attention packs keys and values once more; what
    # kernels take beside their tensors is in WORKSPACE.
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    with torch.inference_mode():
        measured = peak_bytes(lambda: network(*given))
        assert measured <= forward_bytes(network, tokens, text_tokens) <= MARGIN * measured
        quantize(network)
        measured = peak_bytes(lambda: network(*given))
        assert measured <= forward_bytes(network, tokens, text_tokens) <= 1.5 * measured


def test_a_decomposition_never_takes_more_than_reckoned(tmp_path):
    """With guidance, and all that lies around the networks."""
    reference_checkpoint(tmp_path, 0, PICTURES)
    save_transformer(VLDMMDiT(NETWORK), tmp_path)
    run = Settings(layers=4, steps=2, resolution=256)
    plan = possible(tmp_path, run, dtype=BF16)[0]
    decomposer = load(tmp_path, dtype=BF16, plan=plan)
    texts = [Text(torch.randn(1, length, 96, dtype=BF16)) for length in (512, 1)]
    measured = peak_bytes(lambda: decomposer.decompose(torch.rand(4, 256, 256), run, *texts))
    tokens = picture_tokens(decomposer.vae.sizes, run)
    assert measured <= denoising_bytes(decomposer.transformer, tokens)


@pytest.mark.parametrize("dtype", [torch.float32, BF16])
@pytest.mark.parametrize("sizes", [VaeSizes(base_dim=16), VaeSizes(base_dim=32, num_res_blocks=1)])
def test_the_autoencoder_never_takes_more_than_reckoned(dtype, sizes):
    if dtype == BF16 and torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2"):
        pytest.skip("this CPU has no convolution of bfloat16 and unfolds pictures in its place")
    vae = RGBAVae(sizes).to(dtype).eval()
    run = Settings(resolution=128)
    picture = torch.randn(1, 4, 128, 128, dtype=dtype)
    latents = torch.randn(1, 16, 16, 16, dtype=dtype)
    with torch.inference_mode():
        measured = max(
            peak_bytes(lambda: vae.decode(latents)), peak_bytes(lambda: vae.encode(picture))
        )
    assert measured <= vae_bytes(sizes, run, dtype) <= 1.5 * measured
