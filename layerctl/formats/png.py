"""PNG stack: a folder with one picture a layer, numbered from 00 at the bottom.

`00-background.png`, `01-shadow.png`; the layers of a group carry its number in front of their
own: `02-00-glass.png`, `02-01-label.png`. Composed over each other in the order of their names
they give the photo back: a Multiply layer is written as black with alpha.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from layerctl.document import Document
from layerctl.errors import DocumentError
from layerctl.formats.sheet import assemble, decode, encode, sheets

if TYPE_CHECKING:
    from layerctl.preset import ExportSection

suffix = ""

NAME_BYTES = 120
"""A file name may have 255; the rest is room for numbers, suffixes and temporary names."""

UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
"""What some file system refuses in a name."""


def suffix_for(document: Document) -> str:  # noqa: ARG001 (every format is asked the same)
    """Return "": a PNG stack is a folder."""
    return suffix


def write(document: Document, target: Path, export: ExportSection) -> tuple[Path, ...]:
    """Write the layers into the folder `target`, made if need be; return their files in order."""
    target.mkdir(parents=True, exist_ok=True)
    full = export.png.canvas == "full"
    files = []
    for sheet in sheets(document):
        file = target / file_name(sheet.path, sheet.layer.name)
        file.write_bytes(encode(sheet, level=export.png.level, full=full))
        files.append(file)
    return tuple(files)


def read(target: Path) -> Document:
    """Return the document whose layers are the PNGs in the folder `target`.

    Raises:
        DocumentError: There are none, or one of them was not written by layerctl or is damaged.
    """
    try:
        return assemble(decode(file) for file in sorted(target.glob("*.png")))
    except DocumentError as error:
        raise DocumentError(f"{target} is no PNG stack of layerctl's: {error}") from error


def file_name(path: tuple[int, ...], name: str) -> str:
    """Return the file name of a layer: its place at each level, then what is legal of its name."""
    number = "-".join(f"{index:02d}" for index in path)
    legal = re.sub(r"\s+", "-", UNSAFE.sub("_", name).strip())
    cut = legal.encode(errors="ignore")[:NAME_BYTES].decode(errors="ignore").strip(".-")
    return f"{number}-{cut or 'layer'}.png"
