"""Threads that share the cores: most of what NumPy and OpenCV do needs no Python meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from layerctl.machine import cores

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS = 4
"""Items worked on at once at most: each takes its share of memory."""


def work_on(items: Iterable[Item], work: Callable[[Item], Result]) -> list[Result]:
    """Return what work makes of each item, in their order; a few are worked on at once.

    Raises:
        Exception: Work on one of them failed; the first failure of all, in their order.
    """
    with ThreadPoolExecutor(min(cores(), THREADS)) as pool:
        return list(pool.map(work, items))
