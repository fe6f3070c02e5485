import pytest
import torch

from layerctl_model.flow import Flow
from layerctl_model.modulation import KEPT, Modulations, modulation_names
from layerctl_model.transformer import TransformerSizes, VLDMMDiT
from tests.model.tiny import TEXT_WIDTH

SIZES = TransformerSizes(
    num_layers=3,
    num_attention_heads=2,
    attention_head_dim=16,
    joint_attention_dim=TEXT_WIDTH,
    axes_dims_rope=(4, 6, 6),
)
GRID = (4, 2, 3)
DTYPES = [torch.float32, torch.bfloat16]


def network(dtype=torch.float32):
    torch.manual_seed(0)
    return VLDMMDiT(SIZES).to(dtype).eval().requires_grad_(requires_grad=False)


def inputs(dtype=torch.float32, batch=1):
    tokens = torch.randn(batch, 4 * 2 * 3, 64, dtype=dtype)
    return tokens, torch.randn(batch, 5, TEXT_WIDTH, dtype=dtype)


def levels(steps, tokens=6):
    return Flow().sigmas(steps, tokens)[:-1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_scheduled_network_has_the_bits_of_one_that_modulates_at_every_step(dtype):
    plain, scheduled = network(dtype), network(dtype)
    Modulations(scheduled).schedule(levels(5))
    given = inputs(dtype)
    for sigma in levels(5):
        assert torch.equal(scheduled(*given, sigma[None], GRID), plain(*given, sigma[None], GRID))


def test_times_of_a_batch_may_differ():
    plain, scheduled = network(), network()
    Modulations(scheduled).schedule(levels(4))
    given, times = inputs(batch=2), levels(4)[[3, 1]]
    torch.testing.assert_close(scheduled(*given, times, GRID), plain(*given, times, GRID))


def test_weights_in_another_precision_are_brought_to_that_of_the_network():
    """As in a file: modulation may wait in the precision it is stored in."""
    plain, scheduled = network(torch.bfloat16), network(torch.bfloat16)
    for name in modulation_names(scheduled):
        scheduled.get_submodule(name).float()
    Modulations(scheduled).schedule(levels(2))
    given = inputs(torch.bfloat16)
    time = levels(2)[1:]
    assert torch.equal(scheduled(*given, time, GRID), plain(*given, time, GRID))


def test_a_noise_level_outside_the_schedule_is_refused():
    scheduled = network()
    Modulations(scheduled).schedule(levels(4))
    with pytest.raises(IndexError):
        scheduled(*inputs(), torch.tensor([0.123]), GRID)


def test_only_the_condition_of_inference_is_known():
    scheduled = network()
    Modulations(scheduled).schedule(levels(2))
    with pytest.raises(ValueError, match="condition of inference"):
        scheduled(*inputs(), levels(2)[:1], GRID, additional_t_cond=torch.ones(1).long())


def test_a_schedule_is_reckoned_once_and_the_last_few_are_kept(monkeypatch):
    scheduled = network()
    modulations = Modulations(scheduled)
    reckoned = []
    vectors = modulations._vectors
    monkeypatch.setattr(
        modulations, "_vectors", lambda sigmas: reckoned.append(len(sigmas)) or vectors(sigmas)
    )
    for steps in (1, 2, 1, 1, 3, 4, 2, *range(5, 5 + KEPT), 1):
        modulations.schedule(levels(steps))
    assert reckoned == [1, 2, 3, 4, *range(5, 5 + KEPT), 1]
    assert len(modulations.kept) == KEPT


def test_the_network_holds_no_modulation_weights_any_more():
    scheduled = network()
    Modulations(scheduled).schedule(levels(2))
    kept = scheduled.state_dict()
    tables = {name for name in kept if "_mod" in name or "norm_out" in name}
    assert tables == {f"{name}.weight" for name in modulation_names(scheduled)}
    assert {len(kept[name]) for name in tables} == {2}
    assert not [name for name in kept if "time" in name]
