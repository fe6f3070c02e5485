import os
import threading

import pytest

from layerctl.batch.lock import LOCK, hold
from layerctl.errors import Busy, EnvironmentFault


def test_the_second_of_two_is_told_who_is_there(tmp_path):
    with hold(tmp_path), pytest.raises(Busy, match=f"pid {os.getpid()}"), hold(tmp_path):
        pass


def test_the_folder_is_made_and_nothing_stays_in_it(tmp_path):
    with hold(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / LOCK).exists()
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_what_a_dead_run_left_locks_nobody_out(tmp_path):
    (tmp_path / LOCK).write_text("12345")
    with hold(tmp_path):
        assert (tmp_path / LOCK).read_text() == str(os.getpid())
    assert not (tmp_path / LOCK).exists()


def test_an_error_lets_go(tmp_path):
    with pytest.raises(ValueError, match="ours"), hold(tmp_path):
        raise ValueError("ours")
    with hold(tmp_path):
        pass


def test_of_many_at_once_one_is_ever_inside(tmp_path):
    inside, most, refused = 0, 0, 0

    def compete():
        nonlocal inside, most, refused
        for _ in range(200):
            try:
                with hold(tmp_path):
                    inside += 1
                    most = max(most, inside)
                    inside -= 1
            except Busy:
                refused += 1

    threads = [threading.Thread(target=compete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert not (tmp_path / LOCK).exists()


def test_a_folder_that_cannot_be_made_is_a_fault_of_the_environment(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(EnvironmentFault, match=r"cannot write to .*file/out: Not a directory"),
        hold(tmp_path / "file" / "out"),
    ):
        pass


def test_a_file_in_place_of_the_folder_is_a_fault_of_the_environment(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(EnvironmentFault, match="cannot write to"), hold(tmp_path / "out"):
        pass
