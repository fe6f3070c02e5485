"""What lies in the folders of photos and is not taken for one: nothing of it goes unsaid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from layerctl.batch import receipt as receipts
from layerctl.errors import DocumentError
from layerctl.photo import is_picture


class Passed:
    """What a walk through folders passed over.

    `outputs` counts the files that receipts list which lie beside them: what layerctl wrote, into
    a folder that is searched for photos now.
    """

    def __init__(self) -> None:
        self.outputs = 0
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
        return is_picture(file)

    def counts(self) -> dict[str, int]:
        """Return the numbers of files by what they are."""
        return {"earlier_outputs": self.outputs}

    def sentences(self) -> Iterator[str]:
        """Yield what people should know of it."""
        if self.outputs:
            files = "file is" if self.outputs == 1 else "files are"
            yield f"{self.outputs} {files} left out: earlier outputs, by the receipts beside them"
