"""`layerctl inspect`: the layer tree of a PSD, whoever made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from layerctl import console

if TYPE_CHECKING:
    from layerctl.formats.psd_layers import Row

COLUMNS = ("number", "name", "kind", "box", "blend", "opacity", "visible", "coverage")


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE.psd", help="A PSD or PSB of any maker.")],
) -> None:
    """Print the layers of a PSD, the top one first.

    A box is left, top, right, bottom in pixels; coverage is the share of the canvas that a layer
    is not transparent on.
    """
    from layerctl.formats.psd import tree

    rows = tree(file)
    if not rows:
        console.say(f"{file} has no layers, only a merged picture")
        return
    console.table(COLUMNS, [_cells(row) for row in reversed(rows)])


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
    )
