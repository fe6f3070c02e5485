"""Files on their way to a disk: when they are there, and how they get to another one."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path


def present(path: Path) -> bool:
    """Say whether a name is taken, be it by a link that leads nowhere."""
    return path.exists() or path.is_symlink()


def sync(path: Path) -> None:
    """Wait until a file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def carry(source: Path, target: Path) -> None:
    """Move a file, to another file system if need be; what arrives there is on disk.

    On its way there it is half-written for a while: `target` should be a name that nobody reads.
    """
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copyfile(source, target)
        sync(target)
