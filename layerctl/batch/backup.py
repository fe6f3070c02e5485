"""What somebody may miss stays beside what replaces it: as `NAME.bak`, then `NAME.bak2`, and on."""

from __future__ import annotations

import os
import shutil
from itertools import chain, count
from pathlib import Path

from layerctl.batch.disk import present, sync
from layerctl.batch.receipt import sha256_of

ENDING = ".bak"
"""What is put after the name of the file that is replaced; later ones get a number after it."""


def keep(path: Path, temporary: Path) -> Path:
    """Give a file's bytes a backup name besides its own, and return it.

    No backup ever gives way to another. One that has these very bytes serves again: whoever was
    stopped after keeping a file keeps it once.

    Args:
        path: The file, which stays where it is.
        temporary: A name on the same file system, for a copy that is not yet whole.
    """
    for number in chain([""], count(2)):
        backup = path.with_name(f"{path.name}{ENDING}{number}")
        if not present(backup):
            break
        if _same(path, backup):
            return backup
    try:
        os.link(path, backup)
    except OSError:
        # The file system knows no second names for a file.
        shutil.copy2(path, temporary)
        sync(temporary)
        temporary.replace(backup)
    return backup


def _same(one: Path, other: Path) -> bool:
    if not other.is_file() or one.stat().st_size != other.stat().st_size:
        return False
    return sha256_of(one) == sha256_of(other)
