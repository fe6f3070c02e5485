"""`layerctl inspect`: the layer tree of a PSD, whoever made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from layerctl import console

if TYPE_CHECKING:
    from layerctl.formats.psd_layers import Row

COLUMNS = ("number", "name", "kind", "box", "blend", "opacity", "visible", "coverage", "with")


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE.psd", help="A PSD or PSB of any maker.")],
) -> None:
    """Draw the layer tree of a PSD, the top one first and groups above what is in them.

    The numbers are those that recurse takes. A box is left, top, right, bottom in pixels; coverage
    is the share of the canvas that a layer is not transparent on; the last column says what else
    a layer has: masks, effects, being clipped to the one below.
    """
    from layerctl.formats.psd import tree

    rows = tree(file)
    if not rows:
        console.say(f"{file} has no layers, only a merged picture")
        return
    console.table(COLUMNS, [_cells(row) for row in sorted(rows, key=_from_the_top)])


def _from_the_top(row: Row) -> tuple[int, ...]:
    return tuple(-int(step) for step in row.number.split("/"))


def _cells(row: Row) -> tuple[str, ...]:
    depth = row.number.count("/")
    return (
        row.number,
        "  " * depth + row.name,
        row.kind,
        " ".join(map(str, row.box)),
        row.blend,
        f"{row.opacity:.0%}",
        "yes" if row.visible else "no",
        "" if row.coverage is None else f"{row.coverage:.1%}",
        ", ".join(row.traits),
    )
