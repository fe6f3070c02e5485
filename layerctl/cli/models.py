"""`layerctl models`: what checkpoints are here, fetch one, verify one."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from layerctl import console
from layerctl.errors import EnvironmentFault, ExitCode, UsageError

COLUMNS = ("model", "parameters", "size", "folder", "note")

app = typer.Typer(
    name="models",
    help="List, fetch and check checkpoints.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.callback()
def models(context: typer.Context) -> None:
    """List, fetch and check checkpoints."""
    if context.invoked_subcommand is None:
        console.page(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


@app.command("list")
def list_() -> None:
    """List the checkpoints that are here: shipped, and in the hub's cache."""
    from layerctl.checkpoints.catalogue import SIZES, here

    found = here()
    console.table(COLUMNS, [_row(name, folder) for name, folder in found.items()])
    for name in SIZES.keys() - found.keys():
        console.say(f"{name} is not here: layerctl models pull {name} fetches it ({SIZES[name]})")


def _row(name: str, folder: Path) -> tuple[str, ...]:
    from layerctl.checkpoints.catalogue import find
    from layerctl.checkpoints.folder import note, weigh

    try:
        checkpoint = weigh(name, find(name))
    except EnvironmentFault as fault:
        return name, "", "", str(folder), str(fault)
    parameters = f"{checkpoint.parameters / 1e6:,.1f} M"
    return name, parameters, f"{checkpoint.size / 1e9:,.2f} GB", str(folder), note(folder)


@app.command()
def check(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME|PATH...", help="Checkpoints to check.")
    ],
) -> None:
    """Say what is wrong in checkpoints, and in which file.

    Every tensor's name, shape and precision is held against the configs, and the content of every
    file against the hash it was downloaded with. Exits with 3 if something is wrong.
    """
    wrong: list[str] = []
    for name in names:
        try:
            wrong += _check(name)
        except EnvironmentFault as fault:
            wrong += fault.args
    if wrong:
        raise EnvironmentFault(*wrong)


def _check(name: str) -> list[str]:
    """Return what is wrong in a checkpoint, or say that it is good."""
    from layerctl.checkpoints.catalogue import find
    from layerctl.checkpoints.folder import files
    from layerctl.checkpoints.hub import is_snapshot, recorded_hash

    folder = find(name)
    from layerctl.network import checkpoint_faults

    faults = checkpoint_faults(folder)
    named = "\n".join(faults)
    whole = [path for path in files(folder) if f"{path} " not in named]
    hashes = {path: known for path in whole if (known := recorded_hash(path, folder))}
    changed = _changed(hashes)
    faults += [f"{path} is not what was downloaded: remove it, fetch it again" for path in changed]
    if not faults:
        told = f"{len(hashes)} files as downloaded" if hashes else "no hashes to compare"
        console.say(f"{name}: good, {told}")
    elif is_snapshot(folder):
        broken = [path for path in files(folder) if path in changed or f"{path} " in named]
        faults += _remedy(name, broken)
    return faults


def _changed(hashes: dict[Path, str]) -> list[Path]:
    """Return the files whose content is not what their hash says; large ones take a while."""
    from layerctl.checkpoints.hub import has_hash

    changed = []
    with console.progress(len(hashes)) as advance:
        for path, recorded in hashes.items():
            if not has_hash(path, recorded):
                changed.append(path)
            advance(path.name)
    return changed


def _remedy(name: str, broken: list[Path]) -> list[str]:
    """Return what makes the hub's tools fetch files again, which they take for whole."""
    blobs = shlex.join(str(path.resolve()) for path in broken)
    return [f"to mend {name}: rm {blobs}; layerctl models pull {name}"] if broken else []


@app.command()
def pull(
    name: Annotated[
        str, typer.Argument(metavar="qwen|ORG/NAME", help="A model of the Hugging Face hub.")
    ],
) -> None:
    """Fetch a checkpoint from the Hugging Face hub: the only command that uses a network.

    What is there already is not fetched again; after a failure, pull again to go on.
    """
    from layerctl.checkpoints import download
    from layerctl.checkpoints.catalogue import ALIASES, find, shipped_checkpoints
    from layerctl.checkpoints.hub import is_repository

    if name in shipped_checkpoints():
        console.say(f"{name} came with layerctl: there is nothing to fetch")
        return
    repository = ALIASES.get(name, name)
    if not is_repository(repository):
        raise UsageError(f"'{name}' is no model of the hub: {_spelling(name)}")
    download.pull(repository, progress=sys.stderr.isatty())
    console.say(f"{name} is here: {find(name)}; layerctl models check {name} verifies it")


def _spelling(name: str) -> str:
    from difflib import get_close_matches

    from layerctl.checkpoints.catalogue import ALIASES

    near = get_close_matches(name, [*ALIASES, *ALIASES.values()], 1)
    return f"did you mean {near[0]}?" if near else "give qwen, or ORG/NAME"
