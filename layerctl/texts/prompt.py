"""What a photo is said to show: by a flag, a preset, a text beside it, or the network itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from layerctl.errors import ImageError

Origin: TypeAlias = Literal["flag", "preset", "sidecar", "caption"]

ENDING = ".txt"
LONGEST = 20_000
"""Bytes of a text beside a photo; the network reads far less, and more is no description."""


@dataclass(frozen=True)
class Prompt:
    """Words for the network, and where they came from."""

    text: str
    origin: Origin

    def holds(self, said: Prompt | None) -> bool:
        """Tell whether it is what would be read today, given what people say now, if anything."""
        return self.text == said.text if said else self.origin == "caption"


def prompt_beside(source: Path) -> Prompt | None:
    """Return what the `.txt` of the photo's own name says; None without one, or if it is blank.

    Raises:
        ImageError: It is there and cannot be read as UTF-8.
    """
    path = source.with_suffix(ENDING)
    try:
        if path == source or not path.exists():
            return None
        text = _read(path).strip()
    except OSError as error:
        raise ImageError(f"its text {path.name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ImageError(f"its text {path.name} is not in UTF-8") from error
    return Prompt(text, "sidecar") if text else None


def _read(path: Path) -> str:
    if not path.is_file():
        raise ImageError(f"its text {path.name} is not a regular file")
    if path.stat().st_size > LONGEST:
        raise ImageError(f"its text {path.name} has more than {LONGEST:,} bytes")
    return path.read_text(encoding="utf-8-sig")
