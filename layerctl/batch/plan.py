"""Which pictures there are to do, in a fixed order, and where the outputs of each belong."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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

    `key` is the path of its outputs below the output folder, with "/", without their endings;
    `refusal` says why it cannot be done, if that is plain before anything is read.
    """

    source: Path
    key: str
    refusal: str = ""

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
    name. A picture given twice is done once. An input that cannot be read is a job that is refused,
    like a picture that would write where one before it does. What folders hold besides is counted
    in `passed`.

    Raises:
        UsageError: There is nothing but refusals.
    """
    found: dict[tuple[str, Path], Job] = {}
    passed = passed or Passed()
    for given in inputs:
        front = PurePosixPath() if len(inputs) == 1 else PurePosixPath(_own_name(given))
        for job in _jobs(given, out, front, passed):
            found.setdefault((job.key, job.source.absolute()), job)
    jobs = tuple(_kept_apart(found.values()))
    if jobs and all(job.refusal for job in jobs):
        raise UsageError(*(job.refusal for job in jobs))
    return jobs


def output_name(name: str) -> str:
    """Return what the outputs of a file are called, decided by the file's own name alone.

    "shoe.jpg" becomes "shoe"; other pictures keep their suffix and everything else gets a "~", so
    that no two files of a folder share a name and no name is another one's output.
    """
    path = PurePosixPath(name)
    if not _ends_like_a_picture(path):
        return _shortened(name + "~")
    return _shortened(path.stem if path.suffix == ".jpg" and _is_plain(path.stem) else name)


def placed(name: str, suffix: str) -> str:
    """Return what an output of a format is called: a file with a suffix, or the folder of a stack.

    That folder gets a "~" for "01-front.png": a file of another stack may be called just so.
    """
    return name + ("~" if not suffix and _STACK_FILE.fullmatch(name) else suffix)


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
    if refusal := _refusal(given, out):
        yield Job(given, output_name(_own_name(given)), refusal)
        return
    if not given.is_dir():
        yield Job(given, output_name(given.name))
        return
    for source in _pictures(given, _identities(out), passed):
        folder = source.relative_to(given).parent
        yield Job(source, str(front / folder / output_name(source.name)))


def _refusal(given: Path, out: Path) -> str:
    """Return why nothing can be done with an input, "" if nothing is known against it."""
    try:
        identity = _identity(given)
    except OSError as error:
        return f"cannot find {given}: {error.strerror}"
    if not os.access(given, os.R_OK):
        return f"cannot read {given}: {os.strerror(errno.EACCES)}"
    if identity in _identities(out):
        return f"{given} is the output folder itself; choose another one with --out"
    return ""


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


def _identities(path: Path) -> frozenset[_Identity]:
    """Return the identity of a folder, none if it is not there."""
    try:
        return frozenset({_identity(path)})
    except OSError:
        return frozenset()


def _identity(path: Path) -> _Identity:
    status = path.stat()
    return status.st_dev, status.st_ino


def _kept_apart(jobs: Iterable[Job]) -> Iterator[Job]:
    """Yield the jobs, those refused that would write where one before them does.

    A refused input keeps its places: it may be there again tomorrow.
    """
    files: dict[str, Job] = {}
    folders: dict[str, Job] = {}
    for job in jobs:
        own, above = _files(job), _folders(job)
        others = (*map(files.get, [*own, *above]), *map(folders.get, own))
        if any(part.startswith(OWN_FILES) for part in PurePosixPath(job.key).parts):
            words = f"{job.source}: names that begin with {OWN_FILES} are layerctl's own"
            yield replace(job, refusal=words)
        elif other := next(filter(None, others), None):
            yield replace(job, refusal=_collision(other, job))
        else:
            files |= dict.fromkeys(own, job)
            folders |= dict.fromkeys(above, job)
            yield job


def _files(job: Job) -> list[str]:
    """Return what a job may write; a "/" at the end stands for any file of a stack."""
    return [*(job.key + ending for ending in ENDINGS), f"{_stack(job)}/"]


def _folders(job: Job) -> list[str]:
    """Return the folders that a job's outputs lie in, those called like a file of a stack twice."""
    above = PurePosixPath(job.key).parents
    swallowed = (f"{folder.parent}/" for folder in above if _STACK_FILE.fullmatch(folder.name))
    return [str(_stack(job)), *map(str, above), *swallowed]


def _stack(job: Job) -> PurePosixPath:
    key = PurePosixPath(job.key)
    return key.with_name(placed(key.name, ""))


def _collision(one: Job, other: Job) -> str:
    return (
        f"{one.source} and {other.source} would write over each other's outputs; "
        "rename one of them or give each its own --out"
    )
