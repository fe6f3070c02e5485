"""Scratch folders come and go, and those of killed runs go too."""

import fcntl
import os

import pytest

from layerctl.errors import EnvironmentFault
from layerctl.scratch import PREFIX, scratch_in


def left_behind(home, name="left"):
    folder = home / f"{PREFIX}{name}"
    folder.mkdir()
    (folder / "half a file").write_text("8BPS")
    return folder


def test_it_is_there_while_it_is_needed(tmp_path):
    with scratch_in(tmp_path) as folder:
        assert folder.parent == tmp_path
        (folder / "a").write_text("a")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    left_behind(tmp_path)
    with scratch_in(tmp_path):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_another_run_works_in_stays(tmp_path):
    folder = left_behind(tmp_path)
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with scratch_in(tmp_path):
        pass
    os.close(descriptor)
    assert (folder / "half a file").exists()


def test_a_folder_that_cannot_be_written_to_is_the_machines_fault(tmp_path):
    missing = tmp_path / "none"
    with pytest.raises(EnvironmentFault, match="none: No such file"), scratch_in(missing):
        pass


def test_a_full_disk_is_the_machines_fault_and_leaves_nothing(tmp_path):
    with pytest.raises(EnvironmentFault, match="No space left"), scratch_in(tmp_path):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []
