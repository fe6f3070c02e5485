"""What became of each photo, told to people, to machines, and as a sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from layerctl.batch.plan import Job
from layerctl.batch.receipt import Receipt
from layerctl.errors import ExitCode

Status: TypeAlias = Literal["done", "skipped", "failed", "todo", "left"]
"""`todo` is what a run would do that only looks, `left` what one had no time for."""


@dataclass(frozen=True)
class Outcome:
    """What became of a photo; `reason` says why it is not done, `trace` is for a bug report."""

    job: Job
    status: Status
    receipt: Receipt | None = None
    reason: str = ""
    trace: str = ""


Outcomes: TypeAlias = Generator[Outcome, None, None]
"""Outcomes as they come; closing it stops the run."""


def lines(outcome: Outcome) -> Iterator[str]:
    """Yield an outcome as a line, and the notes and doubts of new work as indented ones.

    What was left is not listed: it may be thousands, and the sum has the number.
    """
    label, receipt = outcome.job.label, outcome.receipt
    if outcome.status == "done" and receipt:
        yield f"done  {label}  {len(receipt.layers)} layers  {_total(receipt):.1f} s"
        yield from (f"      {sentence}" for sentence in (*receipt.notes, *receipt.doubts))
    elif outcome.status == "failed":
        yield f"FAIL  {label}: {outcome.reason}"
    elif outcome.status in {"skipped", "todo"}:
        yield f"{outcome.status[:4]}  {label}"


def record(outcome: Outcome, out: Path) -> dict[str, Any]:
    """Return an outcome as the fields of a JSON object."""
    receipt = outcome.receipt
    fields = {
        "status": outcome.status,
        "input": str(outcome.job.source),
        "receipt": str(out / outcome.job.receipt) if receipt else None,
        "layers": len(receipt.layers) if receipt else None,
        "seconds": round(_total(receipt), 3) if receipt else None,
        "notes": receipt.notes if receipt else (),
        "doubts": receipt.doubts if receipt else (),
        "reason": outcome.reason or None,
    }
    return fields | ({"trace": outcome.trace} if outcome.trace else {})


def _total(receipt: Receipt) -> float:
    return sum(receipt.seconds.values())


class Tally:
    """How many photos came to what; those not heard of are left."""

    def __init__(self, planned: int) -> None:
        self.planned = planned
        self._counts: Counter[str] = Counter()
        self._doubtful = 0

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self._counts[outcome.status] += 1
        self._doubtful += bool(outcome.receipt and outcome.receipt.doubts)

    def counts(self) -> dict[str, int]:
        """Return the number of photos by status; the `doubtful` ones are among the others."""
        over = {status: self._counts[status] for status in ("done", "skipped", "failed", "todo")}
        left = self.planned - sum(over.values())
        return over | {"left": left, "doubtful": self._doubtful}

    def sentence(self) -> str:
        """Return the numbers in words: "5 done, 2 skipped, 1 failed"."""
        always = {"done", "skipped", "failed"}
        counts = self.counts().items()
        return ", ".join(f"{number} {name}" for name, number in counts if number or name in always)

    def exit_code(self, *, doubt_fails: bool) -> ExitCode:
        """Return what the shell is told of a run that came to its end."""
        failed = self._counts["failed"] or (doubt_fails and self._doubtful)
        return ExitCode.SOME_FAILED if failed else ExitCode.DONE
