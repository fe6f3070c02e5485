"""Tiny random checkpoints with a text encoder: the layout of the published Qwen-Image-Layered."""

import json

import numpy as np
import torch
from diffusers import QwenImageLayeredPipeline
from PIL import Image
from tokenizers import pre_tokenizers
from transformers import (
    GenerationConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLProcessor,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from layerctl_model.prompts import CAPTION, TEMPLATE
from layerctl_model.settings import bucket_size
from tests.model.tiny import TEXT_WIDTH, VIDEO, reference_checkpoint

END = "<|im_end|>"
SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    END,
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
# As in the published preprocessor_config.json, so that pictures are resized as there.
PICTURES = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_processor_type": "Qwen2VLImageProcessor",
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "max_pixels": 12845056,
    "merge_size": 2,
    "min_pixels": 3136,
    "patch_size": 14,
    "processor_class": "Qwen2VLProcessor",
    "temporal_patch_size": 2,
}
INDEX = {
    "_class_name": "QwenImageLayeredPipeline",
    "processor": ["transformers", "Qwen2VLProcessor"],
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen2_5_VLForConditionalGeneration"],
    "tokenizer": ["transformers", "Qwen2Tokenizer"],
    "transformer": ["diffusers", "QwenImageTransformer2DModel"],
    "vae": ["diffusers", "AutoencoderKLQwenImage"],
}


class ReferenceProcessor(Qwen2VLProcessor):
    """The processor of the pipeline without its part for videos, which would need torchvision."""

    def check_argument_for_proper_class(self, argument_name, argument):
        """Take any argument, as looking up the class of the part for videos fails."""


def tiny_checkpoint(folder, seed=0, temporal=VIDEO):
    """Save a whole random checkpoint with transformer, VAE, schedule and text encoder."""
    reference_checkpoint(folder, seed, temporal)
    tiny_text(folder, seed)
    (folder / "model_index.json").write_text(json.dumps(INDEX))
    return folder


def tiny_text(folder, seed=0):
    """Save the text parts of a checkpoint: text_encoder/, tokenizer/ and processor/."""
    tokenizer = tiny_tokenizer()
    for part in ("tokenizer", "processor"):
        tokenizer.save_pretrained(folder / part)
    (folder / "processor" / "preprocessor_config.json").write_text(json.dumps(PICTURES))
    tiny_text_encoder(tokenizer, seed).save_pretrained(folder / "text_encoder")


def tiny_tokenizer():
    """Return a tokenizer that, like the real one, has a token for every word of our templates."""
    return Qwen2Tokenizer(eos_token=END).train_new_from_iterator(
        [[TEMPLATE, *CAPTION.values()]],
        vocab_size=1500,
        new_special_tokens=SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )


def tiny_text_encoder(tokenizer, seed):
    """Return a random Qwen2.5-VL whose captions depend on the picture and end before long."""
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": TEXT_WIDTH,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [2, 2, 2],
            },
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids[END],
        },
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 24,
            "num_heads": 2,
            "out_hidden_size": TEXT_WIDTH,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    torch.manual_seed(seed)
    model = lively(Qwen2_5_VLForConditionalGeneration(config), gain=2.5)
    # Those of the published checkpoint, but that every 25th token ends a caption.
    model.generation_config = GenerationConfig(
        bos_token_id=ids["<|endoftext|>"],
        pad_token_id=ids["<|endoftext|>"],
        eos_token_id=[ids[END], *range(20, len(tokenizer), 25)],
        do_sample=True,
        temperature=1e-6,
        repetition_penalty=1.05,
    )
    return model


def lively(network, gain, bias=0.1):
    """Draw weights that keep the size of what passes: in fresh networks inputs hardly matter."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=bias)
            elif parameter[0].numel() == 1:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
            else:
                parameter.normal_(std=gain * parameter[0].numel() ** -0.5)
    return network.eval().requires_grad_(requires_grad=False)


def reference_pipeline(folder, dtype=torch.float32):
    """Return the pipeline of diffusers as it opens a whole checkpoint, but for its bars."""
    tokenizer = Qwen2Tokenizer.from_pretrained(folder / "processor")
    pictures = Qwen2VLImageProcessorPil.from_pretrained(folder / "processor")
    processor = ReferenceProcessor(pictures, tokenizer, video_processor=None)
    pipe = QwenImageLayeredPipeline.from_pretrained(folder, processor=processor, dtype=dtype)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def random_picture(width, height):
    """Random blots with random alpha, some of it 0."""
    random = np.random.default_rng(width * height)
    blots = random.integers(0, 256, (5, 4, 4), dtype=np.uint8)
    blots[..., 3] *= random.integers(0, 2, (5, 4), dtype=np.uint8)
    return Image.fromarray(blots).resize((width, height), Image.Resampling.BICUBIC)


def at_bucket(image, resolution):
    """The picture as the tool hands it to the network: (4, H, W) in [0, 1]."""
    height, width = bucket_size(image.height, image.width, resolution)
    seen = image.convert("RGBA").resize((width, height), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(seen)).permute(2, 0, 1) / 255
