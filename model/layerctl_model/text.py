"""Qwen2.5-VL, the text part of a checkpoint: prompts become embeddings, pictures become captions.

It runs in transformers; the extra `layerctl[qwen]` brings what is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from layerctl_model.flow import Text
from layerctl_model.folder import CheckpointError, MissingExtra
from layerctl_model.inventory import CHECKS
from layerctl_model.prompts import CAPTION, IMAGE, PREFIX_TOKENS, TEMPLATE

TEXT_VERSION = "1"
"""Part of every cache key: raised when the same prompt or picture would give another text."""

MOST_TOKENS = 512
"""How much of a prompt is embedded: what the published pipeline takes unless told otherwise."""

MOST_CAPTION_TOKENS = 512

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class TextEncoder:
    """Qwen2.5-VL on one device, with its tokenizer and what cuts pictures into patches."""

    model: Any
    tokenizer: Any
    processor: Any

    @torch.inference_mode()
    def embed(self, prompts: Sequence[str]) -> list[Text]:
        """The last hidden states of each prompt: (1, T, D) without padding, T at most 512.

        Those of the template before the prompt are dropped (Qwen-Image, arXiv 2508.02324).
        """
        tokens = self._tokenise(
            [TEMPLATE.format(prompt) for prompt in prompts],
            padding_side="right",
            truncation=True,
            max_length=PREFIX_TOKENS + MOST_TOKENS,
        )
        states = self.model.model.language_model(**tokens).last_hidden_state  # (B, T, D)
        lengths = tokens["attention_mask"].sum(dim=1).tolist()
        # Cloned, as a view would keep the states of the whole batch.
        return [
            Text(row[None, PREFIX_TOKENS:length].clone())
            for row, length in zip(states, lengths, strict=True)
        ]

    @torch.inference_mode()
    def caption(self, pictures: Sequence[Tensor], language: Language) -> list[str]:
        """What each picture shows, decoded greedily, in at most 512 tokens.

        Args:
            pictures: Each (3, H, W) or (4, H, W) in [0, 1] at its bucket's size, laid on white
                where it is transparent. All are read at once.
            language: Which of the published instructions to give.
        """
        patches = self.processor([_on_white(p) for p in pictures], return_tensors="pt")
        counts = patches["image_grid_thw"].prod(dim=1) // self.processor.merge_size**2
        tokens = self._tokenise(
            [CAPTION[language].replace(IMAGE, IMAGE * count) for count in counts.tolist()],
            padding_side="left",
        )
        answers = self.model.generate(
            **tokens,
            **patches.to(self.model.device),
            mm_token_type_ids=(tokens["input_ids"] == self.model.config.image_token_id).long(),
            max_new_tokens=MOST_CAPTION_TOKENS,
            # The published settings sample at a temperature of 1e-6: greedy, but for ties.
            do_sample=False,
            temperature=None,
        )
        captions = self.tokenizer.batch_decode(
            answers[:, tokens["input_ids"].shape[1] :],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        return [caption.strip() for caption in captions]

    def _tokenise(self, texts: Sequence[str], **options: Any) -> Any:  # noqa: ANN401
        tokens = self.tokenizer(texts, padding=True, return_tensors="pt", **options)
        return tokens.to(self.model.device)


def load_text(
    folder: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> TextEncoder:
    """The text part of a checkpoint folder.

    Args:
        folder: The folder that holds `text_encoder/`, `tokenizer/` and `processor/`.
        device: Where the weights go, straight from the file.
        dtype: Their precision.

    Raises:
        MissingExtra: transformers or accelerate is not installed.
        CheckpointError: A file is missing or damaged, or does not fit its config.
    """
    transformers = _extra("transformers")
    _extra("accelerate")  # transformers places weights with it
    transformers.utils.logging.disable_progress_bar()
    # Whatever is missing transformers would fill with noise.
    for part in ("text_encoder", "tokenizer", "processor"):
        for fault in CHECKS[part](folder):
            raise CheckpointError(fault)
    with _refusals_told(folder / "text_encoder"):
        model = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(
            folder / "text_encoder",
            dtype=dtype,
            device_map=str(device),
            local_files_only=True,
        )
    with _refusals_told(folder / "tokenizer"):
        tokenizer = transformers.Qwen2Tokenizer.from_pretrained(
            folder / "tokenizer", local_files_only=True
        )
    with _refusals_told(folder / "processor"):
        processor = transformers.Qwen2VLImageProcessorPil.from_pretrained(
            folder / "processor", local_files_only=True
        )
    return TextEncoder(model.eval(), tokenizer, processor)


@contextmanager
def _refusals_told(part: Path) -> Iterator[None]:
    """Name the folder that transformers cannot read; it may fail in any way at odd configs."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        raise CheckpointError(
            f"{part} cannot be read by transformers ({type(error).__name__}: {error}): "
            "fetch it again"
        ) from error


def _extra(name: str) -> Any:  # noqa: ANN401 - a module
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtra(
            "this checkpoint reads text, which needs more packages: pip install 'layerctl[qwen]'"
        ) from error


def _on_white(picture: Tensor) -> Tensor:
    """(3 or 4, H, W) in [0, 1] -> (3, H, W) of uint8 on the CPU."""
    colour, alpha = picture[:3].float(), picture[3:].float()
    laid = alpha * colour + (1 - alpha) if len(alpha) else colour
    return (255 * laid).round().to("cpu", torch.uint8)
