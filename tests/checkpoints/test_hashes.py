"""Large files are hashed once, and again as soon as anything about them changes."""

import hashlib
import os
import shutil
import threading
from pathlib import Path

import pytest

from layerctl.checkpoints import hashes
from layerctl.checkpoints.hashes import sha256_of
from layerctl.errors import EnvironmentFault

HOUR = 3600 * 10**9


@pytest.fixture
def reads(monkeypatch):
    """Take every file for a large one, and note which are read."""
    found = []
    compute = hashes._computed

    def computed(path):
        found.append(path)
        return compute(path)

    monkeypatch.setattr(hashes, "SMALL", 0)
    monkeypatch.setattr(hashes, "_computed", computed)
    return found


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file that was written an hour ago: its change time cannot be set, so the clock is."""
    path = tmp_path / "weights"
    path.write_bytes(b"as they were")
    now = hashes.time.time_ns
    monkeypatch.setattr(hashes.time, "time_ns", lambda: now() + HOUR)
    return path


def truth(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_large_file_is_read_once(file, reads):
    assert [sha256_of([file])[0] for _ in range(3)] == [truth(file)] * 3
    assert len(reads) == 1


def test_small_files_are_read_every_time_and_leave_nothing(file, own_cache):
    assert sha256_of([file]) == [truth(file)]
    assert not own_cache.exists()


def rewrite(path):
    path.write_bytes(b"as they ARE!")


def rewrite_and_set_the_time_back(path):
    before = path.stat()
    rewrite(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_by_a_copy_of_the_same_age(path):
    other = path.with_name("other")
    other.write_bytes(b"as they ARE!")
    shutil.copystat(path, other)
    other.replace(path)


def append(path):
    with path.open("ab") as file:
        file.write(b"!")


@pytest.mark.parametrize(
    "change", [rewrite, rewrite_and_set_the_time_back, replace_by_a_copy_of_the_same_age, append]
)
@pytest.mark.usefixtures("reads")
def test_a_changed_file_is_noticed(file, change):
    before = sha256_of([file])
    change(file)
    assert sha256_of([file]) == [truth(file)] != before


def test_what_was_written_just_now_is_not_remembered(tmp_path, reads):
    path = tmp_path / "weights"
    path.write_bytes(b"new")
    sha256_of([path])
    sha256_of([path])
    assert len(reads) == 2


def test_a_link_is_remembered_with_its_file(file, reads):
    link = file.with_name("link")
    link.symlink_to(file)
    assert sha256_of([file, link]) == [truth(file)] * 2
    assert sha256_of([link]) == [truth(file)]
    assert set(reads) == {file}


def test_a_lost_or_spoilt_memory_costs_time_only(file, reads, own_cache):
    sha256_of([file])
    for entry in own_cache.rglob("*"):
        if entry.is_file():
            entry.write_bytes(b"0" * 64)
    assert sha256_of([file]) == [truth(file)]
    shutil.rmtree(own_cache)
    assert sha256_of([file]) == [truth(file)]
    assert len(reads) == 3


@pytest.mark.usefixtures("reads")
def test_a_home_that_cannot_be_written_to_is_no_obstacle(file, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert sha256_of([file]) == [truth(file)]


@pytest.mark.usefixtures("reads")
def test_runs_at_the_same_time_do_not_disturb_each_other(file):
    found = []
    runs = [threading.Thread(target=lambda: found.extend(sha256_of([file] * 5))) for _ in range(6)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert found == [truth(file)] * 30


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(EnvironmentFault, match=r"nowhere cannot be read: No such file"):
        sha256_of([tmp_path / "nowhere"])
    with pytest.raises(EnvironmentFault, match="cannot be read"):
        sha256_of([Path("/")])
