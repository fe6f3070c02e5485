"""Layered files: one module a format, each satisfying `Format`, all of them named in `FORMATS`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from layerctl.document import Document
from layerctl.formats import png, pptx, psd

if TYPE_CHECKING:
    from layerctl.preset import ExportSection


class Format(Protocol):
    """What a format module offers; `suffix` is what its files usually end in ("" is a folder)."""

    suffix: str

    def suffix_for(self, document: Document) -> str:
        """Return what the file of this very document has to end in."""

    def write(self, document: Document, target: Path, export: ExportSection) -> tuple[Path, ...]:
        """Write the document at exactly `target`, whatever it is called; return the files written.

        The same document and section always give the same bytes.

        Raises:
            DocumentError: The format cannot hold this document.
        """

    def read(self, target: Path) -> Document:
        """Return the document that a file (or folder) of this format holds.

        Raises:
            DocumentError: It is missing, damaged, or holds what a `Document` cannot.
        """


FORMATS: Mapping[str, Format] = {"psd": psd, "pptx": pptx, "png": png}
"""By the name that presets and the command line use."""
