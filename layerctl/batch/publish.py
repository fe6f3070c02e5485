"""An image's files are made in a scratch folder and moved to their places when all of them exist.

Old receipt away, files in, new receipt last: a receipt that is there is true at any moment. The
scratch folder knows what is being replaced, so whoever finds it after a crash can clear up.
"""

from __future__ import annotations

import errno
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from layerctl.batch import receipt
from layerctl.batch.disk import sync
from layerctl.batch.plan import OWN_FILES, Job
from layerctl.batch.receipt import File, Receipt
from layerctl.errors import DocumentError, EnvironmentFault, ImageError

SCRATCH = OWN_FILES + "-"
CLAIMS = "claims.json"

_MACHINE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
)
"""Errors that the next image would meet as well."""

_PLACES = threading.Lock()
"""Folders come and go for one image at a time: none is removed while another moves into it."""


@contextmanager
def scratch(out: Path) -> Iterator[Path]:
    """Lend a folder below `out` that is gone afterwards, whatever happens.

    Raises:
        EnvironmentFault: The disk is full, or cannot be written to.
    """
    try:
        folder = Path(mkdtemp(prefix=SCRATCH, dir=out))
        try:
            yield folder
        finally:
            _discard(folder, out)
    except OSError as error:
        if error.errno not in _MACHINE:
            raise
        raise EnvironmentFault(
            f"cannot write to {out}: {error.strerror}; what is finished is kept, "
            "and the next run goes on from here"
        ) from error


def sweep(out: Path) -> None:
    """Clear up after runs that were killed; only whoever holds `out` may do this."""
    for left in out.glob(SCRATCH + "*"):
        _discard(left, out)


def _discard(folder: Path, out: Path) -> None:
    """Remove a scratch folder, and what had been moved out of it for an image without receipt."""
    with _PLACES, suppress(OSError, ValueError):
        claims = json.loads((folder / CLAIMS).read_bytes())
        if not (out / claims["receipt"]).exists():
            for path in claims["files"]:
                _remove(out / path)
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Delivery:
    """Finished files in a scratch folder, laid out as they shall lie beside their receipt."""

    job: Job
    folder: Path
    receipt: Receipt
    out: Path

    @property
    def target(self) -> Path:
        """Where the receipt goes."""
        return self.out / self.job.receipt

    @property
    def home(self) -> Path:
        """The folder that the paths in the receipt start from."""
        return self.target.parent


def publish(delivery: Delivery, *, force: bool) -> None:
    """Move the files to their places and the receipt after them; remove what it replaces.

    Raises:
        ImageError: Something is in the way that no receipt accounts for; `force` replaces files.
    """
    old = listed(delivery.target)
    for file in delivery.receipt.files:
        if not (force or file.path in old):
            _refuse_stranger(delivery.home / file.path, file)
    receipt.write(delivery.receipt, delivery.folder / delivery.target.name)
    for path in delivery.folder.rglob("*"):
        sync(path)
    with _PLACES:
        _move(delivery, old)


def listed(path: Path) -> set[str]:
    """Return the files that the receipt at `path`, if there is a readable one, accounts for."""
    try:
        return {file.path for file in receipt.read(path).files}
    except DocumentError:
        return set()


def _refuse_stranger(there: Path, file: File) -> None:
    """Refuse to replace what we did not write; what has the very same bytes we did write."""
    if there.is_file() and receipt.sha256_of(there) != file.sha256:
        raise ImageError(f"{there} is there already, and no receipt names it; --force replaces it")


def _refuse_folder(there: Path) -> None:
    if there.is_dir():
        raise ImageError(f"there is a folder where the file {there} has to go")


def _move(delivery: Delivery, old: set[str]) -> None:
    new = [file.path for file in delivery.receipt.files]
    for place in (delivery.target, *(delivery.home / path for path in new)):
        _refuse_folder(place)
    folders = {(delivery.home / path).parent for path in new} | {delivery.home}
    _make(folders)
    _claim(delivery, old.union(new))
    delivery.target.unlink(missing_ok=True)
    for path in old.difference(new):
        _remove(delivery.home / path)
    for path in new:
        (delivery.folder / path).replace(delivery.home / path)
    for folder in folders:
        sync(folder)
    (delivery.folder / delivery.target.name).replace(delivery.target)
    sync(delivery.home)


def _make(folders: set[Path]) -> None:
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ImageError(f"there is a file where the folder {folder} has to go") from error


def _claim(delivery: Delivery, paths: set[str]) -> None:
    """Note what is about to be replaced, for whoever has to clear up after us."""
    above = Path(delivery.job.key).parent
    files = sorted(str(above / path) for path in paths)
    note = delivery.folder / CLAIMS
    note.write_text(json.dumps({"receipt": delivery.job.receipt, "files": files}))
    sync(note)


def _remove(path: Path) -> None:
    """Remove a file if it is there, and its folder if that is empty then."""
    path.unlink(missing_ok=True)
    with suppress(OSError):
        path.parent.rmdir()
