"""What lies in the folders of photos and is not taken for one: nothing of it goes unsaid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from layerctl.batch import receipt as receipts
from layerctl.errors import DocumentError
from layerctl.photo import is_picture

QUIET = frozenset(
    ".txt .json .xmp .aae .thm .pp3 .dop .md5 .sha256 .bak .db .ini".split()  # noqa: SIM905 - shorter
)
"""What goes with photos, or is left by programs that show them: nobody takes it for a photo."""

MOST_KINDS = 5
"""How many kinds of other files are told of; the rest would be a list that nobody reads."""


class Passed:
    """What a walk through folders passed over.

    `outputs` counts the files that receipts list which lie beside them: what layerctl wrote, into
    a folder that is searched for photos now. `others` counts the files that have no picture's
    suffix by the suffix that they have, "" where there is none.
    """

    def __init__(self) -> None:
        self.outputs = 0
        self.others: Counter[str] = Counter()
        self._listed: set[str] = set()

    def learn(self, found: Iterable[Path]) -> None:
        """Remember which files receipts list, by name; what is no receipt of ours lists none."""
        for path in found:
            try:
                files = receipts.read(path).files
            except DocumentError:
                continue
            self._listed.update(str(path.parent / file.path) for file in files)

    def is_photo(self, file: Path) -> bool:
        """Tell whether a file is one to take apart, and count it if not."""
        if str(file) in self._listed:
            self.outputs += 1
            return False
        if is_picture(file):
            return True
        suffix = file.suffix.lower()
        if suffix not in QUIET:
            self.others[suffix] += 1
        return False

    def counts(self) -> dict[str, int]:
        """Return the numbers of files by what they are."""
        return {"earlier_outputs": self.outputs, "passed_over": self.others.total()}

    def sentences(self) -> Iterator[str]:
        """Yield what people should know of it."""
        if self.outputs:
            files = "file is" if self.outputs == 1 else "files are"
            yield f"{self.outputs} {files} left out: earlier outputs, by the receipts beside them"
        if self.others:
            files = "file" if self.others.total() == 1 else "files"
            yield f"{self.others.total()} other {files} passed over ({self._kinds()})"

    def _kinds(self) -> str:
        """Return the suffixes with their numbers, the most frequent first."""
        ranked = sorted(self.others.items(), key=lambda kind: (-kind[1], kind[0]))
        told = [f"{number} {suffix or 'without a suffix'}" for suffix, number in ranked]
        return ", ".join([*told[:MOST_KINDS], *(["..."] if told[MOST_KINDS:] else [])])
