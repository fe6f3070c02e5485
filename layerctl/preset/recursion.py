"""The keys of a preset that say which layers are split again."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from layerctl.preset.section import Section

Address: TypeAlias = Annotated[str, Field(min_length=1)] | Annotated[int, Field(ge=1)]


class RecursionRule(Section):
    """Which layer is split, into how many, how deep, and when."""

    layer: Address = Field(description="A layer by its role, its name or its number (2, 2/1).")
    layers: Annotated[int, Field(ge=2, le=10)] | Literal["auto"] = Field(
        default="auto", description="Layers to ask the network for; auto lets it decide."
    )
    depth: int = Field(
        default=1, ge=1, le=5, description="How often to split: 2 splits its parts as well."
    )
    min_coverage: float = Field(
        default=0.0, ge=0, le=1, description="Share of the canvas that it has to cover."
    )
    when: Literal["always", "sure", "alone"] = Field(
        default="always",
        description="sure: nothing about it is doubtful; alone: no other layer has its role.",
    )


class RecurseSection(Section):
    """What is split again after a photo was taken apart, by the same network."""

    rules: Annotated[tuple[RecursionRule, ...], Field(strict=False)] = Field(
        default=(), description="For each layer the first rule that fits it; none splits nothing."
    )
