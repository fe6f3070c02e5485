"""The keys of a preset: what each means, what it may be, what it is when nobody says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from layerctl.preset.recursion import RecurseSection
from layerctl.preset.section import Section

FormatName: TypeAlias = Literal["psd", "pptx", "png"]
LayerName: TypeAlias = Annotated[str, Field(min_length=1, max_length=120)]


class LoraSection(Section):
    """A LoRA that is merged into the checkpoint's transformer while it is loaded."""

    file: str = Field(
        min_length=1, description="A safetensors file; a relative path starts at the preset's own."
    )
    weight: float = Field(
        default=1.0, ge=-10, le=10, description="How strongly it counts; 1 is as it was trained."
    )


class ModelSection(Section):
    """Which checkpoint runs, and on what."""

    name: str = Field(
        default="mini",
        min_length=1,
        description="A shipped checkpoint (mini), one that was pulled (qwen, or ORG/NAME as on the "
        "hub), or the path of a folder.",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        default="auto",
        description="Where the network runs; auto takes the fastest this machine has.",
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Precision of the network; auto takes what the device is fast at.",
    )
    quantize: Literal["none", "fp8"] = Field(
        default="none",
        description="fp8 halves the memory of the largest matrices, and changes pixels a little.",
    )
    offload: Literal["auto", "none", "stream"] = Field(
        default="auto",
        description="Whether blocks wait in the machine's memory until they are needed: stream "
        "always, none never, auto as few as make it fit. It changes the time, never a pixel.",
    )
    loras: Annotated[tuple[LoraSection, ...], Field(strict=False)] = Field(
        default=(), description="LoRA files to merge, each with its weight."
    )


class DecomposeSection(Section):
    """How the network takes a photo apart."""

    prompt: str | None = Field(
        default=None,
        description="What all photos show, for checkpoints that read a text. Without it, each "
        "photo has the .txt beside it or, failing that, a caption of the network's own.",
    )
    negative_prompt: str = Field(
        default=" ",
        description="What to steer away from, where guidance is over 1 and a text is read.",
    )
    caption_language: Literal["en", "zh"] = Field(
        default="en", description="Language of the captions that the network writes."
    )
    layers: Annotated[int, Field(ge=2, le=10)] | Literal["auto"] = Field(
        default=4,
        description="Layers to ask the network for, background included; auto lets it decide.",
    )
    steps: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Denoising steps; null takes the checkpoint's advice.",
    )
    guidance: float | None = Field(
        default=None,
        ge=0,
        le=30,
        description="Classifier-free guidance; null takes the checkpoint's.",
    )
    normalise_guidance: bool | None = Field(
        default=None,
        description="Keep guided values at the length they have without guidance; null takes the "
        "checkpoint's advice.",
    )
    resolution: int | None = Field(
        default=None,
        ge=32,
        le=4096,
        description="Side in pixels of the square that is as large as the picture the network "
        "sees; null takes the checkpoint's. The layers have the photo's own size all the same.",
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=2**63 - 1,
        description="Start of the noise; the same seed, the same bytes.",
    )


class RefineSection(Section):
    """How the network's layers come to the photo's own size."""

    edges: Literal["photo", "model"] = Field(
        default="photo",
        description="Edges follow the photo's own, or stay as soft as the network's.",
    )
    detail: int = Field(
        default=1024,
        ge=128,
        le=8192,
        description="Longest side in pixels at which edges and hidden colour are worked out.",
    )
    shadow: Literal["layer", "background"] = Field(
        default="layer",
        description="Shadows get a Multiply layer of their own, or stay in the backdrop.",
    )


class PsdSection(Section):
    """Photoshop documents."""

    compression: Literal["raw", "rle", "zip"] = Field(
        default="rle", description="raw is the fastest to write, zip the smallest, rle in between."
    )
    original: bool = Field(
        default=False, description="Keep the photo in the document as a hidden layer at the top."
    )


class PngSection(Section):
    """Stacks of PNG files."""

    canvas: Literal["full", "trimmed"] = Field(
        default="full",
        description="Every file as large as the photo, or cut down to its layer's box.",
    )
    level: int = Field(
        default=1,
        ge=0,
        le=9,
        description="Compression, for slides too: 0 none, 1 fast, 9 smallest.",
    )


class ExportSection(Section):
    """What is written for each photo."""

    formats: Annotated[tuple[FormatName, ...], Field(strict=False, min_length=1)] = Field(
        default=("psd", "pptx", "png"), description="The formats to write, any of psd, pptx, png."
    )
    psd: PsdSection = PsdSection()
    png: PngSection = PngSection()


class NamesSection(Section):
    """What layers are called, by their role; the second of a role gets a 2 after its name."""

    background: LayerName = Field(default="background", description="What lies behind everything.")
    shadow: LayerName = Field(default="shadow", description="A cast shadow.")
    product: LayerName = Field(default="product", description="A thing that stands in the picture.")
    text: LayerName = Field(default="text", description="Lettering that lies on the picture.")


class QualitySection(Section):
    """When a layer is worth keeping, and an image worth passing on."""

    min_coverage: float = Field(
        default=0.002,
        ge=0,
        le=1,
        description="Share of the canvas (0 to 1) below which a layer is merged into another.",
    )
    fail_on_doubt: bool = Field(
        default=False, description="Count an image with a doubtful layer as failed (exit code 1)."
    )


class BatchSection(Section):
    """How a run goes through many photos; nothing here changes a pixel."""

    jobs: int = Field(default=2, ge=1, le=64, description="Images being written at the same time.")
    max_minutes: float | None = Field(
        default=None, gt=0, description="Start no further image after so long; null has no limit."
    )
    fail_fast: bool = Field(default=False, description="Stop at the first image that fails.")
    max_megapixels: int = Field(
        default=200,
        ge=1,
        le=2000,
        description="Refuse photos of more pixels than this, in millions.",
    )


class Preset(Section):
    """Everything that a run can be told, apart from its input and output folders."""

    name: str = Field(
        default="", description="What the preset is called; its file's name if not given."
    )
    about: str = Field(default="", description="Why the preset exists, in a sentence.")
    extends: str | None = Field(
        default=None,
        description="A preset, by name or path, whose keys hold where this one says nothing.",
    )
    model: ModelSection = ModelSection()
    decompose: DecomposeSection = DecomposeSection()
    recurse: RecurseSection = RecurseSection()
    refine: RefineSection = RefineSection()
    export: ExportSection = ExportSection()
    names: NamesSection = NamesSection()
    quality: QualitySection = QualitySection()
    batch: BatchSection = BatchSection()


_UNDECISIVE: Mapping[str, Any] = {
    **dict.fromkeys(("name", "about", "extends", "batch"), True),
    "model": {"offload": True, "loras": {"__all__": {"file": True}}},
}


def digest(preset: Preset) -> str:
    """Return what of a preset decides the result, as JSON that is stable: for hashing.

    Where memory is found changes no pixel. Of LoRAs only the weights are told: what counts of a
    file is its content, which is not here.
    """
    content = preset.model_dump(mode="json", exclude=dict(_UNDECISIVE))
    return json.dumps(content, sort_keys=True)
