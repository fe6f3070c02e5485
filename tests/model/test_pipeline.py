"""The whole way from a picture file to layers, against QwenImageLayeredPipeline of diffusers."""

from dataclasses import dataclass, replace

import pytest
import torch
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from diffusers.image_processor import VaeImageProcessor
from diffusers.pipelines.qwenimage.pipeline_qwenimage_layered import calculate_dimensions
from diffusers.utils.torch_utils import randn_tensor
from PIL import ImageOps

from layerctl_model import Settings, load
from layerctl_model.text import load_text
from tests.model.tiny import TEXT_WIDTH
from tests.model.tiny_text import (
    at_bucket,
    lively,
    random_picture,
    reference_pipeline,
    tiny_checkpoint,
)

STEPS = 2


@dataclass(frozen=True)
class Run:
    """One call of the pipeline; without a prompt a caption is made in the language."""

    size: tuple[int, int]
    settings: Settings
    prompt: str = ""
    language: str = "en"


RUNS = {
    "caption in English": Run((333, 200), Settings(2, STEPS, guidance=4.0, seed=1)),
    "caption in Chinese": Run(
        (90, 250),
        Settings(4, STEPS, guidance=2.5, seed=2, normalise_guidance=True),
        language="zh",
    ),
    "ten layers": Run((640, 640), Settings(10, STEPS, guidance=1.0, seed=3), "a red cup {on} oak"),
    "1024": Run((500, 411), Settings(2, STEPS, guidance=1.0, resolution=1024, seed=4), "玻璃杯"),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A whole checkpoint, as small as can be: the buckets are of full size."""
    folder = tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"), seed=1)
    torch.manual_seed(1)
    vae = AutoencoderKLQwenImage(
        base_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=0, input_channels=4
    )
    transformer = QwenImageTransformer2DModel(
        num_layers=1,
        num_attention_heads=1,
        attention_head_dim=16,
        joint_attention_dim=TEXT_WIDTH,
        axes_dims_rope=(4, 6, 6),
        use_additional_t_cond=True,
        use_layer3d_rope=True,
    )
    lively(vae, gain=1.5, bias=1.0).save_pretrained(folder / "vae")
    lively(transformer, gain=1.3).save_pretrained(folder / "transformer")
    return folder


def our_layers(folder, image, run):
    picture = at_bucket(image, run.settings.resolution)
    text = load_text(folder)
    prompt = run.prompt or text.caption([picture], run.language)[0]
    return load(folder).decompose(picture, run.settings, *text.embed([prompt, " "]))


def their_layers(folder, image, run):
    settings = run.settings
    return reference_pipeline(folder)(
        image,
        prompt=run.prompt,
        negative_prompt=" " if settings.guidance > 1 else None,
        true_cfg_scale=settings.guidance,
        cfg_normalize=settings.normalise_guidance,
        layers=settings.layers,
        num_inference_steps=settings.steps,
        resolution=settings.resolution,
        use_en_prompt=run.language == "en",
        generator=torch.Generator().manual_seed(settings.seed),
        output_type="pt",
    ).images[0]


@pytest.mark.parametrize("what", RUNS)
def test_a_picture_becomes_the_layers_of_the_pipeline(checkpoint, parity, what):
    run = RUNS[what]
    image = random_picture(*run.size)
    ours, theirs = our_layers(checkpoint, image, run), their_layers(checkpoint, image, run)
    parity(f"whole pipeline, {what}", ours, theirs)
    levels = [(255 * layers).round() for layers in (ours, theirs)]
    assert (levels[0] - levels[1]).abs().max() <= 1


def test_each_part_of_a_run_shows_in_the_layers(checkpoint):
    """Else the comparisons above would pass with that part missing."""
    run = Run((333, 200), Settings(1, STEPS, guidance=4.0, seed=1))
    image = random_picture(*run.size)
    layers = our_layers(checkpoint, image, run)
    for other in (
        replace(run, language="zh"),
        replace(run, prompt="a red cup"),
        replace(run, settings=replace(run.settings, guidance=1.0)),
        replace(run, settings=replace(run.settings, normalise_guidance=True)),
    ):
        assert (our_layers(checkpoint, image, other) - layers).abs().max() > 0.1
    assert (our_layers(checkpoint, ImageOps.mirror(image), run) - layers).abs().max() > 0.1


@pytest.mark.parametrize("resolution", [640, 1024])
@pytest.mark.parametrize("size", [(333, 200), (90, 2500), (1999, 2001), (640, 640)])
def test_lanczos_of_pillow_gives_the_pixels_of_the_pipeline(resolution, size):
    image = random_picture(*size)
    width, height = calculate_dimensions(resolution**2, size[0] / size[1])
    processor = VaeImageProcessor(vae_scale_factor=16)
    resized = processor.resize(image, height, width)
    theirs = processor.preprocess(resized, height, width)[0]
    assert torch.equal(2 * at_bucket(image, resolution) - 1, theirs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_noise_is_drawn_in_the_precision_of_the_network(checkpoint, dtype):
    noise = load(checkpoint)._noise(torch.zeros(1, 1, 16, 6, 10, dtype=dtype), Settings(3, seed=5))
    theirs = randn_tensor((1, 4, 16, 6, 10), torch.Generator().manual_seed(5), dtype=dtype)
    assert torch.equal(noise, theirs)
