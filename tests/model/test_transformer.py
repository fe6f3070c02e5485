from dataclasses import asdict

import pytest
import torch
from diffusers import QwenImageTransformer2DModel

from layerctl_model.checkpoint import load_transformer, save_transformer
from layerctl_model.transformer import TransformerSizes, VLDMMDiT, initialise
from tests.model.tiny import TEXT_WIDTH, reference_transformer

TINY = TransformerSizes(
    num_layers=2,
    num_attention_heads=2,
    attention_head_dim=16,
    joint_attention_dim=TEXT_WIDTH,
    axes_dims_rope=(4, 6, 6),
)
MASKS = {
    "no mask": None,
    "whole mask": [[True] * 5, [True] * 5],
    "unequal masks": [[True] * 2 + [False] * 3, [True] * 5],
    "mask with a hole": [[True, False, True, True, True], [False, True, True, False, False]],
}


def inputs(grid, text_length=5):
    frames, rows, cols = grid
    tokens = torch.randn(2, frames * rows * cols, 64)
    return tokens, torch.randn(2, text_length, TEXT_WIDTH), torch.tensor([0.03, 0.9])


def reference_forward(reference, inputs, grid, mask=None, condition=(0, 0)):
    tokens, text, sigma = inputs
    frames, rows, cols = grid
    return reference(
        hidden_states=tokens,
        encoder_hidden_states=text,
        encoder_hidden_states_mask=mask,
        timestep=sigma,
        img_shapes=[[(1, rows, cols)] * frames] * 2,
        additional_t_cond=torch.tensor(condition),
    ).sample


@pytest.fixture
def pair(tmp_path):
    """Return a function that makes diffusers' network and ours with the same random weights."""

    def load(seed):
        reference = reference_transformer(seed)
        reference.save_pretrained(tmp_path / "transformer")
        return reference, load_transformer(tmp_path)

    return load


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("layers", [2, 4, 8])
@pytest.mark.parametrize(("rows", "cols"), [(4, 4), (3, 6), (20, 2)])
@pytest.mark.parametrize("masked", MASKS)
def test_the_transformer_equals_that_of_diffusers(pair, parity, seed, layers, rows, cols, masked):
    reference, network = pair(seed)
    grid = (layers + 2, rows, cols)
    given = inputs(grid)
    mask = None if MASKS[masked] is None else torch.tensor(MASKS[masked])
    theirs = reference_forward(reference, given, grid, mask)
    with torch.inference_mode():
        parity(f"transformer, {layers} layers, {masked}", network(*given, grid, mask), theirs)


def test_the_way_to_train_on_a_cpu_equals_diffusers(pair, parity):
    reference, network = pair(0)
    grid = (4, 3, 6)
    given = inputs(grid)
    mask = torch.tensor(MASKS["unequal masks"])
    ours = network(*given, grid, mask)
    assert ours.requires_grad
    parity("transformer, training", ours, reference_forward(reference, given, grid, mask))


def test_gradients_equal_those_of_diffusers(pair, parity):
    reference, network = pair(1)
    grid = (4, 3, 6)
    given = inputs(grid)
    weight = torch.randn(2, 4 * 3 * 6, 64)
    reference.requires_grad_(requires_grad=True)
    (reference_forward(reference, given, grid) * weight).sum().backward()
    (network(*given, grid) * weight).sum().backward()
    theirs = dict(reference.named_parameters())
    for name, parameter in network.named_parameters():
        if parameter.grad is not None:
            parity("transformer, gradients", parameter.grad, theirs[name].grad)


def test_the_additional_condition_equals_that_of_diffusers(pair, parity):
    reference, network = pair(2)
    grid = (4, 2, 2)
    given = inputs(grid)
    theirs = reference_forward(reference, given, grid, condition=(0, 1))
    with torch.inference_mode():
        ours = network(*given, grid, additional_t_cond=torch.tensor([0, 1]))
    parity("transformer, additional condition", ours, theirs)


def test_diffusers_loads_the_transformer_we_save(tmp_path, parity):
    torch.manual_seed(0)
    network = VLDMMDiT(TINY).eval().requires_grad_(requires_grad=False)
    save_transformer(network, tmp_path)
    reference = QwenImageTransformer2DModel.from_pretrained(tmp_path / "transformer")
    theirs = {name: tensor.shape for name, tensor in reference.state_dict().items()}
    assert {name: tensor.shape for name, tensor in network.state_dict().items()} == theirs
    grid = (5, 2, 4)
    given = inputs(grid)
    ours = network(*given, grid)
    parity("transformer, saved by us", ours, reference_forward(reference, given, grid))


def test_padding_of_the_text_changes_nothing():
    network = VLDMMDiT(TINY).eval()
    grid = (3, 2, 2)
    tokens, text, sigma = inputs(grid)
    padded = torch.cat([text, 100 * torch.randn(2, 3, TEXT_WIDTH)], dim=1)
    mask = torch.tensor([[True] * 5 + [False] * 3] * 2)
    with torch.inference_mode():
        plain = network(tokens, text, sigma, grid)
        torch.testing.assert_close(network(tokens, padded, sigma, grid, mask), plain)


def test_a_grid_seen_while_sampling_can_be_trained_on():
    network = VLDMMDiT(TINY)
    grid = (3, 5, 7)
    given = inputs(grid)
    with torch.inference_mode():
        network(*given, grid)
    network(*given, grid).sum().backward()
    assert network.img_in.weight.grad.isfinite().all()


def test_a_fresh_network_says_zero_and_learns_in_bf16():
    network = VLDMMDiT(TINY)
    initialise(network)
    grid = (3, 2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        velocity = network(*inputs(grid), grid)
        loss = (velocity - 1).square().mean()
    assert not velocity.any()
    loss.backward()
    assert network.proj_out.bias.grad.any()


def test_sizes_survive_their_config():
    assert TransformerSizes.from_config(TINY.to_config()) == TINY


def test_sizes_that_a_config_leaves_out_are_those_of_diffusers():
    config = {"use_layer3d_rope": True}
    with torch.device("meta"):
        theirs = dict(QwenImageTransformer2DModel(num_layers=1, **config).config)
    ours = asdict(TransformerSizes.from_config(config | {"num_layers": 1}))
    assert ours == {key: theirs[key] for key in ours}


def test_without_out_channels_as_many_come_out_as_go_in():
    config = {**TINY.to_config(), "in_channels": 4, "out_channels": None}
    assert TransformerSizes.from_config(config).out_channels == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"zero_cond_t": True},
        {"use_layer3d_rope": False},
        {"axes_dims_rope": (2, 2, 2)},
        {"axes_dims_rope": (5, 5, 6)},
        {"num_layers": 10**9},
        {"num_layers": 0},
    ],
)
def test_networks_of_another_kind_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TransformerSizes.from_config({**TINY.to_config(), **wrong})
