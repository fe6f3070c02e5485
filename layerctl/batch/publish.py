"""An image's files are made in a scratch folder and moved to their places when all of them exist.

A receipt that is there is true at any moment: the old one goes before the old files, and the new
one comes last. Whoever finds the scratch folder after a crash can clear up.
"""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from tempfile import mkdtemp

from layerctl.batch import receipt
from layerctl.batch.disk import present, sync
from layerctl.batch.exchange import Exchange, claimed
from layerctl.batch.plan import OWN_FILES, Job
from layerctl.batch.receipt import File, Receipt
from layerctl.errors import EnvironmentFault, ImageError

SCRATCH = OWN_FILES + "-"

_DENIED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
"""Errors that the next image meets as well if it is the whole output folder that is closed."""

_MACHINE = _DENIED | {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""Errors that the next image would meet as well."""

_PLACES = threading.Lock()
"""Folders come and go for one image at a time: none is removed while another moves into it."""


@contextmanager
def scratch(out: Path) -> Iterator[Path]:
    """Lend a folder below `out` that is gone afterwards, whatever happens.

    Raises:
        EnvironmentFault: A disk is full or broken, or `out` cannot be written to.
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
        where = out if error.errno in _DENIED else _spot(error, out)
        raise EnvironmentFault(
            f"cannot write to {where}: {error.strerror}; what is finished is kept, "
            "and the next run goes on from here"
        ) from error


@contextmanager
def _one_image_only(out: Path) -> Iterator[None]:
    """Let no place below `out` that is closed to us stop more than the image that belongs there."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DENIED or not _is_open(out):
            raise
        raise ImageError(f"cannot write to {_spot(error, out)}: {error.strerror}") from error


def _is_open(folder: Path) -> bool:
    """Say whether new files can be made in a folder, which only making one can tell."""
    try:
        Path(mkdtemp(prefix=SCRATCH, dir=folder)).rmdir()
    except OSError:
        return False
    return True


def _spot(error: OSError, out: Path) -> Path:
    """Return where something failed as people know it: our own folders and names left out."""
    named = (name for name in (error.filename, error.filename2) if isinstance(name, str | PathLike))
    return max(map(_visible, [out, *map(Path, named)]), key=lambda path: len(path.parts))


def _visible(path: Path) -> Path:
    while any(part.startswith(SCRATCH) for part in path.parts):
        path = path.parent
    return path


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


def publish(delivery: Delivery, *, force: bool) -> Receipt:
    """Move the files to their places and the receipt after them; remove what it replaces.

    What was changed by hand among that is kept under a backup name, and the receipt, which is
    returned, says so.

    Raises:
        ImageError: Something is in the way that no receipt accounts for, if it is a file without
            `force`; or the image's own place cannot be written to.
    """
    with _one_image_only(delivery.out):
        old = receipt.standing(delivery.target)
        for file in delivery.receipt.files:
            if not (force or (old and file.path in old.hashes)):
                _refuse_stranger(delivery.home / file.path, file)
        for path in delivery.folder.rglob("*"):
            sync(path)
        with _PLACES:
            return _move(delivery, old)


def _refuse_stranger(there: Path, file: File) -> None:
    """Refuse to replace what we did not write; what has the very same bytes we did write."""
    if there.is_file() and receipt.sha256_of(there) != file.sha256:
        raise ImageError(f"{there} is there already, and no receipt names it; --force replaces it")


def _refuse_folder(there: Path) -> None:
    if there.is_dir():
        raise ImageError(f"there is a folder where the file {there} has to go")


def _move(delivery: Delivery, old: Receipt | None) -> Receipt:
    exchange = _exchange(delivery, old)
    exchange.claim(delivery.folder, delivery.out)
    _make(exchange.folders)
    exchange.bring(delivery.folder, exchange.new)
    made = _noted(delivery.receipt, [exchange.keep(path) for path in _by_hand(exchange, old)])
    target = delivery.folder / exchange.receipt
    receipt.write(made, target)
    sync(target)
    exchange.bring(delivery.folder, [exchange.receipt])
    exchange.make()
    return made


def _exchange(delivery: Delivery, old: Receipt | None) -> Exchange:
    """Return what goes and what comes, when nothing is in the way."""
    home, name, new = delivery.home, delivery.target.name, delivery.receipt.hashes
    for path in (name, *new):
        _refuse_folder(home / path)
    concerned = {name, *new, *(old.hashes if old else ())}
    gone = tuple(path for path in sorted(concerned) if _is_file(home / path))
    exchange = Exchange(home, name, gone, new, delivery.folder.name)
    return replace(exchange, fresh=tuple(f for f in exchange.folders if not f.exists()))


def _is_file(path: Path) -> bool:
    return present(path) and not path.is_dir()


def _by_hand(exchange: Exchange, old: Receipt | None) -> Iterator[str]:
    """Yield the files that go and that somebody may miss: not as we wrote them, nor as we do now.

    This reads all of them, so that not even a change that hides behind an old date is lost.
    """
    recorded = old.hashes if old and not old.made_by_hand else {}
    for path in exchange.old:
        if path != exchange.receipt and (exchange.home / path).is_file():
            known = {recorded.get(path), exchange.new.get(path)}
            if receipt.sha256_of(exchange.home / path) not in known:
                yield path


def _noted(made: Receipt, kept: Sequence[str]) -> Receipt:
    note = f"what was changed since is kept: {', '.join(kept)}"
    return replace(made, notes=(*made.notes, note)) if kept else made


def _make(folders: Iterable[Path]) -> None:
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ImageError(f"there is a file where the folder {folder} has to go") from error
