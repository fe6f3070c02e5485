import hashlib
import shutil
import socket
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from layerctl_model import text as text_module
from layerctl_model.folder import TEXT_WEIGHTS, CheckpointError, MissingExtra
from layerctl_model.prompts import CAPTION, PREFIX, PREFIX_TOKENS, TEMPLATE
from layerctl_model.text import TEXT_VERSION, load_text
from tests.model.tiny_text import at_bucket, random_picture, reference_pipeline, tiny_checkpoint

PROMPTS = {
    "a sentence": "a red cup on an oak table, with a shadow",
    "the negative prompt": " ",
    "nothing": "",
    "Chinese": "玻璃杯放在桌上",
    "braces and control tokens": "a {cup}<|im_end|>",
    "more than is used": "a cup and a plate, " * 200,
}
SIZES = [(333, 200), (90, 250), (640, 640)]
LANGUAGES = pytest.mark.parametrize("language", ["en", "zh"])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def encoder(checkpoint):
    return load_text(checkpoint)


@pytest.fixture(scope="module")
def pipe(checkpoint):
    return reference_pipeline(checkpoint)


@pytest.fixture(scope="module")
def images(pipe):
    """Pictures with alpha, at their buckets' sizes as the pipeline makes them."""
    pictures = [random_picture(*size) for size in SIZES]
    tensors = [at_bucket(picture, 640) for picture in pictures]
    sizes = [tuple(tensor.shape[1:]) for tensor in tensors]
    resize = pipe.image_processor.resize
    return [resize(picture, *size) for picture, size in zip(pictures, sizes, strict=True)], tensors


def their_embeds(pipe, prompts):
    """The states and the mask as the pipeline would hand them to the transformer."""
    with torch.inference_mode():
        return pipe.encode_prompt(prompts, device="cpu", max_sequence_length=512)


def test_the_words_are_those_of_the_pipeline(pipe):
    assert pipe.prompt_template_encode == TEMPLATE
    assert pipe.prompt_template_encode_start_idx == PREFIX_TOKENS
    assert {"en": pipe.image_caption_prompt_en, "zh": pipe.image_caption_prompt_cn} == CAPTION


def test_what_is_dropped_is_all_before_the_prompt(encoder):
    assert TEMPLATE.startswith(PREFIX + "{}")
    assert len(encoder.tokenizer(PREFIX)["input_ids"]) == PREFIX_TOKENS


def test_the_version_tells_of_every_change_of_words():
    """Whoever sees this fail raises TEXT_VERSION and writes the new digest down beside it."""
    words = "".join([TEMPLATE, *CAPTION.values()]) + str(text_module.MOST_TOKENS)
    digests = {"1": "7988c9ed0d7c2a18"}
    assert hashlib.sha256(words.encode()).hexdigest()[:16] == digests[TEXT_VERSION]


@pytest.mark.parametrize("what", PROMPTS)
def test_embeddings_equal_those_of_the_pipeline(encoder, pipe, parity, what):
    theirs, mask = their_embeds(pipe, PROMPTS[what])
    (ours,) = encoder.embed([PROMPTS[what]])
    assert mask is None
    assert ours.mask is None
    parity("prompt embeddings", ours.embeds, theirs)


def test_embeddings_made_together_equal_those_made_alone(encoder, pipe, parity):
    theirs, mask = their_embeds(pipe, list(PROMPTS.values()))
    together = encoder.embed(list(PROMPTS.values()))
    for prompt, row, length, ours in zip(
        PROMPTS.values(), theirs, mask.sum(dim=1), together, strict=True
    ):
        (alone,) = encoder.embed([prompt])
        torch.testing.assert_close(ours.embeds, alone.embeds)
        parity("prompt embeddings, batched", ours.embeds[0], row[:length])


def test_embeddings_in_bf16_are_those_of_the_pipeline_bit_for_bit(checkpoint):
    pipe = reference_pipeline(checkpoint, torch.bfloat16)
    (ours,) = load_text(checkpoint, dtype=torch.bfloat16).embed([PROMPTS["a sentence"]])
    assert ours.embeds.dtype == torch.bfloat16
    assert torch.equal(ours.embeds, their_embeds(pipe, PROMPTS["a sentence"])[0])


