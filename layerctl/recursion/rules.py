"""Layers are split by the network and the preset that a photo is taken apart by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from layerctl.batch import Model
from layerctl.document import Document, Layer, grouped, planted
from layerctl.photo import Photo
from layerctl.preset import Preset, RecurseSection
from layerctl.preset.recursion import RecursionRule
from layerctl.recursion.splitter import Count, Splitter, TakeApart
from layerctl.texts.prompt import Prompt


def apply_rules(
    document: Document, rules: Sequence[RecursionRule], take_apart: TakeApart
) -> Document:
    """Return the document with groups in the place of the layers that rules are about.

    Of several rules that fit a layer the first counts. Where a split brings nothing the layer
    stays, and the numbers of all others are what they were.
    """
    children = document.children
    for number, layer in document.walk():
        rule = next((rule for rule in rules if fits(rule, number, document)), None)
        if rule:
            canvas = replace(document, children=())
            parts = Splitter(take_apart, canvas, rule.layers, rule.depth).split(layer)
            if parts:
                children = planted(children, number, grouped(layer, parts))
    return replace(document, children=children)


def parts_by(model: Model, preset: Preset, prompt: Prompt | None) -> TakeApart:
    """Return what takes layers apart with a model, by a preset but for the number of layers.

    The preset's rules hold for photos, not for what is split by them.
    """

    def take_apart(photo: Photo, layers: Count) -> Document:
        section = preset.decompose.model_copy(update={"layers": layers})
        asked = preset.model_copy(update={"decompose": section, "recurse": RecurseSection()})
        return model.decompose(photo, asked, prompt).document

    return take_apart


def fits(rule: RecursionRule, number: str, document: Document) -> bool:
    """Say whether a rule is about the layer of that number."""
    layers = dict(document.walk())
    layer = layers[number]
    others = (other for key, other in layers.items() if key != number)
    return (
        str(rule.layer) in (number, layer.role, layer.name)
        and _coverage(layer, document) >= rule.min_coverage
        and (rule.when != "sure" or not (layer.quality and layer.quality.doubts))
        and (rule.when != "alone" or all(other.role != layer.role for other in others))
    )


def _coverage(layer: Layer, document: Document) -> float:
    return float(np.count_nonzero(layer.pixels[..., 3])) / (document.width * document.height)
