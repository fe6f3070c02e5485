import random
import weakref
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import layerctl_model
from layerctl_model import Settings, load
from layerctl_model.checkpoint import save_transformer
from layerctl_model.flow import Text
from layerctl_model.functional import layer3d_rope
from layerctl_model.lora import Lora
from layerctl_model.placement import release
from layerctl_model.plans import below, outline, possible
from layerctl_model.transformer import Block, TransformerSizes, VLDMMDiT
from tests.model.tiny import PICTURES, TEXT_WIDTH, reference_checkpoint

MINI = Path(layerctl_model.__file__).parent / "weights" / "mini"
BLOCKS = 5
RUN = Settings(layers=2, steps=3, resolution=64, seed=3)
DTYPES = [torch.float32, torch.bfloat16]
PLENTY = 1 << 50


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    reference_checkpoint(folder, 0, PICTURES)
    torch.manual_seed(0)
    sizes = TransformerSizes(
        num_layers=BLOCKS,
        num_attention_heads=2,
        attention_head_dim=16,
        joint_attention_dim=TEXT_WIDTH,
        axes_dims_rope=(4, 6, 6),
    )
    save_transformer(VLDMMDiT(sizes), folder)
    return folder


@pytest.fixture(scope="module")
def picture():
    return torch.rand(4, 64, 64, generator=torch.Generator().manual_seed(0))


def texts():
    embeds, negative = torch.randn(2, 1, 6, TEXT_WIDTH, generator=torch.Generator().manual_seed(1))
    mask = torch.tensor([[True] * 4 + [False] * 2])
    return {
        "no text": (None, None),
        "guidance": (Text(embeds), Text(negative[:, :1])),
        "guidance and masks": (Text(embeds, mask), Text(negative, mask)),
    }


def in_precision(text, dtype):
    return None if text is None else Text(text.embeds.to(dtype), text.mask)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steered", texts())
def test_every_plan_gives_the_same_bits(folder, picture, dtype, steered):
    given = [in_precision(text, dtype) for text in texts()[steered]]
    wanted = load(folder, dtype=dtype).decompose(picture, RUN, *given)
    plans = possible(folder, RUN, dtype=dtype)
    assert {plan.name for plan in plans} == {"whole", "resident", "streamed", "mapped"}
    for plan in {*outline(plans), plans[3]}:  # all kinds, and one between the ends of a kind
        decomposer = load(folder, dtype=dtype, plan=plan)
        assert torch.equal(decomposer.decompose(picture, RUN, *given), wanted), plan


def test_every_plan_in_8_bits_gives_the_same_bits(folder, picture):
    plans = possible(folder, RUN, dtype=torch.float32, quantized=True)
    first, *others = (load(folder, plan=plan).decompose(picture, RUN) for plan in outline(plans))
    assert len(others) == 2
    assert all(torch.equal(first, other) for other in others)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_plan_of_the_shipped_model_gives_the_same_bits(picture, dtype):
    run = Settings(2, 2, 1.0, 64)
    wanted = load(MINI, dtype=dtype).decompose(picture, run)
    for plan in outline(possible(MINI, run, dtype=dtype)):
        assert torch.equal(load(MINI, dtype=dtype, plan=plan).decompose(picture, run), wanted)


def test_every_plan_merges_loras_to_the_same_bits(folder, picture, tmp_path):
    width = 32
    shapes = {
        "transformer_blocks.4.attn.to_q": (width, width),
        "transformer_blocks.1.img_mod.1": (6 * width, width),
        "norm_out.linear": (2 * width, width),
    }
    factors = {}
    for module, (outputs, inputs) in shapes.items():
        factors[f"transformer.{module}.lora_A.weight"] = torch.randn(2, inputs)
        factors[f"transformer.{module}.lora_B.weight"] = torch.randn(outputs, 2)
    save_file(factors, tmp_path / "lora.safetensors")
    given = {"dtype": torch.bfloat16, "loras": [Lora(tmp_path / "lora.safetensors", 0.5)]}
    wanted = load(folder, **given).decompose(picture, RUN)
    for plan in outline(possible(folder, RUN, dtype=torch.bfloat16)):
        assert torch.equal(load(folder, plan=plan, **given).decompose(picture, RUN), wanted)
    assert not torch.equal(load(folder, dtype=torch.bfloat16).decompose(picture, RUN), wanted)


def test_pictures_of_other_sizes_and_other_steps_follow_each_other(folder, picture):
    """Each has a schedule of its own."""
    planned = load(folder, plan=possible(folder, RUN, dtype=torch.float32)[-1])
    plain = load(folder)
    wide = picture.reshape(4, 32, 128)
    for given, steps in ((picture, 3), (wide, 3), (picture, 2), (picture, 3)):
        run = Settings(2, steps, resolution=64)
        assert torch.equal(planned.decompose(given, run), plain.decompose(given, run))


@pytest.mark.parametrize("seed", range(3))
def test_out_of_memory_one_goes_on_under_the_next_plan(folder, picture, monkeypatch, seed):
    plans = possible(folder, RUN, dtype=torch.float32)
    chance = random.Random(seed)  # noqa: S311 - not a secret
    plan = chance.choice(plans[:-1])
    wanted = load(folder).decompose(picture, RUN)
    fail_once(monkeypatch, chance.randrange(BLOCKS * RUN.steps))
    layers, tried = None, []
    while layers is None:
        tried.append(plan)
        decomposer = load(folder, plan=plan)
        things = [weakref.ref(thing) for thing in held(decomposer)]
        try:
            layers = decomposer.decompose(picture, RUN)
        except torch.OutOfMemoryError:
            plan = below(plans, plan, host_free=PLENTY) or plans[-1]
        del decomposer
        release()
        assert not [thing() for thing in things if thing() is not None]
        assert layer3d_rope.cache_info().currsize == 0
    assert torch.equal(layers, wanted)
    assert len(tried) == 2


def held(decomposer):
    """All that can hold a tensor: modules, parameters, and slots in between."""
    yield decomposer.modulations
    yield from decomposer.transformer.modules()
    yield from decomposer.transformer.parameters()
    for slot in getattr(decomposer.transformer.transformer_blocks, "slots", ()):
        yield from (slot, slot.block, *slot.room.values())


def fail_once(monkeypatch, after):
    """Let a block, after so many have passed, find the device full."""
    forward, calls = Block.forward, iter(range(10**6))

    def full(self, *given):
        if next(calls) == after:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, *given)

    monkeypatch.setattr(Block, "forward", full)


def test_a_network_that_ran_out_of_memory_still_works(folder, picture, monkeypatch):
    """A smaller picture may fit where a larger one did not."""
    for plan in outline(possible(folder, RUN, dtype=torch.float32)):
        decomposer = load(folder, plan=plan)
        wanted = decomposer.decompose(picture, RUN)
        with monkeypatch.context() as patch:
            fail_once(patch, BLOCKS + 2)
            with pytest.raises(torch.OutOfMemoryError):
                decomposer.decompose(picture, RUN)
        assert torch.equal(decomposer.decompose(picture, RUN), wanted)
