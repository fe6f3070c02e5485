"""One run at a time on an output folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from layerctl.errors import Busy, EnvironmentFault

LOCK = ".layerctl.lock"


@contextmanager
def hold(out: Path) -> Iterator[None]:
    """Make the output folder if need be and hold it alone; the kernel lets go if we are killed.

    Raises:
        Busy: Another run holds it.
        EnvironmentFault: It cannot be made or written to.
    """
    path = out / LOCK
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = _acquire(path)
    except OSError as error:
        raise EnvironmentFault(f"cannot write to {out}: {error.strerror}") from error
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _acquire(path: Path) -> IO[str]:
    """Return the locked file, our process number in it."""
    while True:
        file = path.open("a+")
        if not _locked(file):
            with file:
                file.seek(0)
                raise Busy(f"another run holds {path.parent} (pid {file.read() or 'unknown'})")
        if _names(path, file):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            return file
        file.close()


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _names(path: Path, file: IO[str]) -> bool:
    """Say whether the path is this file's: its last holder may have removed it meanwhile."""
    try:
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False
