from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import layerctl_model
from layerctl_model import Settings, load, quantize
from layerctl_model.checkpoint import empty_transformer
from layerctl_model.plans import possible
from layerctl_model.quantize import FLOAT8, Float8Linear, narrow

MINI = Path(layerctl_model.__file__).parent / "weights" / "mini"
ROUNDING = 2**-4
"""Half the distance of neighbours among e4m3 numbers, which have three bits behind the point."""


@settings(deadline=None)
@given(seed=st.integers(0, 99), exponent=st.integers(-30, 30))
def test_a_row_is_narrowed_to_within_the_rounding_of_its_numbers(seed, exponent):
    x = torch.randn(5, 33, generator=torch.Generator().manual_seed(seed)) * 2.0**exponent
    narrowed, scale = narrow(x)
    assert narrowed.dtype == FLOAT8
    # Below the smallest normal number, 2**-6 of at least 128, the error is that of the smallest.
    bound = torch.maximum(ROUNDING * x.abs(), x.abs().amax(-1, keepdim=True) * 2**-17)
    assert ((narrowed.float() * scale - x).abs() <= bound).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scales_are_powers_of_two_and_rows_of_zeros_stay_zero(dtype):
    x = torch.randn(4, 8, dtype=dtype)
    x[2] = 0
    narrowed, scale = narrow(x)
    assert (torch.frexp(scale)[0] == 0.5).all()
    assert not narrowed[2].float().any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_widened_weight_multiplies_like_the_narrowed_one_it_came_from(dtype):
    layer = Float8Linear(nn.Linear(48, 32, dtype=dtype))
    exact = (layer.weight.double() * layer.scale.double()).to(dtype)
    x = torch.randn(2, 7, 48, dtype=dtype)
    assert torch.equal(layer(x), nn.functional.linear(x, exact, layer.bias))


def test_8_bit_products_are_those_of_the_narrowed_rows():
    """The way of cards with 8-bit arithmetic; the CPU knows it too, though it is slow there."""
    layer = Float8Linear(nn.Linear(64, 32, dtype=torch.bfloat16))
    x = torch.randn(3, 16, 64, dtype=torch.bfloat16)
    rows, scale = narrow(x)
    exact = (rows.double() * scale) @ (layer.weight.double() * layer.scale).T + layer.bias.double()
    got = layer.multiply(x)
    assert got.dtype == x.dtype
    torch.testing.assert_close(got.double(), exact, rtol=2**-8, atol=2**-7)


def test_what_is_sensitive_stays_as_it_is():
    network = empty_transformer(MINI)
    quantize.quantize(network)
    narrowed = {n for n, m in network.named_modules() if isinstance(m, Float8Linear)}
    first = {n.removeprefix("transformer_blocks.0.") for n in narrowed if ".0." in n[:21]}
    projections = {"to_q", "to_k", "to_v", "to_out.0"}
    added = {"add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"}
    mlps = {"img_mlp.net.0.proj", "txt_mlp.net.0.proj", "txt_mlp.net.2"}
    assert first == {f"attn.{name}" for name in projections | added} | mlps
    assert len(narrowed) == len(first) * network.sizes.num_layers


ARITHMETIC = {"weights only": False, "weights and activations": True}
VELOCITY_LIMIT = 0.08
LEVEL_LIMIT = 1.0


@pytest.mark.parametrize("narrowed", ARITHMETIC)
def test_the_shipped_model_bears_8_bits(narrowed, monkeypatch, capsys):
    """Prints how far velocities and layers come to lie from those of the whole precision."""
    monkeypatch.setattr(quantize, "multiplies_float8", lambda _: ARITHMETIC[narrowed])
    run = Settings(4, 8, 1.0, 128)
    plan = possible(MINI, run, dtype=torch.float32, quantized=True)[0]
    exact, ours = load(MINI), load(MINI, plan=plan)
    picture = disc_on_grey(128)
    layers = ours.decompose(picture, run)
    errors = []

    def compare(_network, given, v):
        errors.append(((ours.transformer(*given) - v).norm() / v.norm()).item())

    with exact.transformer.register_forward_hook(compare):
        wanted = exact.decompose(picture, run)
    levels = 255 * (layers - wanted).abs()
    with capsys.disabled():
        print(
            f"\nmini in 8 bits, {narrowed}: velocity off by {max(errors):.1%} at most, layers by "
            f"{levels.mean():.2f} of 255 on average, 99 % by {levels.quantile(0.99):.1f} at most"
        )
    assert max(errors) < VELOCITY_LIMIT
    assert levels.mean() < LEVEL_LIMIT


def disc_on_grey(side):
    place = torch.linspace(-1, 1, side)
    disc = (place[:, None] ** 2 + place**2 < 0.3).float()
    colour = torch.tensor([0.7, 0.2, 0.15])[:, None, None]
    return torch.cat([0.9 + disc * (colour - 0.9), torch.ones(1, side, side)])
