"""The old files of an image give way to new ones, all of them or none.

The new files are brought beside their places, under hidden names. Then the old ones step aside,
under hidden names too, the receipt first; the new ones move in, and with the new receipt, the last,
the exchange is made. A claim on disk says from before the first step what is going on. Whoever ends
the exchange, be it after an error or, in a later run, after a kill, goes by where the new receipt
is: moved in, what stepped aside is removed; not moved in, it comes back.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from layerctl.batch.backup import keep
from layerctl.batch.disk import carry, present, sync
from layerctl.batch.receipt import sha256_of

CLAIM = "claims.json"

Side: TypeAlias = Literal["new", "old"]


@dataclass(frozen=True)
class Exchange:
    """What is to be exchanged; paths start from `home` and are those of receipts.

    `old` are the files that are there and go, the old receipt included; `new` has the sha256 of
    the files that come, the new receipt not included; `mark` is what hidden names begin with;
    `fresh` are the folders that have to be made.
    """

    home: Path
    receipt: str
    old: tuple[str, ...]
    new: Mapping[str, str]
    mark: str
    fresh: tuple[Path, ...] = ()

    @property
    def folders(self) -> list[Path]:
        """The folders that files come to or go from, the deepest first."""
        found = {self._place(path).parent for path in (*self.old, *self.new, self.receipt)}
        return sorted(found, key=lambda folder: len(folder.parts), reverse=True)

    def claim(self, folder: Path, out: Path) -> None:
        """Note in a scratch folder of `out` what is about to happen, for whoever has to end it."""
        home, *fresh = (str(path.relative_to(out)) for path in (self.home, *self.fresh))
        files = {"receipt": self.receipt, "old": self.old, "new": dict(self.new)}
        fields = {"home": home, "fresh": fresh, **files}
        note = folder / CLAIM
        note.write_text(json.dumps(fields))
        sync(note)

    def bring(self, folder: Path, paths: Iterable[str]) -> None:
        """Move finished files from a folder to where only a change of name is left to do."""
        for path in paths:
            carry(folder / path, self._beside(path, "new"))

    def keep(self, path: str) -> str:
        """Give a file that goes a backup name, and return that as a path like any other."""
        kept = keep(self._place(path), self._beside(path, "old"))
        return kept.relative_to(self.home).as_posix()

    def make(self) -> None:
        """Let the old files step aside and the new ones in, when all of them were brought."""
        for folder in self.folders:
            sync(folder)
        for path in sorted(self.old, key=lambda path: path != self.receipt):
            with suppress(FileNotFoundError):
                self._place(path).replace(self._beside(path, "old"))
        for path in self.new:
            self._beside(path, "new").replace(self._place(path))
        for folder in self.folders:
            sync(folder)
        self._beside(self.receipt, "new").replace(self._place(self.receipt))
        sync(self.home)

    def end(self) -> None:
        """Leave the new files if all of them are in, else the old ones, and nothing hidden.

        Whatever stops this, it may be done again.
        """
        if present(self._beside(self.receipt, "new")):
            for path in self._with_receipt_last():
                self._undo(path)
        for path in self._with_receipt_last():
            # A read-only file system refuses to remove even what is not there.
            for hidden in filter(present, (self._beside(path, "old"), self._beside(path, "new"))):
                hidden.unlink()
        # One that was empty before is somebody else's.
        known = {*self.fresh, *(self._place(path).parent for path in self.old)}
        for folder in filter(known.__contains__, self.folders):
            with suppress(OSError):
                folder.rmdir()

    def _undo(self, path: str) -> None:
        """Put back the old file of a path; where there was none, remove the new one."""
        place, aside = self._place(path), self._beside(path, "old")
        came = path in self.new and not present(self._beside(path, "new"))
        if present(aside):
            self._keep_stranger(path)
            aside.replace(place)
        elif came and path not in self.old:
            self._keep_stranger(path)
            place.unlink(missing_ok=True)

    def _keep_stranger(self, path: str) -> None:
        """Keep what somebody made of a new file between a kill and now."""
        place = self._place(path)
        if place.is_file() and sha256_of(place) != self.new.get(path):
            keep(place, self._beside(path, "new"))

    def _with_receipt_last(self) -> Iterator[str]:
        yield from dict.fromkeys((*self.new, *(path for path in self.old if path != self.receipt)))
        yield self.receipt

    def _place(self, path: str) -> Path:
        return self.home / path

    def _beside(self, path: str, side: Side) -> Path:
        place = self._place(path)
        return place.with_name(f"{self.mark}.{side}.{place.name}")


def claimed(folder: Path, out: Path) -> Exchange | None:
    """Return the exchange that a scratch folder of `out` has a claim for.

    A claim that is not whole was never acted upon.
    """
    try:
        fields = json.loads((folder / CLAIM).read_bytes())
        home, *fresh = (out / path for path in (fields["home"], *fields["fresh"]))
        old, new = tuple(fields["old"]), fields["new"]
        return Exchange(home, fields["receipt"], old, new, folder.name, tuple(fresh))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
