"""Everything the user sees: lines, tables, progress, errors, the JSON log. The only user of Rich.

Results go to stdout, errors and progress to stderr. Whatever a file or layer is called, a line
stays one line, and no control character reaches the terminal.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TextIO

from layerctl.errors import EnvironmentFault

STDOUT = 1
"""The file descriptor that everything but errors and progress goes to."""

WIDEST = 10_000
"""Columns of a table that nobody sees on a terminal: nothing is cut or wrapped."""


def prepare() -> None:
    """Make stdout and stderr take any text: what they cannot spell is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Hand everything printed so far to its reader.

    Raises:
        BrokenPipeError: The reader is gone.
        EnvironmentFault: It cannot be written, for want of space for one.
    """
    if sys.stdout is not None:
        with _printing():
            sys.stdout.flush()


def say(text: str) -> None:
    """Print one line on stdout.

    Raises:
        BrokenPipeError: The reader is gone.
        EnvironmentFault: It cannot be written, for want of space for one.
    """
    with _printing():
        print(one_line(text))  # noqa: T201 - the one place that prints


@contextmanager
def _printing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # What is still buffered goes nowhere, or Python would fail again while it exits.
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), STDOUT)
        if isinstance(error, BrokenPipeError):
            raise
        raise EnvironmentFault(f"cannot print: {error.strerror}") from error


def page(text: str) -> None:
    """Print text that is meant to have many lines on stdout."""
    for line in text.splitlines():
        say(line)


def complain(*sentences: str) -> None:
    """Print errors on stderr, a line each, under the name of the program."""
    for sentence in sentences:
        print(f"layerctl: {one_line(sentence)}", file=sys.stderr)  # noqa: T201 - as above


def say_json(fields: Mapping[str, object]) -> None:
    """Print one JSON object as a line on stdout, in ASCII."""
    say(json.dumps(fields))


def one_line(text: str) -> str:
    r"""Return text with line breaks and control characters spelled as escapes (\n, \x1b)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their column names, aligned."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="")
    for column in columns:
        grid.add_column(column, no_wrap=True)
    for row in rows:
        grid.add_row(*(Text(one_line(cell)) for cell in row))
    printer = Console(width=None if _is_terminal(sys.stdout) else WIDEST)
    with printer.capture() as captured:
        printer.print(grid)
    for line in captured.get().splitlines():
        say(line.rstrip())


class Advance(Protocol):
    """What is called as images are over."""

    def __call__(self, name: str, over: int = 1) -> None:
        """Show a name, and so many images more as over."""


@contextmanager
def progress(total: int, *, shown: bool = True) -> Iterator[Advance]:
    """Show how many of `total` images are over, on a terminal only.

    Yields:
        A function to call with the name of each image as it is over.
    """
    if not (shown and _is_terminal(sys.stderr)):
        yield lambda name, over=1: None  # noqa: ARG005 - nobody looks
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        MofNCompleteColumn(),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
        redirect_stdout=_is_terminal(sys.stdout),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=total)
        yield lambda name, over=1: bar.update(task, advance=over, description=one_line(name))


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
