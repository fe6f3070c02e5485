"""Random LoRA files in every spelling, and what they add, for a tiny network."""

import json

import torch
from safetensors.torch import save_file

from layerctl_model.lora import merged
from layerctl_model.lora_file import PEFT_HEADER, flat
from layerctl_model.transformer import TransformerSizes, VLDMMDiT
from tests.model.tiny import TEXT_WIDTH

SIZES = TransformerSizes(
    num_layers=2,
    num_attention_heads=2,
    attention_head_dim=16,
    joint_attention_dim=TEXT_WIDTH,
    axes_dims_rope=(4, 6, 6),
)
SPELLINGS = {
    "diffusers": ("transformer.{}.lora_A.weight", "transformer.{}.lora_B.weight"),
    "no prefix": ("{}.lora_A.weight", "{}.lora_B.weight"),
    "adapter named": (
        "transformer.{}.lora_A.default.weight",
        "transformer.{}.lora_B.default.weight",
    ),
    "before PEFT": ("transformer.{}.lora.down.weight", "transformer.{}.lora.up.weight"),
    "kohya": ("lora_unet_{_}.lora_down.weight", "lora_unet_{_}.lora_up.weight"),
    "OneTrainer": ("lora_transformer_{_}.lora_down.weight", "lora_transformer_{_}.lora_up.weight"),
    "Lightning": ("{}.lora_down.weight", "{}.lora_up.weight"),
    "ComfyUI": ("diffusion_model.{}.lora_A.weight", "diffusion_model.{}.lora_B.weight"),
    "PEFT": ("base_model.model.{}.lora_A.weight", "base_model.model.{}.lora_B.weight"),
}
Q = "transformer_blocks.0.attn.to_q"


def tiny_network():
    """The tensors of a tiny network, by name."""
    torch.manual_seed(0)
    return {name: torch.randn(t.shape) for name, t in VLDMMDiT(SIZES).state_dict().items()}


def matrices(network):
    """The modules whose weight is a matrix, and the matrix's shape."""
    return {
        name.removesuffix(".weight"): tensor.shape
        for name, tensor in network.items()
        if tensor.ndim == 2
    }


def spelled(template, module):
    return template.replace("{_}", flat(module)).replace("{}", module)


def random_lora(shapes, seed, spelling="diffusers", *, alpha=True):
    """Tensors of a file for all these modules, and the product it adds to each of them."""
    generator = torch.Generator().manual_seed(seed)
    tensors, products = {}, {}
    for module, (outputs, inputs) in shapes.items():
        rank = int(torch.randint(1, 9, (), generator=generator))
        down = torch.randn(rank, inputs, generator=generator)
        up = torch.randn(outputs, rank, generator=generator)
        keys = [spelled(template, module) for template in SPELLINGS[spelling]]
        tensors |= dict(zip(keys, (down, up), strict=True))
        scale = 1.0
        if alpha:
            value = torch.rand((), generator=generator) * 16
            tensors[f"{keys[0].split('.lora')[0]}.alpha"] = value
            scale = value.item() / rank
        products[f"{module}.weight"] = scale * (up.double() @ down.double())
    return tensors, products


def written(path, tensors, metadata=None):
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path, metadata)
    return path


def merge(network, *loras):
    return dict(merged(iter(network.items()), loras))


def assert_added(before, after, products, weight=1.0):
    assert list(after) == list(before)
    for name, tensor in before.items():
        if name in products:
            expected = (tensor.double() + weight * products[name]).float()
            torch.testing.assert_close(after[name], expected, rtol=1e-5, atol=1e-5)
        else:
            assert after[name] is tensor


def peft_config(**config):
    return {PEFT_HEADER: json.dumps(config)}
