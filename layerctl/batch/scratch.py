"""A folder beside a file, for what will be moved into its place when all of it is there."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from layerctl.errors import EnvironmentFault

PREFIX = ".layerctl.scratch-"
"""Unlike the scratch folders of a run over many photos, which the next run clears away."""


@contextmanager
def scratch_in(home: Path, finish: Callable[[Path], None]) -> Iterator[Path]:
    """Lend a folder in `home`; whatever happens, `finish` gets it at last, and then it goes.

    If the run is killed, or `finish` fails, it stays for `left_in` to find.

    Raises:
        EnvironmentFault: The disk is full, or `home` cannot be written to.
    """
    try:
        folder = Path(mkdtemp(prefix=PREFIX, dir=home))
        with ExitStack() as holding:
            # Some network file systems have no locks; what is left there stays.
            with suppress(OSError):
                holding.enter_context(_held(folder))
            try:
                yield folder
            finally:
                finish(folder)
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise EnvironmentFault(f"cannot write to {home}: {reason}") from error


def left_in(home: Path) -> Generator[Path, None, None]:
    """Yield the folders that killed runs left in `home`, each held, and gone when the next comes.

    What a run still works in is passed over.
    """
    for folder in home.glob(f"{PREFIX}*"):
        with suppress(OSError), _held(folder):
            yield folder
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder alone; the kernel lets go if we are killed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
