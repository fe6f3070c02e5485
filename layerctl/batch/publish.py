"""An image's files are made in a scratch folder and moved to their places when all of them exist.

A receipt that is there is true at any moment: the old one goes before the old files, and the new
one comes last. Whoever finds the scratch folder after a crash can clear up.
"""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from layerctl.batch import receipt
from layerctl.batch.disk import present, sync
from layerctl.batch.exchange import Exchange, claimed
from layerctl.batch.plan import OWN_FILES, Job
from layerctl.batch.receipt import File, Receipt
from layerctl.errors import DocumentError, EnvironmentFault, ImageError

SCRATCH = OWN_FILES + "-"

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
    for left in filter(Path.is_dir, out.glob(SCRATCH + "*")):
        _discard(left, out)


def _discard(folder: Path, out: Path) -> None:
    """End the exchange that a scratch folder has a claim for, and remove the folder.

    If that does not work now, it stays for the next run.
    """
    with suppress(OSError):
        if exchange := claimed(folder, out):
            with _PLACES:
                exchange.end()
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
        _move(delivery, _exchange(delivery, old))


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


def _exchange(delivery: Delivery, recorded: set[str]) -> Exchange:
    """Return what goes and what comes, when nothing is in the way."""
    home, receipt_name = delivery.home, delivery.target.name
    new = {file.path: file.sha256 for file in delivery.receipt.files}
    for path in (receipt_name, *new):
        _refuse_folder(home / path)
    gone = (path for path in sorted({receipt_name, *recorded, *new}) if _is_file(home / path))
    return Exchange(home, receipt_name, tuple(gone), new, delivery.folder.name)


def _is_file(path: Path) -> bool:
    return present(path) and not path.is_dir()


def _move(delivery: Delivery, exchange: Exchange) -> None:
    exchange.claim(delivery.folder, delivery.out)
    _make(exchange.folders)
    exchange.bring(delivery.folder, (*exchange.new, exchange.receipt))
    exchange.make()


def _make(folders: Iterable[Path]) -> None:
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ImageError(f"there is a file where the folder {folder} has to go") from error
