"""Alpha is read off latents without decoding them."""

import torch
import torch.nn.functional as F
from probe import FINER, fit_probe, true_alphas


def test_a_probe_learns_what_latents_say_of_alpha_and_learns_no_more():
    torch.manual_seed(0)
    pictures = torch.rand(4, 3, 4, 32, 32) * 2 - 1
    pictures[..., 3, :, :] = (F.avg_pool2d(torch.rand(4, 3, 32, 32), 9, 1, 4) > 0.5) * 2.0 - 1
    alphas = true_alphas(pictures, 8)
    assert alphas.shape == (4, 3, 16, 16)
    latents = F.pixel_unshuffle(alphas.flatten(0, 1)[:, None], FINER).unflatten(0, (4, 3)) * 4 - 2
    probe = fit_probe([(latents, alphas)])
    assert (probe(latents) - alphas).abs().mean() < 0.05
    assert not any(parameter.requires_grad for parameter in probe.parameters())
