"""A training's state as a folder of small files, which travel where a large one cannot."""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import torch

State: TypeAlias = dict[str, Any]

PIECE_BYTES = 16 << 20


def write_pieces(state: State, folder: Path) -> None:
    """Replace the folder by one with the state in files of 16 MiB at most.

    Stopped on the way, it leaves what `read_pieces` reads: the old state or the new.
    """
    written = BytesIO()
    torch.save(state, written)
    fresh, old = folder.with_suffix(".new"), folder.with_suffix(".old")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    view = written.getbuffer()
    for number, start in enumerate(range(0, len(view), PIECE_BYTES)):
        (fresh / f"{number:03}.pt").write_bytes(view[start : start + PIECE_BYTES])
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def read_pieces(folder: Path) -> State | None:
    """Return what was written last, or None if nothing was."""
    kept = next((one for one in (folder, folder.with_suffix(".old")) if one.exists()), None)
    if kept is None:
        return None
    pieces = sorted(kept.glob("*.pt"))
    joined = BytesIO(b"".join(piece.read_bytes() for piece in pieces))
    state: State = torch.load(joined, weights_only=True)
    return state
