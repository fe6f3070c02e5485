"""What took long is kept in the user's cache folder; without it, things only take long again."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

DAY = 24 * 60 * 60
SUM_BYTES = hashlib.sha256().digest_size


def cache_folder() -> Path | None:
    """Return where this program keeps what it can make again; None for a user without a home."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    with suppress(RuntimeError):
        return (base if base.is_absolute() else Path.home() / ".cache") / "layerctl"
    return None


class Store:
    """Bytes by name, on disk or, where that cannot be written, in memory.

    A file is its content's sha256, then the content: half a file counts as none.
    """

    def __init__(self, name: str, days: int) -> None:
        """Open the store of that name; what nobody asked for in so many days is removed."""
        base = cache_folder()
        self._folder = base / name if base else None
        self._memory: dict[str, bytes] = {}
        self._forget(before=time.time() - days * DAY)

    def get(self, name: str) -> bytes | None:
        """Return what was put under a name, None if it is not there."""
        if name in self._memory or not self._folder:
            return self._memory.get(name)
        path = self._folder / name
        try:
            whole = path.read_bytes()
            with suppress(OSError):
                path.touch()
        except OSError:
            return None
        content = whole[SUM_BYTES:]
        return content if hashlib.sha256(content).digest() == whole[:SUM_BYTES] else None

    def put(self, name: str, content: bytes) -> None:
        """Keep content under a name."""
        try:
            self._write(name, content)
        except OSError:
            self._memory[name] = content

    def _write(self, name: str, content: bytes) -> None:
        if not self._folder:
            raise FileNotFoundError(name)
        self._folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=self._folder, delete=False) as file:
            try:
                file.write(hashlib.sha256(content).digest() + content)
                file.close()
                Path(file.name).replace(self._folder / name)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def _forget(self, before: float) -> None:
        """Remove what was last asked for before a time, half-written files of killed runs too."""
        for path in self._folder.glob("*") if self._folder else ():
            with suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()
