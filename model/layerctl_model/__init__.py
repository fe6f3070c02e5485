"""The network of layerctl: a picture tensor goes in, RGBA layer tensors come out.

Names are imported when first used, so that a checkpoint can be examined without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layerctl_model.decomposer import Decomposer, load
    from layerctl_model.folder import CheckpointError
    from layerctl_model.settings import Profile, Settings, read_profile

__all__ = [
    "CheckpointError",
    "Decomposer",
    "Profile",
    "Settings",
    "load",
    "read_profile",
]

_HOMES = {
    "CheckpointError": "folder",
    "Decomposer": "decomposer",
    "Profile": "settings",
    "Settings": "settings",
    "load": "decomposer",
    "read_profile": "settings",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
