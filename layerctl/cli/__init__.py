"""The command line: values in, exit code out; each command is a thin file here.

Nothing heavy is imported before a command needs it, so help and usage errors are instant.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from layerctl import __version__, console
from layerctl.cli import decompose, doctor, inspect, models, presets, recurse, verify
from layerctl.errors import ExitCode, LayerctlError

BUG = 70
"""Exit code of a failure that is our fault: EX_SOFTWARE of sysexits.h."""

AFTER_SIGNAL = 128

app = typer.Typer(
    name="layerctl",
    help="Product photos in, editable layers out.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("decompose")(decompose.decompose)
app.command("recurse")(recurse.recurse)
app.command("inspect")(inspect.inspect)
app.command("verify")(verify.verify)
app.add_typer(presets.app)
app.add_typer(models.app)
app.command("doctor")(doctor.doctor)


@app.callback()
def layerctl(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Take product photos apart into layers that people can edit."""
    if version:
        console.say(f"layerctl {__version__}")
        raise typer.Exit(ExitCode.DONE)
    if context.invoked_subcommand is None:
        console.page(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; whatever goes wrong becomes one sentence."""
    console.prepare()
    try:
        with _ended_by_signals():
            code = _call(sys.argv[1:] if arguments is None else arguments)
            console.flush()
            return code
    except typer.TyperException as error:
        console.complain(error.format_message())
        return ExitCode.USAGE
    except LayerctlError as error:
        console.complain(*map(str, error.args))
        return error.exit_code
    except KeyboardInterrupt:
        return AFTER_SIGNAL + signal.SIGINT
    except BrokenPipeError:
        return AFTER_SIGNAL + signal.SIGPIPE
    except SystemExit as leaving:
        return int(leaving.code or ExitCode.DONE)
    except Exception as error:  # noqa: BLE001 - the edge of the program
        console.complain(f"{_named(error)}; this is a bug, please report {_record(error)}")
        return BUG


def _call(arguments: Sequence[str]) -> int:
    command = typer.main.get_command(app)
    try:
        with command.make_context("layerctl", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as leaving:
        return leaving.exit_code
    return ExitCode.DONE


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Leave by an exception on SIGTERM and SIGHUP, so that everything on the way is cleared up."""
    caught = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) == signal.SIG_DFL]
    for number in caught:
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


def _leave(number: int, _frame: object) -> None:
    sys.exit(AFTER_SIGNAL + number)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def _record(error: Exception) -> Path:
    """Write the traceback to a file in the folder for temporary files; return its path."""
    text = "".join(traceback.format_exception(error))
    with tempfile.NamedTemporaryFile(
        "w", prefix="layerctl-", suffix=".log", delete=False, errors="backslashreplace"
    ) as file:
        file.write(f"layerctl {__version__}, Python {sys.version}\n{sys.argv}\n{text}")
    return Path(file.name)
