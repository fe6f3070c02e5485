"""Which pictures there are to do, in a fixed order, and where the outputs of each belong."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from layerctl.batch.passed import Passed
from layerctl.errors import UsageError
from layerctl.photo import is_picture

LONGEST_NAME = 180
"""Bytes of a name that are kept; file systems allow 255, and every output adds its ending."""

OWN_FILES = ".layerctl"
"""What the names of our lock and scratch folders begin with."""

RECEIPT_ENDING = ".layers.json"
ENDINGS = (".psd", ".psb", ".pptx", RECEIPT_ENDING)
_OUTPUT_SUFFIXES = frozenset({".psd", ".psb", ".pptx", ".json"})
_STACK_FILE = re.compile(r"\d\d+-.*\.png", re.DOTALL)

_Identity: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Job:
    """One picture to take apart.

    `key` is the path of its outputs below the output folder, with "/", without their endings.
    """

    source: Path
    key: str

    @property
    def label(self) -> str:
        """What people call it: where it lies in the tree, and its own file name."""
        return str(PurePosixPath(self.key).parent / self.source.name)

    @property
    def receipt(self) -> str:
        """Path of its receipt below the output folder."""
        return self.key + RECEIPT_ENDING


def plan(inputs: Sequence[Path], out: Path, passed: Passed | None = None) -> tuple[Job, ...]:
    """Return a job for each picture, sorted by name within each input.

    A single folder is mirrored below `out`; of several, each is mirrored in a folder of its own
    name. A picture given twice is done once. What folders hold besides is counted in `passed`.

    Raises:
        UsageError: An input is missing, or two pictures would write the same file.
    """
    jobs: dict[str, Job] = {}
    passed = passed or Passed()
    for given in inputs:
        front = PurePosixPath() if len(inputs) == 1 else PurePosixPath(_own_name(given))
        for job in _jobs(given, out, front, passed):
            other = jobs.setdefault(job.key, job)
            if other.source.absolute() != job.source.absolute():
                raise _collision(other, job)
    _refuse_overlaps(jobs)
    return tuple(jobs.values())


def output_name(name: str) -> str:
    """Return what the outputs of a file are called, decided by the file's own name alone.

    "shoe.jpg" becomes "shoe"; other pictures keep their suffix and everything else gets a "~", so
    that no two files of a folder share a name and no name is another one's output.
    """
    path = PurePosixPath(name)
    if not _ends_like_a_picture(path):
        return _shortened(name + "~")
    return _shortened(path.stem if path.suffix == ".jpg" and _is_plain(path.stem) else name)


def _ends_like_a_picture(path: PurePosixPath) -> bool:
    return is_picture(Path(path)) and path.suffix.lower() not in _OUTPUT_SUFFIXES


def _is_plain(stem: str) -> bool:
    suffix = PurePosixPath(stem).suffix.lower()
    taken = suffix in _OUTPUT_SUFFIXES or is_picture(Path(stem)) or stem.endswith("~")
    return not taken and not stem.startswith(".")


def _shortened(name: str) -> str:
    raw = os.fsencode(name)
    if len(raw) <= LONGEST_NAME:
        return name
    mark = "-" + hashlib.sha256(raw).hexdigest()[:8]
    return raw[: LONGEST_NAME - len(mark)].decode(errors="ignore") + mark


def _own_name(given: Path) -> str:
    """Return the last name of a path; "." and ".." have that of the folder they stand for."""
    return given.name if given.name not in {"", ".."} else given.resolve().name


def _jobs(given: Path, out: Path, front: PurePosixPath, passed: Passed) -> Iterator[Job]:
    try:
        identity = _identity(given)
    except OSError as error:
        raise UsageError(f"cannot find {given}: {error.strerror}") from error
    if not given.is_dir():
        yield Job(given, output_name(given.name))
        return
    closed = frozenset({_identity(out)} if out.exists() else ())
    if identity in closed:
        raise UsageError(f"{given} is the output folder itself; choose another one with --out")
    for source in _pictures(given, closed, passed):
        folder = source.relative_to(given).parent
        yield Job(source, str(front / folder / output_name(source.name)))


def _pictures(folder: Path, closed: frozenset[_Identity], passed: Passed) -> list[Path]:
    """Return the pictures below a folder, hidden ones left out, links followed but never in a ring.

    What receipts in a folder list is no picture to do, but an earlier output.

    A folder that cannot be entered, or that has a picture's name and nothing in it, stands for
    itself: it will fail by name rather than be passed over in silence.
    """
    found: list[Path] = []
    outputs_before = passed.outputs
    try:
        closed |= {_identity(folder)}
        entries = sorted(folder.iterdir(), key=os.fsencode)
        passed.learn(entry for entry in entries if entry.name.endswith(RECEIPT_ENDING))
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not entry.is_dir():
                found += filter(passed.is_photo, [entry])
            elif _identity(entry) not in closed:
                found += _pictures(entry, closed, passed)
    except OSError:
        return [folder]
    if passed.outputs > outputs_before:
        return found
    return found or list(filter(is_picture, [folder]))


def _identity(path: Path) -> _Identity:
    status = path.stat()
    return status.st_dev, status.st_ino


def _refuse_overlaps(jobs: Mapping[str, Job]) -> None:
    """Refuse jobs whose folders would bear the name of another job's file, or of one of ours."""
    files = {key + ending: job for key, job in jobs.items() for ending in ENDINGS}
    for job in jobs.values():
        if any(part.startswith(OWN_FILES) for part in PurePosixPath(job.key).parts):
            raise UsageError(f"{job.source}: names that begin with {OWN_FILES} are layerctl's own")
        for folder in (PurePosixPath(job.key), *PurePosixPath(job.key).parents):
            stacked = _STACK_FILE.fullmatch(folder.name) and jobs.get(str(folder.parent))
            if other := files.get(str(folder)) or stacked:
                raise _collision(other, job)


def _collision(one: Job, other: Job) -> UsageError:
    return UsageError(
        f"{one.source} and {other.source} would write over each other's outputs; "
        "rename one of them or give each its own --out"
    )
