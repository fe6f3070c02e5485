import torch
from diffusers import QwenImageLayeredPipeline
from diffusers.models.embeddings import Timesteps
from hypothesis import given, settings
from hypothesis import strategies as st

from layerctl_model.functional import (
    apply_rope,
    attention,
    layer3d_rope,
    pack_latents,
    timestep_embedding,
    unpack_latents,
)

few = st.integers(1, 4)


@settings(deadline=None)
@given(frames=few, rows=few, cols=few, channels=few)
def test_packing_can_be_undone(frames, rows, cols, channels):
    latents = torch.randn(2, frames, channels, 2 * rows, 2 * cols)
    tokens = pack_latents(latents)
    assert tokens.shape == (2, frames * rows * cols, 4 * channels)
    assert torch.equal(unpack_latents(tokens, (frames, rows, cols)), latents)


def test_tokens_are_packed_as_diffusers_packs_them():
    latents = torch.randn(2, 3, 16, 4, 6)
    theirs = QwenImageLayeredPipeline._pack_latents(latents, 2, 16, 4, 6, 3)
    assert torch.equal(pack_latents(latents), theirs)


def test_times_are_embedded_as_diffusers_embeds_them(parity):
    t = torch.linspace(0, 1, 101)
    theirs = Timesteps(256, flip_sin_to_cos=True, downscale_freq_shift=0, scale=1000)(t)
    parity("timestep embedding", timestep_embedding(t), theirs)


def test_a_rope_turns_without_stretching():
    rope = layer3d_rope((3, 2, 5), 4, (2, 2, 4), 10_000.0, torch.device("cpu"))
    x = torch.randn(1, 4 + 3 * 2 * 5, 3, 8)
    torch.testing.assert_close(apply_rope(x, rope).norm(dim=-1), x.norm(dim=-1))


def test_a_rope_shows_only_how_far_apart_tokens_are():
    rope = layer3d_rope((2, 1, 6), 0, (2, 2, 4), 10_000.0, torch.device("cpu"))[:6]
    q, k = torch.randn(2, 8).expand(6, 2, 8).unbind(1)
    products = (
        apply_rope(q[None, :, None], rope)[0, :, 0] @ apply_rope(k[None, :, None], rope)[0, :, 0].T
    )
    torch.testing.assert_close(products[1:, 1:], products[:-1, :-1])


def test_both_kinds_of_attention_agree_and_obey_the_mask():
    q, k, v = torch.randn(3, 2, 7, 2, 8)
    mask = torch.tensor([[True] * 7, [True] * 3 + [False] * 4])
    sampled = attention(q, k, v, mask)
    trained = attention(q.requires_grad_(), k, v, mask)
    torch.testing.assert_close(trained, sampled)
    torch.testing.assert_close(trained[1], attention(q, k[:, :3], v[:, :3])[1])
