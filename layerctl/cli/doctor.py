"""`layerctl doctor`: can this machine do it, and how fast?"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from layerctl import __version__, console
from layerctl.errors import EnvironmentFault

if TYPE_CHECKING:
    from layerctl.checkpoints import Checkpoint
    from layerctl.preset import Preset

WORKING_MEMORY = 2_500_000_000
"""Bytes beside the weights: 1.8 GB were measured for a photo of 24 megapixels in five layers, torch
included; the rest is for the photo read ahead and those being written."""

TRIAL_SIDE = 1000
"""Side in pixels of the picture that is taken apart to take the time."""


def doctor(
    *,
    model: Annotated[str, typer.Option(metavar="NAME|PATH", help="Checkpoint to try.")] = "mini",
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda|mps", help="Where to try it.")
    ] = "auto",
) -> None:
    """Check this machine: memory, model, speed.

    Exits with 3 if the model is missing, damaged, or does not fit. The seconds are measured.
    """
    from layerctl.checkpoints import examine
    from layerctl.preset import load_preset

    preset = load_preset("default", {"model.name": model, "model.device": device})
    console.table(("machine", ""), _machine())
    console.say("")
    checkpoint = examine(preset.model)
    _require_memory(checkpoint, preset)
    console.say(f"An image of a megapixel takes {_trial(preset):.1f} s, plus writing its files.")


def _machine() -> list[tuple[str, str]]:
    from layerctl import machine

    memory = machine.memory("cpu")
    return [
        ("layerctl", __version__),
        ("Python", f"{machine.python_version()} on {sys.platform}"),
        ("torch", machine.torch_version() or "not installed"),
        ("cores", str(machine.cores())),
        ("memory", f"{_gigabytes(memory.total)}, {_gigabytes(memory.free)} of it free"),
    ]


def _require_memory(checkpoint: Checkpoint, preset: Preset) -> None:
    """Print what the model needs and what is there; refuse if that is less.

    Raises:
        EnvironmentFault: The model does not fit, or the device is not there.
    """
    from layerctl.decompose import choose_device, choose_dtype
    from layerctl.machine import memory

    device = choose_device(preset.model.device)
    dtype = choose_dtype(preset.model.dtype, device)
    needed = checkpoint.parameters * dtype.itemsize + WORKING_MEMORY
    free = memory(device.type).free
    columns = ("model", "parameters", "on disk", "device", "needs", "free")
    sizes = map(_gigabytes, (checkpoint.size, needed, free))
    on_disk, needs, there = sizes
    millions = f"{checkpoint.parameters / 1e6:,.1f} M"
    console.table(columns, [(checkpoint.name, millions, on_disk, device.type, needs, there)])
    if needed > free:
        raise EnvironmentFault(
            f"{checkpoint.name} does not fit: it needs {needs} on {device.type}, {there} are free"
        )


def _trial(preset: Preset) -> float:
    """Return the seconds that a picture takes, the loading of the model not counted."""
    import numpy as np

    from layerctl.decompose import open_decompose
    from layerctl.photo import Photo

    decompose = open_decompose(preset.model)
    pixels = np.full((TRIAL_SIDE, TRIAL_SIDE, 4), 255, np.uint8)
    pixels[300:700, 300:700, :3] = (180, 60, 40)
    started = time.perf_counter()
    decompose(Photo(Path("trial"), pixels, None, None, ()), preset)
    return time.perf_counter() - started


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:,.2f} GB"
