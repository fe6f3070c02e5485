import pytest
import torch
from diffusers import QwenImageLayeredPipeline
from diffusers.pipelines.qwenimage import pipeline_qwenimage_layered
from PIL import Image

from layerctl_model import Decomposer, Settings, load
from layerctl_model.checkpoint import save_flow, save_index, save_transformer, save_vae
from layerctl_model.flow import Text
from layerctl_model.functional import pack_latents
from layerctl_model.settings import bucket_size
from tests.model.tiny import (
    PICTURES,
    SMALLER,
    TEXT_WIDTH,
    VIDEO,
    reference_checkpoint,
    reference_scheduler,
)

STEPS = 4


class SilentTextEncoder(torch.nn.Module):
    """Stands in for Qwen2.5-VL, of which the pipeline only asks where and what it is here."""

    device = torch.device("cpu")
    dtype = torch.float32


@pytest.fixture
def pipeline(monkeypatch):
    """Return a function that runs the pipeline of diffusers at a small size.

    It returns the noisy frames after each step, then the layers.
    """

    def run(vae, transformer, picture, settings, prompts):
        size = (picture.width, picture.height)
        monkeypatch.setattr(pipeline_qwenimage_layered, "calculate_dimensions", lambda *_: size)
        parts = {"tokenizer": None, "processor": None, "text_encoder": SilentTextEncoder()}
        pipe = QwenImageLayeredPipeline(
            vae=vae, transformer=transformer, scheduler=reference_scheduler(), **parts
        )
        pipe.set_progress_bar_config(disable=True)
        frames = []

        def keep(_pipe, _step, _time, tensors):
            frames.append(tensors["latents"])
            return tensors

        layers = pipe(
            picture,
            prompt="given as embeddings",
            layers=settings.layers,
            num_inference_steps=settings.steps,
            true_cfg_scale=settings.guidance,
            cfg_normalize=settings.normalise_guidance,
            generator=torch.Generator().manual_seed(settings.seed),
            callback_on_step_end=keep,
            output_type="pt",
            **prompts,
        ).images[0]
        return frames, layers

    return run


def random_picture(height, width):
    pixels = torch.randint(256, (height, width, 4), dtype=torch.uint8)
    return Image.fromarray(pixels.numpy()), pixels.permute(2, 0, 1) / 255


def our_frames(decomposer, picture, settings, positive, negative, monkeypatch):
    """Return the noisy frames after each step, then the layers, as `pipeline` does."""
    frames = []
    step = type(decomposer.flow).step

    def keep(*args):
        frames.append(step(*args))
        return frames[-1]

    monkeypatch.setattr(type(decomposer.flow), "step", keep)
    return frames, decomposer.decompose(picture, settings, positive, negative)


@pytest.mark.parametrize(
    ("guidance", "normalise"),
    [(1.0, False), (4.0, False), (4.0, True)],
    ids=["no guidance", "guidance", "normalised guidance"],
)
@pytest.mark.parametrize(
    ("seed", "layers", "height", "width", "temporal"),
    [
        (0, 2, 64, 64, VIDEO),
        (1, 4, 32, 96, VIDEO),
        (2, 8, 96, 64, PICTURES),
        (3, 6, 64, 96, SMALLER),
    ],
)
def test_the_whole_run_equals_the_pipeline_of_diffusers(
    tmp_path,
    monkeypatch,
    pipeline,
    parity,
    seed,
    layers,
    height,
    width,
    temporal,
    guidance,
    normalise,
):
    vae, transformer = reference_checkpoint(tmp_path, seed, temporal)
    side = round((height * width) ** 0.5)
    settings = Settings(layers, STEPS, guidance, side, seed, normalise)
    assert bucket_size(height, width, side) == (height, width)
    image, picture = random_picture(height, width)
    embeds, negative = torch.randn(2, 1, 5, TEXT_WIDTH)
    prompts = {"prompt_embeds": embeds, "prompt_embeds_mask": torch.ones(1, 5)}
    if guidance > 1:
        prompts |= {
            "negative_prompt_embeds": negative[:, :2],
            "negative_prompt_embeds_mask": torch.ones(1, 2),
        }
    theirs = pipeline(vae, transformer, image, settings, prompts)
    ours = our_frames(
        load(tmp_path), picture, settings, Text(embeds), Text(negative[:, :2]), monkeypatch
    )
    assert len(ours[0]) == len(theirs[0]) == STEPS
    what = "normalised guidance" if normalise else "guidance" if guidance > 1 else "no guidance"
    for our_step, their_step in zip(ours[0], theirs[0], strict=True):
        parity(f"denoising, every step, {what}", our_step, their_step)
    parity(f"layers, {what}", ours[1], theirs[1])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    reference_checkpoint(folder, 0, PICTURES)
    return folder


def test_the_pipeline_of_diffusers_opens_the_folder_we_save(tmp_path, checkpoint):
    ours = load(checkpoint)
    save_vae(ours.vae, tmp_path)
    save_transformer(ours.transformer, tmp_path)
    save_flow(ours.flow, tmp_path)
    save_index(tmp_path)
    pipe = QwenImageLayeredPipeline.from_pretrained(
        tmp_path, text_encoder=None, tokenizer=None, processor=None
    )
    assert dict(pipe.scheduler.config).items() >= {"shift_terminal": 0.02}.items()
    for theirs, mine in ((pipe.transformer, ours.transformer), (pipe.vae, ours.vae)):
        assert theirs.state_dict().keys() == mine.state_dict().keys()


def test_the_same_seed_gives_the_same_layers_and_another_gives_others(checkpoint):
    decomposer = load(checkpoint)
    picture = torch.rand(4, 64, 64)
    first, again, other = (
        decomposer.decompose(picture, Settings(2, 2, resolution=64, seed=seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_any_bucket_becomes_layers_of_its_size(checkpoint, dtype):
    size = bucket_size(75, 201, 64)
    picture = torch.rand(4, *size)
    layers = load(checkpoint, dtype=dtype).decompose(picture, Settings(3, 2, resolution=64))
    assert layers.shape == (3, 4, *size)
    assert layers.dtype == torch.float32
    assert layers.min() >= 0
    assert layers.max() <= 1


def test_a_picture_of_no_bucket_s_size_is_refused(checkpoint):
    with pytest.raises(ValueError, match=r"\(75, 201\) is no bucket"):
        load(checkpoint).decompose(torch.rand(4, 75, 201), Settings(resolution=64))


def test_every_step_is_told(checkpoint):
    told = []
    load(checkpoint).decompose(
        torch.rand(4, 64, 64),
        Settings(1, 3, resolution=64),
        on_step=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_noise_is_drawn_frame_by_frame_in_the_layout_of_diffusers(checkpoint):
    noise = load(checkpoint)._noise(torch.zeros(1, 1, 16, 4, 6), Settings(2, seed=7))
    theirs = QwenImageLayeredPipeline._pack_latents(
        torch.randn(1, 3, 16, 4, 6, generator=torch.Generator().manual_seed(7)), 1, 16, 4, 6, 3
    )
    assert torch.equal(pack_latents(noise), theirs)


def test_a_checkpoint_that_reads_text_asks_for_it(tmp_path):
    reference_checkpoint(tmp_path, 0, PICTURES)
    (tmp_path / "text_encoder").mkdir()
    decomposer = load(tmp_path)
    assert isinstance(decomposer, Decomposer)
    with pytest.raises(ValueError, match="embedded prompt"):
        decomposer.decompose(torch.rand(4, 64, 64))
