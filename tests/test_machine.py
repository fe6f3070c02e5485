"""What a machine has, as Linux tells it."""

import platform
import subprocess
import sys

import pytest

from layerctl import machine


@pytest.fixture(autouse=True)
def linux(monkeypatch, tmp_path):
    """A machine of 8 MB, 4 of it free, in a container with its own files."""
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text("MemTotal: 8000 kB\nMemAvailable: 4000 kB\nHugePages: 0\n")
    return tmp_path


def test_memory_is_what_the_kernel_says():
    assert machine.memory() == machine.Memory(8_192_000, 4_096_000)


def test_a_container_without_a_limit_has_all_of_it(linux):
    (linux / "memory.max").write_text("max\n")
    assert machine.memory().total == 8_192_000


def test_the_limit_of_a_container_counts(linux):
    (linux / "memory.max").write_text("5000000\n")
    (linux / "memory.current").write_text("3000000\n")
    assert machine.memory() == machine.Memory(5_000_000, 2_000_000)


def test_where_linux_says_nothing_there_is_still_an_answer(linux):
    (linux / "meminfo").unlink()
    assert machine.memory().total > 0


def test_copies_of_files_are_given_back_when_needed(linux):
    (linux / "memory.max").write_text("5000000\n")
    (linux / "memory.current").write_text("4900000\n")
    (linux / "memory.stat").write_text("anon 900000\nactive_file 1500000\ninactive_file 2500000\n")
    assert machine.memory() == machine.Memory(5_000_000, 4_096_000)
    (linux / "memory.stat").write_text("active_file 500000\ninactive_file 1500000\n")
    assert machine.memory() == machine.Memory(5_000_000, 2_100_000)


def test_there_is_a_core_to_run_on():
    assert machine.cores() >= 1


MEASURED = """
import resource
from layerctl.machine import keep_memory

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytes(b"x" * (1 << 24))
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_memory()
print(pages(), pages())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another libc is not told")
def test_memory_that_is_freed_is_kept_for_the_next_picture():
    """In a process of its own: the memory of this one is its own affair."""
    answer = subprocess.run(
        [sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True
    )
    first, second = map(int, answer.stdout.split())
    assert second < first / 10


def test_an_older_libc_keeps_as_much_as_it_can(monkeypatch):
    """One that refuses thresholds of more than 32 MiB."""
    told = {}

    class Old:
        def __init__(self, _):
            pass

        def mallopt(self, parameter, value):
            if parameter == machine.MMAP_THRESHOLD and value > 1 << 25:
                return 0
            told[parameter] = value
            return 1

    monkeypatch.setattr(machine.platform, "libc_ver", lambda: ("glibc", "2.31"))
    monkeypatch.setattr(machine.ctypes, "CDLL", Old)
    machine.keep_memory()
    assert told == {-3: 1 << 25, -1: (1 << 31) - 1, -8: 1}


def test_another_libc_is_left_alone(monkeypatch):
    monkeypatch.setattr(machine.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(machine.ctypes, "CDLL", None)
    machine.keep_memory()
