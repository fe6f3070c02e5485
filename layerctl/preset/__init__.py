"""Presets: what a run can be told, read from YAML, checked key by key."""

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
    "ModelSection",
    "NamesSection",
    "Preset",
    "QualitySection",
    "RefineSection",
    "Resolved",
    "digest",
    "load_preset",
    "preset_folder",
    "resolve",
    "schema",
    "shipped",
]
