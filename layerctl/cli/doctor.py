"""`layerctl doctor`: can this machine do it, and how fast?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from layerctl import __version__, console
from layerctl.cli import flags
from layerctl.errors import EnvironmentFault

if TYPE_CHECKING:
    from layerctl.fit import Room
    from layerctl.network import Plan, Settings, Setup
    from layerctl.photo import Photo
    from layerctl.preset import Preset

PHOTOS = 1_500_000_000
"""Bytes of the machine's memory for the photo in work, the one read ahead and those being written:
1.8 GB were measured for a photo of 24 megapixels in five layers, torch included."""

TRIAL_SIDE = 1000
"""Side in pixels of the picture that is taken apart to take the time."""

COLUMNS = ("plan", "quantize", "blocks on the device", "device needs", "host needs", "")


def doctor(
    *,
    model: Annotated[str, typer.Option(metavar="NAME|PATH", help="Checkpoint to try.")] = "mini",
    device: flags.Device = None,
    dtype: flags.Dtype = None,
    quantize: flags.Quantize = None,
    offload: flags.Offload = None,
    layers: flags.Layers = None,
    resolution: flags.Resolution = None,
) -> None:
    """Check this machine: memory, model, speed.

    Lists the ways to run the model with the memory each needs, and which one a run would take.
    Exits with 3 if the model is missing, damaged, or does not fit. The seconds are measured.
    """
    from layerctl.preset import load_preset

    preset = load_preset("default", flags.overrides(locals()))
    console.table(("machine", ""), _machine())
    console.say("")
    settings = _require_memory(preset)
    seconds = _trial(preset, settings.steps)
    console.say(f"An image of a megapixel takes {seconds:.1f} s, plus writing its files.")


def _machine() -> list[tuple[str, str]]:
    from layerctl import machine
    from layerctl.machine import gigabytes

    memory = machine.memory()
    return [
        ("layerctl", __version__),
        ("Python", f"{machine.python_version()} on {sys.platform}"),
        ("torch", machine.torch_version() or "not installed"),
        ("cores", str(machine.cores())),
        ("memory", f"{gigabytes(memory.total)}, {gigabytes(memory.free)} of it free"),
    ]


def _require_memory(preset: Preset) -> Settings:
    """Print what the model needs and what is there; return the settings it would run with.

    Raises:
        EnvironmentFault: The model is missing or damaged, or does not fit, or the device is not
            there.
    """
    from layerctl import fit, network
    from layerctl.checkpoints.catalogue import examine
    from layerctl.decompose import checked_setup, largest
    from layerctl.machine import gigabytes

    setup, checkpoint = checked_setup(preset.model), examine(preset.model)
    settings = largest(preset, network.profile(setup))
    here = fit.room(setup.device)
    allowed = fit.allowed_plans(setup, settings, preset.model)
    console.table(
        ("model", "parameters", "on disk", "device", "precision", "free"),
        [
            (
                checkpoint.name,
                f"{checkpoint.parameters / 1e6:,.1f} M",
                gigabytes(checkpoint.size),
                setup.device,
                setup.dtype,
                fit.amounts(here.device, here.host),
            )
        ],
    )
    console.say("")
    console.table(COLUMNS, list(_plans(setup, settings, here, fit.fitting_plan(allowed, here))))
    console.say("")
    _require_photos(fit.require_plan(allowed, here, checkpoint.name), here)
    return settings


def _plans(
    setup: Setup, settings: Settings, here: Room, taken: Plan | None
) -> Iterator[tuple[str, ...]]:
    """Yield a row for each kind of plan, as it needs the least, and for the taken one."""
    from layerctl import fit, network
    from layerctl.machine import gigabytes

    for quantize in ("none", "fp8"):
        plans = network.possible_plans(setup, settings, quantized=quantize == "fp8")
        least = network.outline(plans)
        for plan in (plan for plan in plans if plan in least or plan == taken):
            if plan.host_bytes and not here.host:
                continue  # device and host are one: nothing can wait in the other
            fits = fit.fitting_plan([plan], here) is not None
            yield (
                plan.name,
                quantize,
                f"{plan.resident_blocks} of {plan.blocks}",
                gigabytes(max(plan.device_bytes, plan.text_bytes)),
                gigabytes(plan.host_bytes),
                "taken" if plan == taken else "fits" if fits else "does not fit",
            )


def _require_photos(plan: Plan, here: Room) -> None:
    """Refuse if there is no room for photos beside a plan.

    Raises:
        EnvironmentFault: There is none.
    """
    from layerctl.machine import gigabytes, memory

    needed = PHOTOS + (plan.host_bytes if here.host else plan.device_bytes)
    free = memory().free
    if needed > free:
        raise EnvironmentFault(
            f"with photos of 24 megapixels this needs {gigabytes(needed)} of the machine's "
            f"memory, {gigabytes(free)} are free"
        )


def _trial(preset: Preset, steps: int) -> float:
    """Return the seconds that a picture takes in so many steps, the loading not counted.

    Two steps tell it: they may take minutes each.
    """
    from layerctl.decompose import open_model
    from layerctl.texts.prompt import Prompt

    model, photo, prompt = open_model(preset), _picture(), Prompt("a red square", "flag")

    def seconds(steps: int) -> float:
        section = preset.decompose.model_copy(update={"steps": steps})
        shortened = preset.model_copy(update={"decompose": section})
        return sum(model.decompose(photo, shortened, prompt).seconds.values())

    seconds(1)  # the first one warms everything up
    once, twice = seconds(1), seconds(2)
    return once + (steps - 1) * max(twice - once, 0)


def _picture() -> Photo:
    import numpy as np

    from layerctl.photo import Photo

    pixels = np.full((TRIAL_SIDE, TRIAL_SIDE, 4), 255, np.uint8)
    pixels[300:700, 300:700, :3] = (180, 60, 40)
    return Photo(Path("trial"), pixels)
