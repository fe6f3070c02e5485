"""Scratch folders come and go, and those of killed runs go too."""

import pytest

from layerctl.batch.scratch import PREFIX, left_in, scratch_in
from layerctl.errors import EnvironmentFault


def left_behind(home, name="left"):
    folder = home / f"{PREFIX}{name}"
    folder.mkdir()
    (folder / "half a file").write_text("8BPS")
    return folder


def nothing(_):
    """Finish nothing."""


def test_it_is_there_while_it_is_needed(tmp_path):
    with scratch_in(tmp_path, nothing) as folder:
        assert folder.parent == tmp_path
        (folder / "a").write_text("a")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_shown_once_and_cleared_away(tmp_path):
    folder = left_behind(tmp_path)
    assert [(found, found.exists()) for found in left_in(tmp_path)] == [(folder, True)]
    assert list(tmp_path.iterdir()) == []


def test_it_is_finished_whatever_happens(tmp_path):
    found = []
    with (
        pytest.raises(ZeroDivisionError),
        scratch_in(tmp_path, lambda folder: found.append(folder.exists())),
    ):
        raise ZeroDivisionError
    assert found == [True]
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_finished_stays(tmp_path):
    def fail(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), scratch_in(tmp_path, fail):
        pass
    assert len(list(left_in(tmp_path))) == 1


def test_what_another_run_works_in_stays(tmp_path):
    with scratch_in(tmp_path, nothing) as folder:
        assert list(left_in(tmp_path)) == []
        assert folder.exists()


def test_what_nobody_could_finish_stays_for_the_next(tmp_path):
    folder = left_behind(tmp_path)
    found = left_in(tmp_path)
    next(found)
    found.close()
    assert (folder / "half a file").exists()


def test_a_folder_that_cannot_be_written_to_is_the_machines_fault(tmp_path):
    missing = tmp_path / "none"
    with pytest.raises(EnvironmentFault, match="none: No such file"), scratch_in(missing, nothing):
        pass


def test_a_full_disk_is_the_machines_fault_and_leaves_nothing(tmp_path):
    with pytest.raises(EnvironmentFault, match="No space left"), scratch_in(tmp_path, nothing):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []
