"""The sha256 of large files, remembered for as long as they stay as they are."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from os import stat_result
from pathlib import Path

from layerctl.cache import Store
from layerctl.errors import EnvironmentFault
from layerctl.machine import cores

SHA256_DIGITS = 64
SMALL = 1 << 26
"""Bytes that are hashed in no time, every time."""

SETTLED = 2 * 10**9
"""Nanoseconds after which another change of a file shows in its times, on any file system."""

DAYS_KEPT = 90


def sha256_of(paths: Iterable[Path]) -> list[str]:
    """Return the sha256 of each file's content, in hex.

    A large file is read once, and again when its size, times or place on disk have changed.

    Raises:
        EnvironmentFault: A file cannot be read.
    """
    store = Store("sha256", DAYS_KEPT)
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(lambda path: _recalled(path.resolve(), store), paths))


def _recalled(path: Path, store: Store) -> str:
    try:
        stat = path.stat()
        if stat.st_size < SMALL:
            return _computed(path)
        key = _state(path, stat)
        if known := store.get(key):
            return known.decode()
        found = _computed(path)
        if key == _state(path, path.stat()) and _is_settled(stat):
            store.put(key, found.encode())
        return found
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be read: {error.strerror}") from error


def _computed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _state(path: Path, stat: stat_result) -> str:
    """Return a name that is another one as soon as the file is written to or replaced."""
    times = (stat.st_mtime_ns, stat.st_ctime_ns)
    state = repr((str(path), stat.st_dev, stat.st_ino, stat.st_size, *times))
    return hashlib.sha256(state.encode(errors="surrogateescape")).hexdigest()


def _is_settled(stat: stat_result) -> bool:
    return time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > SETTLED
