"""Flags that stand for a key of the preset: the same in every command that takes a preset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

import typer

from layerctl.errors import UsageError

if TYPE_CHECKING:
    from layerctl.preset import Resolved
    from layerctl.texts.prompt import Prompt

KEYS = {
    "prompt": "decompose.prompt",
    "layers": "decompose.layers",
    "seed": "decompose.seed",
    "steps": "decompose.steps",
    "guidance": "decompose.guidance",
    "resolution": "decompose.resolution",
    "model": "model.name",
    "device": "model.device",
    "dtype": "model.dtype",
    "quantize": "model.quantize",
    "offload": "model.offload",
    "jobs": "batch.jobs",
    "max_minutes": "batch.max_minutes",
    "fail_fast": "batch.fail_fast",
}
FORMATS = ("psd", "pptx", "png")

Text: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="What all photos show, for models that read a text."),
]
Layers: TypeAlias = Annotated[
    str | None, typer.Option(metavar="N|auto", help="Layers to ask for, background included.")
]
Psd: TypeAlias = Annotated[
    bool, typer.Option("--psd", help="Write PSD; formats given here replace the preset's.")
]
Pptx: TypeAlias = Annotated[bool, typer.Option("--pptx", help="Write PPTX.")]
Png: TypeAlias = Annotated[bool, typer.Option("--png", help="Write a stack of PNG files.")]
Model: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME|PATH", help="Checkpoint to run.")
]
Seed: TypeAlias = Annotated[int | None, typer.Option(help="Start of the noise.")]
Steps: TypeAlias = Annotated[int | None, typer.Option(help="Denoising steps.")]
Guidance: TypeAlias = Annotated[float | None, typer.Option(help="Classifier-free guidance.")]
Resolution: TypeAlias = Annotated[
    int | None, typer.Option(metavar="PIXELS", help="Side of what the network sees, if square.")
]
Device: TypeAlias = Annotated[
    str | None, typer.Option(metavar="auto|cpu|cuda|mps", help="Where the network runs.")
]
Dtype: TypeAlias = Annotated[
    str | None, typer.Option(metavar="auto|float32|bfloat16", help="Precision of the network.")
]
Quantize: TypeAlias = Annotated[
    str | None, typer.Option(metavar="none|fp8", help="Halve the largest matrices in memory.")
]
Offload: TypeAlias = Annotated[
    str | None, typer.Option(metavar="auto|none|stream", help="Keep blocks off the device.")
]
Lora: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--lora",
        metavar="FILE[@WEIGHT]",
        help="Merge a LoRA; may be given again. These replace the preset's.",
    ),
]
Jobs: TypeAlias = Annotated[int | None, typer.Option(help="Images being written at the same time.")]
MaxMinutes: TypeAlias = Annotated[
    float | None, typer.Option(help="Start no further image after so long.")
]
FailFast: TypeAlias = Annotated[
    bool, typer.Option("--fail-fast", help="Stop at the first image that fails.")
]


def overrides(flags: Mapping[str, object]) -> dict[str, object]:
    """Return what flags, by their Python names, say about a preset's keys; the rest is ignored.

    Values are not judged here: the preset does that, and names the flag.
    """
    said = {KEYS[name]: value for name, value in flags.items() if name in KEYS}
    given = {key: value for key, value in said.items() if value not in (None, False)}
    layers = given.get("decompose.layers")
    if isinstance(layers, str) and layers.isdecimal():
        given["decompose.layers"] = int(layers)
    lists = {
        "export.formats": tuple(name for name in FORMATS if flags.get(name)),
        "model.loras": tuple(map(_lora, cast("Sequence[str]", flags.get("lora") or ()))),
    }
    return given | {key: values for key, values in lists.items() if values}


def _lora(given: str) -> dict[str, object]:
    """Return FILE@WEIGHT as its parts; what follows an @ and is no number belongs to the name."""
    file, at, weight = given.rpartition("@")
    try:
        return {"file": file, "weight": float(weight)} if at else {"file": given}
    except ValueError:
        return {"file": given}


def prompt_given(resolved: Resolved) -> Prompt | None:
    """Return what all photos are said to show, None if that is left to each.

    Raises:
        EnvironmentFault: The checkpoint is not on this machine.
        UsageError: The checkpoint reads no text.
    """
    from layerctl.checkpoints.catalogue import checkpoint_folder
    from layerctl.checkpoints.folder import reads_text
    from layerctl.texts.prompt import Prompt

    model, text = resolved.preset.model, (resolved.preset.decompose.prompt or "").strip()
    if not text:
        return None
    origin = resolved.origins["decompose.prompt"]
    if not reads_text(checkpoint_folder(model)):
        raise UsageError(f"{origin}: the model '{model.name}' reads no text; leave the prompt out")
    return Prompt(text, "flag" if origin.startswith("--") else "preset")
