"""Flags that stand for a key of the preset: the same in every command that takes a preset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import typer

KEYS = {
    "layers": "decompose.layers",
    "seed": "decompose.seed",
    "steps": "decompose.steps",
    "guidance": "decompose.guidance",
    "resolution": "decompose.resolution",
    "model": "model.name",
    "device": "model.device",
    "dtype": "model.dtype",
    "jobs": "batch.jobs",
    "max_minutes": "batch.max_minutes",
    "fail_fast": "batch.fail_fast",
}
FORMATS = ("psd", "pptx", "png")

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
    formats = tuple(name for name in FORMATS if flags.get(name))
    layers = given.get("decompose.layers")
    if isinstance(layers, str) and layers.isdecimal():
        given["decompose.layers"] = int(layers)
    return given | ({"export.formats": formats} if formats else {})
