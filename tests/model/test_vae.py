import pytest
import torch
from diffusers import AutoencoderKLQwenImage
from safetensors.torch import load_file

from layerctl_model.checkpoint import load_vae, save_vae
from layerctl_model.folder import WEIGHTS
from layerctl_model.vae import RGBAVae, VaeSizes
from tests.model.tiny import MULTIPLES, PICTURES, SMALLER, VIDEO, reference_vae

PATTERNS = pytest.mark.parametrize(
    "temporal", [VIDEO, PICTURES, SMALLER], ids=["video", "pictures", "smaller"]
)
SEEDS = pytest.mark.parametrize("seed", range(3))


def random_pictures(height, width):
    return 2 * torch.rand(2, 4, height, width) - 1


def encode(reference, pictures):
    return reference.encode(pictures[:, :, None]).latent_dist.mode()[:, :, 0]


def decode(reference, latents):
    return reference.decode(latents[:, :, None]).sample[:, :, 0]


@SEEDS
@PATTERNS
@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 56)])
def test_the_vae_equals_the_3d_one_of_diffusers(tmp_path, parity, seed, temporal, height, width):
    reference = reference_vae(seed, temporal)
    reference.save_pretrained(tmp_path / "vae")
    vae = load_vae(tmp_path)
    pictures = random_pictures(height, width)
    with torch.inference_mode():
        latents = encode(reference, pictures)
        parity("vae encode", vae.encode(pictures), latents)
        parity("vae decode", vae.decode(latents).clamp(-1, 1), decode(reference, latents))


@SEEDS
@PATTERNS
def test_diffusers_loads_the_vae_we_save(tmp_path, parity, seed, temporal):
    torch.manual_seed(seed)
    multiples = tuple(MULTIPLES[: len(temporal) + 1])
    sizes = VaeSizes(8, dim_mult=multiples, num_res_blocks=1, temperal_downsample=temporal)
    vae = RGBAVae(sizes).eval()
    save_vae(vae, tmp_path)
    reference = AutoencoderKLQwenImage.from_pretrained(tmp_path / "vae")
    pictures = random_pictures(40, 24)
    with torch.inference_mode():
        latents = encode(reference, pictures)
        parity("vae encode, saved by us", vae.encode(pictures), latents)
        theirs = decode(reference, latents)
        parity("vae decode, saved by us", vae.decode(latents).clamp(-1, 1), theirs)


@PATTERNS
def test_names_and_shapes_survive_loading_and_saving(tmp_path, temporal):
    reference_vae(0, temporal).save_pretrained(tmp_path / "theirs" / "vae")
    save_vae(load_vae(tmp_path / "theirs"), tmp_path / "ours")
    theirs, ours = (
        {name: tensor.shape for name, tensor in load_file(tmp_path / who / "vae" / WEIGHTS).items()}
        for who in ("theirs", "ours")
    )
    assert ours == theirs


def test_sizes_and_precision_survive_saving_and_loading(tmp_path):
    sizes = VaeSizes(base_dim=8, temperal_downsample=PICTURES, latents_mean=(0.5,) * 16)
    vae = RGBAVae(sizes).bfloat16()
    save_vae(vae, tmp_path)
    again = load_vae(tmp_path)
    assert again.sizes == sizes
    for name, tensor in vae.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name
        assert again.state_dict()[name].dtype == torch.bfloat16


def test_normalised_latents_have_the_statistics_of_the_config():
    sizes = VaeSizes(base_dim=8, latents_mean=tuple(range(16)), latents_std=(2.0,) * 16)
    vae = RGBAVae(sizes)
    latents = torch.arange(16.0)[None, :, None, None].expand(2, 16, 3, 5)
    assert not vae.normalise(latents).any()
    assert vae.normalise(latents + 2).eq(1).all()
    torch.testing.assert_close(vae.denormalise(vae.normalise(latents * 3)), latents * 3)


def test_the_vae_trains_in_bf16():
    vae = RGBAVae(VaeSizes(base_dim=8, num_res_blocks=1))
    pictures = random_pictures(32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        mean, log_variance = vae.moments(pictures)
        loss = (vae.decode(mean) - pictures).abs().mean() + log_variance.square().mean()
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in vae.parameters())


@pytest.mark.parametrize(
    "wrong",
    [
        {"attn_scales": (0.5,)},
        {"temperal_downsample": (False,)},
        {"latents_mean": (0.0,)},
    ],
)
def test_sizes_that_do_not_agree_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        VaeSizes(**wrong)
