"""What this machine has, found out without loading torch."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")

QUERY = ("--query-gpu=memory.total,memory.free", "--format=csv,noheader,nounits")
MEBIBYTE = 1 << 20


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


def memory(device: str) -> Memory:
    """Return the memory of a device: that of the first NVIDIA GPU for "cuda", else the machine's.

    A container's limit counts where it is lower.
    """
    if device == "cuda" and (found := _gpu_memory()):
        return found
    fields = _meminfo()
    total = fields.get("MemTotal") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = fields.get("MemAvailable", total)
    limit = _number(CGROUP / "memory.max")
    if limit is None or limit >= total:
        return Memory(total, free)
    return Memory(limit, min(free, max(limit - (_number(CGROUP / "memory.current") or 0), 0)))


def _meminfo() -> dict[str, int]:
    """Return the bytes that Linux says there are, nothing elsewhere."""
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    words = (line.split() for line in lines)
    return {name.rstrip(":"): int(amount) * 1024 for name, amount, *_ in words}


def _number(path: Path) -> int | None:
    """Return the number in a file; None if there is no file, or a word such as "max" in it."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _gpu_memory() -> Memory | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed command
            [program, *QUERY], capture_output=True, text=True, check=True, timeout=20
        )
        total, free = answer.stdout.splitlines()[0].split(",")
        return Memory(int(total) * MEBIBYTE, int(free) * MEBIBYTE)
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return None
