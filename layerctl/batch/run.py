"""The run: nobody else at work, what is done skipped, the rest done, an outcome for each photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from layerctl.batch import Model, receipt
from layerctl.batch.amendment import resume
from layerctl.batch.lock import hold
from layerctl.batch.outcome import Outcome, Outcomes
from layerctl.batch.pipeline import stream
from layerctl.batch.plan import Job
from layerctl.batch.publish import sweep
from layerctl.batch.receipt import Receipt
from layerctl.batch.stages import Batch
from layerctl.errors import ImageError

HASHERS = 4
"""Threads that look through finished files; more would only wait for the disk."""


def run(jobs: Sequence[Job], batch: Batch, open_model: Callable[[], Model]) -> Outcomes:
    """Yield what becomes of each photo: first of those refused or done already, then in order.

    Close the iterator, or raise in the loop over it, to stop: what is under way is cleared up and
    left to the next run.

    Args:
        jobs: What `plan` returned.
        batch: Where and how.
        open_model: Opens the model; called only if there is something to do.

    Raises:
        Busy: Another run holds the output folder.
        EnvironmentFault: The model cannot be loaded, or the output cannot be written to; what is
            finished stays so.
        UsageError: The model cannot do what the preset asks.
    """
    with hold(batch.out):
        sweep(batch.out)
        for home in sorted({(batch.out / job.receipt).parent for job in jobs}):
            resume(home)
        todo, known = divide(jobs, batch)
        yield from known
        over = batch.preset.batch.fail_fast and any(found.status == "failed" for found in known)
        if todo and not over:
            yield from stream(todo, batch, open_model())


def preview(jobs: Sequence[Job], batch: Batch) -> Outcomes:
    """Yield what `run` would do, and touch nothing."""
    todo, known = divide(jobs, batch)
    yield from known
    yield from (Outcome(job, "todo") for job in todo)


def divide(jobs: Sequence[Job], batch: Batch) -> tuple[list[Job], list[Outcome]]:
    """Return the jobs that are to be done, and an outcome for each of the others."""
    refused = [Outcome(job, "failed", reason=job.refusal) for job in jobs if job.refusal]
    sound = [job for job in jobs if not job.refusal]
    if batch.force:
        return sound, refused
    with ThreadPoolExecutor(HASHERS) as pool:
        found = list(zip(sound, pool.map(partial(_foreseen, batch), sound), strict=True))
    known = [outcome for _, outcome in found if outcome]
    return [job for job, outcome in found if not outcome], refused + known


def _foreseen(batch: Batch, job: Job) -> Outcome | None:
    """Return what becomes of a job if its receipt settles that: done, or the place is taken."""
    path = batch.out / job.receipt
    standing = receipt.standing(path)
    if standing is None:
        return None
    if _holds(standing, batch, job):
        return Outcome(job, "skipped", standing)
    if other := receipt.other_photo(standing.input, job.source):
        words = f"{path} was made from {other}; choose another --out, or --force replaces it"
        return Outcome(job, "failed", reason=words)
    return None


def _holds(standing: Receipt, batch: Batch, job: Job) -> bool:
    """Say whether photo, prompt, settings and files are all what a job's receipt says."""
    home = (batch.out / job.receipt).parent
    try:
        if standing.prompt and not standing.prompt.holds(batch.prompt_for(job.source)):
            return False
    except ImageError:
        return False
    return receipt.still_valid(standing, job.source, batch.settings, home)
