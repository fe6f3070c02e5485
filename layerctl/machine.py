"""What this machine has, found out without loading torch."""

from __future__ import annotations

import ctypes
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

MMAP_THRESHOLD, TRIM_THRESHOLD, ARENA_MAX = -3, -1, -8
"""Parameters of mallopt(3)."""

MOST, SAFE = (1 << 31) - 1, 1 << 25
"""The largest value of a parameter, in bytes, and the largest threshold in older versions."""

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class Memory:
    """Bytes that there are, and that are free."""

    total: int
    free: int


def python_version() -> str:
    """Return the version of the running Python."""
    return platform.python_version()


def torch_version() -> str | None:
    """Return the version of the installed torch, None without it."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return None


def cores() -> int:
    """Return how many CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_memory() -> None:
    """Keep what is freed for what comes next, in one pool for all threads.

    Pictures come and go by the megabyte, and a system takes its time over every new page. glibc
    alone is told, by its mallopt(3); other libraries go on as they do.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        # With its other threshold told, this one would no longer grow by itself.
        if not mallopt(MMAP_THRESHOLD, MOST):
            mallopt(MMAP_THRESHOLD, SAFE)
        mallopt(TRIM_THRESHOLD, MOST)
        mallopt(ARENA_MAX, 1)


def gigabytes(size: float) -> str:
    """Return a number of bytes as people say it: "23.50 GB"."""
    return f"{size / 1e9:,.2f} GB"


def memory() -> Memory:
    """Return the machine's memory; a container's limit counts where it is lower."""
    fields = _meminfo()
    total = fields.get("MemTotal") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = fields.get("MemAvailable", total)
    limit = _number(CGROUP / "memory.max")
    if limit is None or limit >= total:
        return Memory(total, free)
    return Memory(limit, min(free, max(limit - _used(), 0)))


def _used() -> int:
    """Return the bytes that a container uses and cannot give back: copies of files it can."""
    copies = _fields(CGROUP / "memory.stat")
    reclaimable = copies.get("active_file", 0) + copies.get("inactive_file", 0)
    return max((_number(CGROUP / "memory.current") or 0) - reclaimable, 0)


def _meminfo() -> dict[str, int]:
    """Return the bytes that Linux says there are, nothing elsewhere."""
    return {name: number * 1024 for name, number in _fields(MEMINFO).items()}


def _fields(path: Path) -> dict[str, int]:
    """Return the numbers in a file of lines such as "MemTotal: 8000 kB"; none without a file."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        words = (line.split() for line in lines)
        return {name.rstrip(":"): int(number) for name, number, *_ in words}
    except (OSError, ValueError):
        return {}


def _number(path: Path) -> int | None:
    """Return the number in a file; None if there is no file, or a word such as "max" in it."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
