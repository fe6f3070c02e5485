"""`layerctl presets`: what is shipped, what a preset means, what is wrong with mine."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from layerctl import console
from layerctl.cli import flags
from layerctl.errors import ExitCode

app = typer.Typer(
    name="presets",
    help="List, show and check presets.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A shipped preset, or a file.")]


@app.callback()
def presets(context: typer.Context) -> None:
    """List, show and check presets."""
    if context.invoked_subcommand is None:
        console.page(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


@app.command("list")
def list_() -> None:
    """List the shipped presets."""
    from layerctl.preset import load_preset, shipped

    console.table(("preset", "for"), [(name, load_preset(name).about) for name in shipped()])


@app.command()
def show(
    name: Name = "default",
    *,
    prompt: flags.Text = None,
    layers: flags.Layers = None,
    psd: flags.Psd = False,
    pptx: flags.Pptx = False,
    png: flags.Png = False,
    model: flags.Model = None,
    seed: flags.Seed = None,
    steps: flags.Steps = None,
    guidance: flags.Guidance = None,
    resolution: flags.Resolution = None,
    device: flags.Device = None,
    dtype: flags.Dtype = None,
    quantize: flags.Quantize = None,
    offload: flags.Offload = None,
    lora: flags.Lora = None,
    jobs: flags.Jobs = None,
    max_minutes: flags.MaxMinutes = None,
    fail_fast: flags.FailFast = False,
) -> None:
    """Print every key, and where its value is from.

    The flags are those of decompose; the output is a preset in itself.
    """
    given = flags.overrides(locals())
    from layerctl.preset import resolve
    from layerctl.preset.listing import written

    console.page(written(resolve(name, given)))


@app.command()
def check(
    names: Annotated[list[str], typer.Argument(metavar="NAME|FILE...", help="Presets to check.")],
) -> None:
    """Say what is wrong in presets, and where."""
    from layerctl.errors import PresetError
    from layerctl.preset import load_preset

    wrong: list[str] = []
    for name in names:
        try:
            load_preset(name)
            console.say(f"{name}: good")
        except PresetError as error:
            wrong += error.args
    if wrong:
        raise PresetError(*wrong)


@app.command()
def schema() -> None:
    """Print the JSON Schema of presets, for editors."""
    from layerctl.preset import schema as content

    console.page(json.dumps(content(), indent=2))