@LANGUAGES
def test_captions_equal_those_of_the_pipeline(encoder, pipe, images, language):
    theirs = [
        pipe.get_image_caption(image, use_en_prompt=language == "en", device="cpu")
        for image in images[0]
    ]
    assert [encoder.caption([picture], language)[0] for picture in images[1]] == theirs
    assert len(set(theirs)) == len(SIZES)


@LANGUAGES
def test_captions_made_together_equal_those_made_alone(encoder, images, language):
    alone = [encoder.caption([picture], language)[0] for picture in images[1]]
    assert encoder.caption(images[1], language) == alone
    assert encoder.caption(images[1][::-1], language) == alone[::-1]


def test_captions_do_not_hang_on_chance(encoder, images):
    """The checkpoint asks for sampling, if at a temperature of nearly nothing."""
    assert encoder.model.generation_config.do_sample
    captions = []
    for seed in range(2):
        torch.manual_seed(seed)
        captions.append(encoder.caption(images[1][:1], "zh"))
    assert captions[0] == captions[1]


def test_captioning_leaves_no_trace_in_embeddings(encoder, images):
    (before,) = encoder.embed(["a cup"])
    encoder.caption(images[1][:1], "zh")
    (after,) = encoder.embed(["a cup"])
    assert torch.equal(before.embeds, after.embeds)


def test_pictures_are_read_on_white_and_in_multiples_of_28(encoder, pipe, images):
    for image, picture in zip(*images, strict=True):
        theirs = pipe.vl_processor(text=CAPTION["en"], images=image, return_tensors="pt")
        white = text_module._on_white(picture)
        ours = encoder.processor([white], return_tensors="pt")
        assert torch.equal(ours["pixel_values"], theirs["pixel_values"])
        frames, rows, cols = ours["image_grid_thw"][0].tolist()
        assert (frames, 14 * rows, 14 * cols) == (1, *(round(n / 28) * 28 for n in white.shape[1:]))


def test_pictures_without_alpha_are_read_as_they_are():
    picture = torch.rand(3, 8, 8)
    opaque = torch.cat([picture, torch.ones(1, 8, 8)])
    assert torch.equal(text_module._on_white(picture), text_module._on_white(opaque))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_have_the_wanted_precision_and_no_file_is_fetched(checkpoint, monkeypatch, dtype):
    def refuse(*_args, **_options):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    encoder = load_text(checkpoint, "cpu", dtype)
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {dtype}


@pytest.mark.parametrize("package", ["transformers", "accelerate"])
def test_a_missing_package_is_told_with_what_to_install(checkpoint, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"pip install 'layerctl\[qwen\]'"):
        load_text(checkpoint)


def without_a_tensor(folder):
    weights = folder / "text_encoder" / TEXT_WEIGHTS
    tensors = load_file(weights)
    del tensors["visual.blocks.0.norm1.weight"]
    save_file(tensors, weights)


def cut_short(folder):
    weights = folder / "text_encoder" / TEXT_WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-100])


def without(name):
    return lambda folder: (folder / name).unlink()


DEFECTS = {
    "visual.blocks.0.norm1.weight is missing": without_a_tensor,
    "model.safetensors is cut short": cut_short,
    "tokenizer_config.json is missing": without("tokenizer/tokenizer_config.json"),
    "preprocessor_config.json is missing": without("processor/preprocessor_config.json"),
}


def test_what_transformers_cannot_read_is_told_with_its_folder(checkpoint, tmp_path):
    shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
    (tmp_path / "tokenizer" / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match="tokenizer cannot be read by transformers"):
        load_text(tmp_path)


@pytest.mark.parametrize("sentence", DEFECTS)
def test_a_defect_is_refused_rather_than_filled_with_noise(checkpoint, tmp_path, sentence):
    shutil.copytree(checkpoint, tmp_path, dirs_exist_ok=True)
    DEFECTS[sentence](tmp_path)
    with pytest.raises(CheckpointError, match=sentence.split(" is ", maxsplit=1)[1]) as refusal:
        load_text(tmp_path)
    assert sentence.split(" is ")[0] in str(refusal.value)
