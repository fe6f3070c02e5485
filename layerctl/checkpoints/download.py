"""Checkpoints fetched from the Hugging Face hub: nothing else here ever uses a network."""

from __future__ import annotations

import errno
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from layerctl.checkpoints.hub import PUBLISHED, home
from layerctl.errors import EnvironmentFault

if TYPE_CHECKING:
    from huggingface_hub import DryRunFileInfo

WANTED = [
    "model_index.json",
    "layerctl.json",
    "scheduler/scheduler_config.json",
    "transformer/config.json",
    "transformer/diffusion_pytorch_model.safetensors*",
    "transformer/diffusion_pytorch_model-*.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors*",
    "vae/diffusion_pytorch_model-*.safetensors",
    "text_encoder/config.json",
    "text_encoder/generation_config.json",
    "text_encoder/model.safetensors*",
    "text_encoder/model-*.safetensors",
    *(f"tokenizer/*.{kind}" for kind in ("json", "txt", "jinja")),
    *(f"processor/*.{kind}" for kind in ("json", "txt", "jinja")),
]
"""The files of a repository that we read."""

AT_ONCE = 2
"""Files that are on their way at the same time: who interrupts a download loses so many."""

STALE = 60 * 60
"""Seconds after which nobody writes to an unfinished file any more."""

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FULL = {errno.ENOSPC, errno.EDQUOT}

REASONS = {
    "ImportError": "huggingface_hub is not installed: pip install 'layerctl[qwen]'",
    "OfflineModeIsEnabled": "HF_HUB_OFFLINE forbids it: unset that, and pull again",
    "GatedRepoError": "its owner wants to know who asks: run hf auth login",
    "ConnectError": "the hub does not answer: see that there is a network, and pull again",
    "ConnectTimeout": "the hub does not answer: see that there is a network, and pull again",
}
"""What errors of huggingface_hub and its transport mean, by the name of their class."""


def pull(repository: str, *, progress: bool) -> Path:
    """Fetch a checkpoint into the hub's cache and return its folder.

    Only the files that we read are fetched, and of those only what is not there yet. Whole files
    stay when it fails, so that the next call goes on from there. Progress goes to stderr.

    Raises:
        EnvironmentFault: No network, no such model, no space, or huggingface_hub is missing.
    """
    with _explained(repository):
        from huggingface_hub import snapshot_download
        from huggingface_hub.utils.tqdm import disable_progress_bars

        if not progress:
            disable_progress_bars()
        _sweep(repository)
        _require_space(snapshot_download(repository, allow_patterns=WANTED, dry_run=True))
        with _ended_at_once():
            return Path(snapshot_download(repository, allow_patterns=WANTED, max_workers=AT_ONCE))


def _sweep(repository: str) -> None:
    """Remove what killed downloads left behind, which nothing ever goes on with."""
    place = home(repository)
    for path in place.glob("blobs/*.incomplete") if place else ():
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE:
                path.unlink()


def _require_space(files: list[DryRunFileInfo]) -> None:
    """Refuse what is no checkpoint, or more than the disk can take."""
    if "model_index.json" not in {file.filename for file in files}:
        raise EnvironmentFault(
            "it is no checkpoint in the layout of diffusers: no model_index.json"
        )
    coming = sum(file.file_size or 0 for file in files if file.will_download)
    place = next(up for up in Path(files[0].local_path).parents if up.is_dir())
    free = shutil.disk_usage(place).free
    if coming > free:
        raise EnvironmentFault(
            f"{coming / 1e9:,.1f} GB are to come and {place} has room for {free / 1e9:,.1f} GB: "
            "make room, or set HF_HUB_CACHE to a folder on another disk"
        )


@contextmanager
def _ended_at_once() -> Iterator[None]:
    """Let signals end the program: by exception, threads would first finish files of 10 GB."""
    caught = [n for n in ENDING if signal.getsignal(n) != signal.SIG_IGN]
    before = [signal.signal(number, signal.SIG_DFL) for number in caught]
    try:
        yield
    finally:
        for number, handler in zip(caught, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def _explained(repository: str) -> Iterator[None]:
    """Turn whatever keeps a model from being fetched into one sentence."""
    try:
        yield
    except Exception as error:  # every transport fails in classes of its own
        reason = _reason(repository, error)
        raise EnvironmentFault(f"{repository} cannot be fetched: {reason}") from error


def _reason(repository: str, error: Exception) -> str:
    causes = list(_causes(error))
    if isinstance(error, EnvironmentFault):
        return str(error)
    if any(isinstance(cause, OSError) and cause.errno in FULL for cause in causes):
        return "the disk is full; what is whole is kept: make room, and pull again"
    names = [kind.__name__ for cause in causes for kind in type(cause).__mro__]
    if known := next((name for name in names if name in REASONS), None):
        return REASONS[known]
    if "RepositoryNotFoundError" in names:
        near = get_close_matches(repository, [PUBLISHED], 1)
        hint = f"did you mean {near[0]}?" if near else "if it is private, run hf auth login"
        return f"the hub has no such model; {hint}"
    return f"{_first_line(causes[-1])}; what is whole is kept: pull again"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from, the cause of all last."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
