"""`layerctl verify`: are the outputs whole, and do they give their photos back?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from layerctl import console
from layerctl.errors import ExitCode

if TYPE_CHECKING:
    from layerctl.verify import Verdict


def verify(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="What decompose wrote to.")],
    *,
    against: Annotated[
        Path | None, typer.Option(metavar="IN", help="The photos, to compare with them.")
    ] = None,
) -> None:
    """Check outputs against receipts and photos.

    Every file must be as it was written, and every document must give its photo back. Printed for
    each image: the largest difference in levels of 255, and the share of pixels off at all.
    Without --against, documents are compared with the PSD's merged picture, if there is one.
    """
    from layerctl.verify import verify as verdicts

    passed = total = 0
    for verdict in verdicts(out, against):
        console.say(_sentence(verdict))
        total += 1
        passed += verdict.passed
    told = "" if against else ", as far as outputs tell; --against IN compares with the photos"
    console.say(f"{passed} of {total} images are good{told}")
    if passed < total:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _sentence(verdict: Verdict) -> str:
    figures = [f"{d.reader} {d.worst} ({d.off:.2%} off)" for d in verdict.deviations]
    state = "good" if verdict.passed else "bad"
    found = [", ".join([*verdict.faults, *figures]), verdict.caution]
    return f"{state}  {verdict.label}: {'; '.join(filter(None, found))}"
