import math

import numpy as np
import pytest
import torch

from layerctl_model.flow import Flow, Guidance, Text
from tests.model.tiny import reference_scheduler

SCHEDULERS = {
    "exponential": {},
    "exponential to the end": {"shift_terminal": None},
    "linear": {"time_shift_type": "linear"},
    "fixed": {"use_dynamic_shifting": False, "shift": 3.0, "shift_terminal": None},
}


@pytest.mark.parametrize("kind", SCHEDULERS)
@pytest.mark.parametrize("steps", [2, 20, 50])
@pytest.mark.parametrize("tokens", [24, 64, 1600])
def test_the_schedule_equals_that_of_diffusers(parity, kind, steps, tokens):
    scheduler = reference_scheduler(**SCHEDULERS[kind])
    mu = math.sqrt(tokens / 256)
    scheduler.set_timesteps(sigmas=np.linspace(1, 0, steps + 1)[:-1], mu=mu)
    flow = Flow.from_config(scheduler.config)
    parity("schedule", flow.sigmas(steps, tokens), scheduler.sigmas)


def test_a_schedule_survives_its_config():
    flow = Flow(shift_terminal=None, max_shift=1.0)
    assert Flow.from_config(flow.to_config()) == flow


@pytest.mark.parametrize(
    "wrong",
    [
        {"use_karras_sigmas": True},
        {"time_shift_type": "cubic"},
        {"shift_terminal": 1.0},
        {"num_train_timesteps": 0},
        {"shift": None},
        {"shift": -3},
    ],
)
def test_schedules_we_do_not_have_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Flow.from_config(wrong)


def test_one_step_leads_from_noise_to_data():
    assert Flow().sigmas(1, 64).tolist() == [1.0, 0.0]


def test_warping_keeps_the_order_and_moves_towards_noise():
    sigma = torch.linspace(0.01, 1, 100)
    for tokens in (64, 1600):
        warped = Flow().warp(sigma, tokens)
        assert (warped.diff() > 0).all()
        assert (warped >= sigma).all()
        assert warped[-1] == 1


def test_the_true_velocity_leads_from_any_noise_to_the_data():
    flow = Flow()
    latents, eps = torch.randn(2, 3, 5, 4)
    sigma = torch.tensor([0.2, 0.6, 1.0])
    noisy = flow.noise(latents, eps, sigma)
    velocity = flow.velocity(latents, eps)
    for row in range(3):
        clean = flow.step(noisy[row], velocity[row], sigma[row], torch.tensor(0.0))
        torch.testing.assert_close(clean, latents[row])


def test_steps_keep_the_precision_of_the_velocity():
    x, v = torch.randn(2, 1, 4, 8).bfloat16()
    assert Flow().step(x, v, torch.tensor(0.5), torch.tensor(0.25)).dtype == torch.bfloat16


def test_guidance_of_one_changes_nothing_and_normalising_keeps_lengths():
    flow = Flow()
    positive, negative = torch.randn(2, 1, 6, 8)
    torch.testing.assert_close(flow.guide(positive, negative, 1.0, normalise=False), positive)
    guided = flow.guide(positive, negative, 4.0, normalise=True)
    torch.testing.assert_close(guided.norm(dim=-1), positive.norm(dim=-1))


def test_denoising_tells_of_every_step_and_leaves_the_condition_alone():
    seen = []

    def network(tokens, _text, t, grid, _mask):
        seen.append((tokens[:, -4:].clone(), t.item(), grid))
        return torch.ones_like(tokens)

    flow = Flow()
    noise, condition = torch.randn(1, 12, 64), torch.randn(1, 4, 64)
    guidance = Guidance(Text(torch.zeros(1, 1, 8)))
    frames = list(flow.denoise(network, noise, condition, guidance, (4, 2, 2), 5))
    assert len(frames) == len(seen) == 5
    assert all(torch.equal(last, condition) for last, _, _ in seen)
    times = flow.times(flow.sigmas(5, 4)[:-1], torch.float32)
    assert [t for _, t, _ in seen] == times.tolist()
    torch.testing.assert_close(frames[-1], noise - 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_network_is_told_times_as_rounded_as_the_reference_tells_them(dtype):
    scheduler = reference_scheduler()
    scheduler.set_timesteps(sigmas=np.linspace(1, 0, 51)[:-1], mu=1.5)
    reference = scheduler.timesteps.to(dtype) / 1000
    assert torch.equal(Flow().times(scheduler.sigmas[:-1], dtype), reference)
