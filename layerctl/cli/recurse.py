"""`layerctl recurse`: a layer of a PSD becomes a group of layers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from layerctl import console
from layerctl.cli import flags
from layerctl.errors import EnvironmentFault, ExitCode, LayerctlError, UsageError

if TYPE_CHECKING:
    from layerctl.preset import Resolved
    from layerctl.recursion.psd_file import Result
    from layerctl.recursion.splitter import TakeApart

SUFFIXES = {".psd", ".psb"}
"""What the names of files that can be split end in."""

SEPARATORS = (os.sep, os.altsep or os.sep)
"""What a name that ends in it says of itself: it is a folder's."""


def recurse(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE.psd", help="PSD and PSB files of any maker.", readable=False),
    ],
    *,
    layer: Annotated[
        str,
        typer.Option(
            metavar="NUMBER|NAME|PATH",
            help="The layer: 2, 2/1 (as in inspect), its name, or the names on the way to it.",
        ),
    ],
    depth: Annotated[
        int, typer.Option(min=1, max=5, help="How often to split: its parts, theirs, ...")
    ] = 1,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE|DIR",
            help="Where to write, instead of in place: a folder unless it ends in .psd or .psb.",
        ),
    ] = None,
    no_backup: Annotated[
        bool, typer.Option("--no-backup", help="Keep no FILE.psd.bak of what is replaced.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what is there already, with --out.")
    ] = False,
    preset: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A shipped preset, or your own.")
    ] = "default",
    prompt: flags.Text = None,
    layers: flags.Layers = None,
    model: flags.Model = None,
    seed: flags.Seed = None,
    steps: flags.Steps = None,
    guidance: flags.Guidance = None,
    resolution: flags.Resolution = None,
    device: flags.Device = None,
    dtype: flags.Dtype = None,
    quantize: flags.Quantize = None,
    offload: flags.Offload = None,
) -> None:
    """Split one layer of a PSD into a group of layers that gives it back exactly.

    Every other byte of the file stays. The group has the layer's name, place, opacity, blend mode,
    mask and visibility. The file is replaced as a whole or not at all, and kept as FILE.psd.bak.
    """
    from layerctl.preset import resolve
    from layerctl.recursion.psd_file import Order, check
    from layerctl.recursion.psd_file import recurse as split

    resolved = resolve(preset, flags.overrides(locals()))
    chosen = resolved.preset
    order = Order(
        layer=layer,
        layers=chosen.decompose.layers,
        depth=depth,
        least=chosen.quality.min_coverage,
        compression=chosen.export.psd.compression,
        out=_place(out, files),
        backup=not no_backup,
        force=force,
    )
    failures: dict[Path, Exception] = {}
    for file in files:
        with _noted(failures, file):
            check(file, order)
    ready = [file for file in files if file not in failures]
    if ready:
        take_apart = _open(resolved)
        for file in ready:
            with _noted(failures, file):
                _tell(file, split(file, order, take_apart))
    _end(failures, one=len(files) == 1)


@contextmanager
def _noted(failures: dict[Path, Exception], file: Path) -> Iterator[None]:
    """Say why a file fails, so that the others go on; some things are no file's own fault."""
    try:
        yield
    except (UsageError, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - one file never stops the others
        failures[file] = error
        known = isinstance(error, LayerctlError)
        console.complain(f"{file}: {error if known else type(error).__name__}")


def _end(failures: Mapping[Path, Exception], *, one: bool) -> None:
    """Leave with the exit code of what failed; what nobody expected is for the edge to report."""
    for failure in failures.values():
        if not isinstance(failure, LayerctlError):
            raise failure
        if one:
            raise typer.Exit(failure.exit_code)
    if failures:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _place(given: str | None, files: Sequence[Path]) -> Path | None:
    """Return where results go; a folder is made."""
    if given is None:
        return None
    out = Path(given)
    folder = len(files) > 1 or _means_folder(given)
    if folder and out.exists() and not out.is_dir():
        needed = f", and {len(files)} files need a folder" if len(files) > 1 else ", not a folder"
        raise UsageError(f"--out: {out} is a file{needed}")
    if len({file.name for file in files}) < len(files):
        raise UsageError("--out: some of the files have the same name; split them one by one")
    try:
        (out if folder else out.parent).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"cannot write to {out}: {error.strerror}") from error
    return out


def _means_folder(given: str) -> bool:
    """Tell a folder that may have to be made from a file, by its name and what is there."""
    out = Path(given)
    if given.endswith(SEPARATORS):
        return True
    return out.suffix.lower() not in SUFFIXES and not out.is_file()


def _open(resolved: Resolved) -> TakeApart:
    """Open the model, say what it is good for, and return what takes pictures apart with it."""
    from layerctl.checkpoints.catalogue import checkpoint_folder
    from layerctl.checkpoints.folder import note
    from layerctl.decompose import open_model
    from layerctl.recursion.rules import parts_by

    preset, prompt = resolved.preset, flags.prompt_given(resolved)
    if limits := note(checkpoint_folder(preset.model)):
        console.say(limits)
    model = open_model(preset)
    if prompt:
        model.prepare([prompt], preset)
    return parts_by(model, preset, prompt)


def _tell(file: Path, result: Result) -> None:
    from layerctl.document import Layer, numbered

    layer = f"layer {result.layer.number}, {result.layer.name}"
    if not result.parts:
        copied = f"; copied as it is -> {result.target}" if result.copied else ""
        console.say(f"same  {file}: the model finds no parts in {layer}{copied}")
        return
    place = "" if result.backup or result.target == file.resolve() else f" -> {result.target}"
    console.say(f"done  {file}: {layer}, is a group of {len(result.parts)} layers now{place}")
    for number, node in numbered(result.parts, f"{result.layer.number}/"):
        quality = node.quality if isinstance(node, Layer) else None
        doubts = f": {'; '.join(quality.doubts)}" if quality and quality.doubts else ""
        console.say(f"      {number}  {node.name}{doubts}")
    if result.backup:
        console.say(f"      as it was: {result.backup}")
