"""The cache of the Hugging Face hub as files: which models are in it, and what they should hash to.

A repository is `models--ORG--NAME/` in the cache: `refs/main` names a commit, and the files in
`snapshots/COMMIT/` are links to `blobs/HASH`. What was downloaded to a folder of its own has
the hashes in `.cache/huggingface/download/` there. A hash is the content's sha256, or for small
files that of a git blob (huggingface_hub, "Understand caching").
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path

from layerctl.checkpoints.hashes import SHA256_DIGITS
from layerctl.errors import EnvironmentFault

PUBLISHED = "Qwen/Qwen-Image-Layered"
"""The repository of the published checkpoint."""

NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
"""That of a git blob (SHA-1), or the content's sha256."""

CACHES = {"HF_HUB_CACHE": "", "HF_HOME": "hub", "XDG_CACHE_HOME": "huggingface/hub"}
"""Variables that say where the cache is, the strongest first, and where below it lies."""

PREFIX = "models--"


def is_repository(name: str) -> bool:
    """Tell whether a name has the form ORG/NAME."""
    return NAME.fullmatch(name) is not None


def cache_folder() -> Path | None:
    """Return the folder that the hub's own tools keep models in; None for a user without a home."""
    for variable, inside in CACHES.items():
        if value := os.environ.get(variable):
            # pathlib has no expandvars, and huggingface_hub does expand variables here.
            return Path(os.path.expandvars(value)).expanduser() / inside  # noqa: TID251
    with suppress(RuntimeError):
        return Path.home() / ".cache/huggingface/hub"
    return None


def home(repository: str) -> Path | None:
    """Return where the cache keeps a repository, whether it is there or not."""
    cache = cache_folder()
    return cache / (PREFIX + repository.replace("/", "--")) if cache else None


def snapshot(repository: str) -> Path | None:
    """Return the folder of what the cache holds of a repository's main branch, None if nothing."""
    place = home(repository)
    if place is None:
        return None
    try:
        commit = (place / "refs" / "main").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    folder = place / "snapshots" / commit
    return folder if commit and folder.is_dir() else None


def repositories() -> dict[str, Path]:
    """Return the layered models in the cache: their snapshots by ORG/NAME."""
    cache = cache_folder()
    places = sorted(cache.glob(f"{PREFIX}*--*")) if cache else []
    names = (place.name.removeprefix(PREFIX).replace("--", "/", 1) for place in places)
    found = {name: snapshot(name) for name in names}
    return {name: folder for name, folder in found.items() if folder and _is_layered(folder)}


def _is_layered(folder: Path) -> bool:
    with suppress(OSError):
        return b'"QwenImageLayeredPipeline"' in (folder / "model_index.json").read_bytes()
    return False


def is_snapshot(folder: Path) -> bool:
    """Tell whether a folder is a snapshot in the cache."""
    return folder.parent.name == "snapshots"


def blob_hash(path: Path) -> str | None:
    """Return the hash that a file in the cache is called by, None for a file elsewhere."""
    with suppress(OSError):
        blob = path.readlink()
        if blob.parent.name == "blobs" and HASH.fullmatch(blob.name):
            return blob.name
    return None


def recorded_hash(path: Path, folder: Path) -> str | None:
    """Return the hash that a file of the checkpoint `folder` had when it came, None if unknown.

    Only the layout is read: the content may have changed since.
    """
    note = folder / ".cache/huggingface/download" / f"{path.relative_to(folder)}.metadata"
    found = blob_hash(path)
    with suppress(OSError, ValueError, LookupError):
        found = found or note.read_text(encoding="ascii").splitlines()[1]
    return found if found and HASH.fullmatch(found) else None


def has_hash(path: Path, recorded: str) -> bool:
    """Tell whether a file's content has the hash that was recorded: sha256, or that of a git blob.

    Raises:
        EnvironmentFault: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            if len(recorded) == SHA256_DIGITS:
                return hashlib.file_digest(file, "sha256").hexdigest() == recorded
            start = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
            start.update(file.read())
            return start.hexdigest() == recorded
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be read: {error.strerror}") from error
