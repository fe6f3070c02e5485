"""Photos in line: one is read ahead, one is taken apart, a few are written behind."""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from math import inf
from threading import Event
from typing import TypeVar

from layerctl.batch import Model
from layerctl.batch.outcome import Outcome, Outcomes
from layerctl.batch.plan import Job
from layerctl.batch.stages import Batch, Drawn, Opened, deliver, draw, open_photo, subject
from layerctl.errors import EnvironmentFault, LayerctlError, UsageError
from layerctl.photo import Photo
from layerctl.texts.prompt import Prompt

T = TypeVar("T")
R = TypeVar("R")


def stream(jobs: Sequence[Job], batch: Batch, model: Model) -> Outcomes:
    """Yield what becomes of each photo, in order; one that fails stops no other.

    First come the texts of all photos, if the model reads any. The model works in the calling
    thread. At most 2 photos and `batch.jobs` + 1 documents are in memory, however many there are.

    Raises:
        EnvironmentFault: The output cannot be written to; what is finished stays so.
        UsageError: The model cannot do what the preset asks.
    """
    line, writers = _Line(batch, model, jobs), batch.preset.batch.jobs
    with _threads(1) as reading, _threads(writers) as writing, closing(line):
        # Texts have a line of their own: what fails there has not had its turn here.
        asked = zip(jobs, _ahead(reading, _Line(batch, model, jobs).ask, jobs), strict=True)
        model.prepare(_subjects(asked, batch.on_text), batch.preset)
        opened = _ahead(reading, line.open, jobs)
        drawn = map(line.draw, opened)
        yield from _behind(writing, line.deliver, drawn, writers)


class _Abandoned(Exception):  # noqa: N818 - nobody waits to see it
    """The run is over; what is being written is left to the next one."""


class _Line:
    """The stages, each letting an early outcome through, and what stops them."""

    def __init__(self, batch: Batch, model: Model, jobs: Sequence[Job]) -> None:
        self._batch = batch
        self._model = model
        self._place = {job: place for place, job in enumerate(jobs)}
        self._first_failed = inf
        self._over = Event()

    def ask(self, job: Job) -> Prompt | Photo | Outcome:
        return self._begin(job, partial(subject, job, self._batch))

    def open(self, job: Job) -> Opened | Outcome:
        with_text = self._model.reads_text
        return self._begin(job, partial(open_photo, job, self._batch, with_text=with_text))

    def draw(self, item: Opened | Outcome) -> Drawn | Outcome:
        if isinstance(item, Outcome):
            return item
        return self._begin(item.job, partial(draw, item, self._model, self._batch.preset))

    def deliver(self, item: Drawn | Outcome) -> Outcome:
        if isinstance(item, Outcome):
            return item
        made = self._attempt(item.job, partial(deliver, item, self._batch, self._carry_on))
        return made if isinstance(made, Outcome) else Outcome(item.job, "done", made)

    def close(self) -> None:
        """Make writers that are still at work give up."""
        self._over.set()

    def _carry_on(self) -> None:
        if self._over.is_set():
            raise _Abandoned

    def _begin(self, job: Job, work: Callable[[], T]) -> T | Outcome:
        """Attempt the work, unless nothing more is to be begun."""
        if time.monotonic() >= self._batch.deadline:
            return Outcome(job, "left", reason="the time is up")
        # Photos are read ahead: one may fail before the work on an earlier one is begun.
        if self._place[job] > self._first_failed and self._batch.preset.batch.fail_fast:
            return Outcome(job, "left", reason="another photo failed")
        return self._attempt(job, work)

    def _attempt(self, job: Job, work: Callable[[], T]) -> T | Outcome:
        """Return what the work returns, or the outcome of a photo that is its own undoing."""
        try:
            return work()
        except (EnvironmentFault, UsageError, _Abandoned):
            raise
        except LayerctlError as error:
            outcome = Outcome(job, "failed", reason=str(error))
        except Exception as error:  # noqa: BLE001 - one photo never stops the night
            named = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
            outcome = Outcome(job, "failed", reason=named, trace=traceback.format_exc())
        self._first_failed = min(self._first_failed, self._place[job])
        return outcome


def _subjects(
    asked: Iterable[tuple[Job, Prompt | Photo | Outcome]], on_text: Callable[[Job], None]
) -> Iterator[Prompt | Photo]:
    """Yield what can be put into words, until nothing more is to be begun.

    A bad photo is passed over in silence: it fails again, and is told of, when its turn comes.
    """
    for job, found in asked:
        if not isinstance(found, Outcome):
            on_text(job)
            yield found
        elif found.status == "left":
            return


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Lend threads that, when the block is left, drop what they have not begun."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _ahead(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield the results in order, with the next one always under way."""
    futures = _submitted(pool, work, items)
    coming = next(futures, None)
    while coming:
        now, coming = coming, next(futures, None)
        yield now.result()


def _behind(
    pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T], most: int
) -> Iterator[R]:
    """Yield the results in order, as soon as they are there, with at most so many outstanding."""
    waiting: deque[Future[R]] = deque()
    for future in _submitted(pool, work, items):
        waiting.append(future)
        while waiting and (len(waiting) > most or waiting[0].done()):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _submitted(
    pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T]
) -> Iterator[Future[R]]:
    # A generator would keep each item, maybe half a gigabyte, until the next one is there.
    return map(lambda item: pool.submit(work, item), items)  # noqa: C417
