"""The tensors of a Qwen2.5-VL by name and shape, from its config alone (arXiv 2502.13923)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Shape: TypeAlias = tuple[int, ...]

PREFIXES = {
    "model.visual.": "visual.",
    "model.language_model.": "model.",
    "language_model.model.": "model.",
    "language_model.lm_head.": "lm_head.",
    "language_model.": "model.",
}
"""How other versions of transformers begin the names, and how the published checkpoint does."""

KIND = "qwen2_5_vl"
HEAD = "lm_head.weight"
MOST_BLOCKS = 512
"""More than any such model has: what a damaged config asks for could take the whole memory."""


def published_name(name: str) -> str:
    """The name that a tensor has in the published checkpoint."""
    for prefix, published in PREFIXES.items():
        if name.startswith(prefix):
            return published + name.removeprefix(prefix)
    return name


def shapes(config: Mapping[str, Any]) -> dict[str, Shape]:
    """Every tensor of `text_encoder/` by its published name.

    Args:
        config: The content of `text_encoder/config.json`; the language part's sizes stand in
            `text_config`, or beside `vision_config` in older files.

    Raises:
        KeyError: A size is missing.
        ValueError: It is another model's config.
    """
    if (kind := config.get("model_type", KIND)) != KIND:
        raise ValueError(f"model_type is {kind}")
    language = {**config, **(config.get("text_config") or {})}
    wanted = {f"visual.{name}": shape for name, shape in _vision(config["vision_config"])}
    wanted |= {f"model.{name}": shape for name, shape in _language(language)}
    # Tied weights are stored once; transformers makes the head from the embedding.
    if not language.get("tie_word_embeddings", False):
        wanted[HEAD] = (language["vocab_size"], language["hidden_size"])
    return wanted


def _language(sizes: Mapping[str, Any]) -> Iterator[tuple[str, Shape]]:
    width, inner = sizes["hidden_size"], sizes["intermediate_size"]
    heads = sizes["num_attention_heads"]
    keys = width // heads * (sizes.get("num_key_value_heads") or heads)
    yield "embed_tokens.weight", (sizes["vocab_size"], width)
    yield "norm.weight", (width,)
    for block in _numbered("layers", sizes["num_hidden_layers"]):
        yield f"{block}.input_layernorm.weight", (width,)
        yield f"{block}.post_attention_layernorm.weight", (width,)
        yield from _linear(f"{block}.self_attn.q_proj", width, width)
        yield from _linear(f"{block}.self_attn.k_proj", width, keys)
        yield from _linear(f"{block}.self_attn.v_proj", width, keys)
        yield f"{block}.self_attn.o_proj.weight", (width, width)
        yield f"{block}.mlp.gate_proj.weight", (inner, width)
        yield f"{block}.mlp.up_proj.weight", (inner, width)
        yield f"{block}.mlp.down_proj.weight", (width, inner)


def _vision(sizes: Mapping[str, Any]) -> Iterator[tuple[str, Shape]]:
    width, inner = sizes["hidden_size"], sizes["intermediate_size"]
    merged = width * sizes.get("spatial_merge_size", 2) ** 2
    channels = sizes.get("in_chans", sizes.get("in_channels", 3))
    patch, frames = sizes.get("patch_size", 14), sizes.get("temporal_patch_size", 2)
    yield "patch_embed.proj.weight", (width, channels, frames, patch, patch)
    for block in _numbered("blocks", sizes["depth"]):
        yield f"{block}.norm1.weight", (width,)
        yield f"{block}.norm2.weight", (width,)
        yield from _linear(f"{block}.attn.qkv", width, 3 * width)
        yield from _linear(f"{block}.attn.proj", width, width)
        yield from _linear(f"{block}.mlp.gate_proj", width, inner)
        yield from _linear(f"{block}.mlp.up_proj", width, inner)
        yield from _linear(f"{block}.mlp.down_proj", inner, width)
    yield "merger.ln_q.weight", (width,)
    yield from _linear("merger.mlp.0", merged, merged)
    yield from _linear("merger.mlp.2", merged, sizes["out_hidden_size"])


def _numbered(name: str, count: int) -> Iterator[str]:
    if not 0 < count <= MOST_BLOCKS:
        raise ValueError(f"it has {count} {name}")
    return (f"{name}.{number}" for number in range(count))


def _linear(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)
