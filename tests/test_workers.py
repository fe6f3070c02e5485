"""Work on all cores at once."""

import threading

import pytest

from layerctl import workers
from layerctl.workers import THREADS, work_on


def test_results_come_in_the_order_of_their_items_whichever_is_done_first(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 2)
    another_is_done = threading.Event()

    def work(item):
        if item == 0:
            assert another_is_done.wait(10)
        another_is_done.set()
        return item * item

    assert work_on(range(5), work) == [0, 1, 4, 9, 16]


def test_no_more_items_are_worked_on_at_once_than_there_are_cores_and_room_for(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 64)
    together, lock, most = [0], threading.Lock(), [0]
    all_there = threading.Barrier(THREADS)

    def work(_):
        with lock:
            together[0] += 1
            most[0] = max(most[0], together[0])
        all_there.wait(10)
        with lock:
            together[0] -= 1

    work_on(range(3 * THREADS), work)
    assert most == [THREADS]


def test_work_that_fails_is_told_of():
    def work(item):
        if item > 1:
            raise ValueError(item)

    with pytest.raises(ValueError, match="2"):
        work_on(range(4), work)
