"""Presets: what a run can be told, read from YAML, checked key by key."""

from layerctl.preset.recursion import RecurseSection
from layerctl.preset.resolution import (
    Resolved,
    load_preset,
    preset_folder,
    resolve,
    shipped,
)
from layerctl.preset.sections import (
    BatchSection,
    DecomposeSection,
    ExportSection,
    LoraSection,
    ModelSection,
    NamesSection,
    Preset,
    QualitySection,
    RefineSection,
    digest,
)
from layerctl.preset.wording import schema

__all__ = [
    "BatchSection",
    "DecomposeSection",
    "ExportSection",
    "LoraSection",
    "ModelSection",
    "NamesSection",
    "Preset",
    "QualitySection",
    "RecurseSection",
    "RefineSection",
    "Resolved",
    "digest",
    "load_preset",
    "preset_folder",
    "resolve",
    "schema",
    "shipped",
]
