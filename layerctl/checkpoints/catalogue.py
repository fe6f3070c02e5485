"""The checkpoints on this machine, and which of their folders a name means."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from layerctl.checkpoints import hub
from layerctl.checkpoints.folder import MODEL_INDEX, Checkpoint, missing_files, weigh
from layerctl.errors import EnvironmentFault

if TYPE_CHECKING:
    from layerctl.preset import ModelSection

ALIASES = {"qwen": hub.PUBLISHED}
"""Short names for models of the hub."""

_SHORT = {repository: name for name, repository in ALIASES.items()}

SIZES = {"qwen": "57.7 GB"}
"""What there is to fetch: 28.85 billion weights of two bytes."""


def checkpoint_folder(section: ModelSection) -> Path:
    """Return the folder of the checkpoint that a preset names, by files alone.

    Raises:
        EnvironmentFault: It is not on this machine, only half of it, or no checkpoint.
    """
    return find(section.name)


def examine(section: ModelSection) -> Checkpoint:
    """Return what the checkpoint of a preset holds, read from the headers of its files.

    Raises:
        EnvironmentFault: It is missing, or one of its files is missing or cut short.
    """
    return weigh(section.name, checkpoint_folder(section))


def here() -> dict[str, Path]:
    """Return the checkpoints that have a name on this machine: shipped, or in the hub's cache."""
    found = {name: shipped_folder() / name for name in shipped_checkpoints()}
    return found | {_SHORT.get(name, name): path for name, path in hub.repositories().items()}


def find(name: str) -> Path:
    """Return the folder of a checkpoint: shipped, at a path, or in the hub's cache.

    Raises:
        EnvironmentFault: It is not on this machine, only half of it, or no checkpoint.
    """
    try:
        folder = next(_places(name), None)
        whole = folder is not None and (folder / MODEL_INDEX).is_file()
    except OSError as error:
        raise EnvironmentFault(f"the model '{name}' cannot be read: {error.strerror}") from error
    if folder is None:
        raise EnvironmentFault(f"the model '{name}' is not here: {_hint(name)}")
    if hub.is_snapshot(folder) and (missing := missing_files(folder)):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise EnvironmentFault(
            f"only half of the model '{name}' is here, {missing[0]}{more} missing: "
            f"run layerctl models pull {name}"
        )
    if not whole:
        raise EnvironmentFault(f"{folder} is no checkpoint: it has no {MODEL_INDEX}")
    return folder


def _places(name: str) -> Iterator[Path]:
    """Yield the folders that a name may mean and that are there, the likeliest first."""
    if "/" not in name and (shipped_folder() / name).is_dir():
        yield shipped_folder() / name
    if name in ALIASES and (cached := hub.snapshot(ALIASES[name])):
        yield cached
    if Path(name).is_dir():
        yield Path(name)
    if hub.is_repository(name) and (cached := hub.snapshot(name)):
        yield cached


def _hint(name: str) -> str:
    if (short := _SHORT.get(name, name)) in SIZES:
        return f"layerctl models pull {short} fetches it ({SIZES[short]})"
    known = [*shipped_checkpoints(), *ALIASES, *ALIASES.values(), *hub.repositories()]
    if near := get_close_matches(name, known, 1):
        return f"did you mean {near[0]}?"
    if hub.is_repository(name):
        return f"give the path of its folder, or fetch it with layerctl models pull {name}"
    return f"give a name ({', '.join([*shipped_checkpoints(), *ALIASES])}) or the path of a folder"


def shipped_folder() -> Path:
    """Return where the shipped checkpoints are, without importing the network."""
    found = find_spec("layerctl_model")
    if found is None or found.origin is None:
        raise EnvironmentFault("layerctl_model is not installed: install layerctl again")
    return Path(found.origin).parent / "weights"


def shipped_checkpoints() -> tuple[str, ...]:
    """Return the names of the shipped checkpoints."""
    return tuple(sorted(path.parent.name for path in shipped_folder().glob(f"*/{MODEL_INDEX}")))
