"""What a checkpoint folder should hold, against what its files say they hold.

Only configs and the headers of weight files are read, so 57 GB are taken stock of in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from layerctl_model.checkpoint import (
    CONFIG,
    PIPELINE,
    empty_separator,
    empty_transformer,
    empty_vae,
    has_separator,
    load_flow,
)
from layerctl_model.folder import (
    TEXT_WEIGHTS,
    WEIGHTS,
    CheckpointError,
    existing,
    read_config,
    read_json,
)
from layerctl_model.qwen_vl import Shape, published_name, shapes
from layerctl_model.settings import read_profile
from layerctl_model.shards import Shards, examine, misfits
from layerctl_model.vae import expand

MODEL_INDEX = "model_index.json"
TEXTS = {"text_encoder", "tokenizer", "processor"}
CHANNELS = 4
"""Red, green, blue, alpha."""

TOKENS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
"""The sets of files that a tokenizer is read from: either is enough."""

PREPROCESSORS = (("preprocessor_config.json",), ("processor_config.json",))
"""Where it stands how pictures are read: the published file, or that of transformers 5."""


def faults(folder: Path) -> list[str]:
    """One sentence for everything that is wrong in a checkpoint folder, with the file's name.

    Tensors: missing, unexpected, in another shape or precision than the configs ask for. Files:
    missing, cut short, damaged, a Git LFS pointer, at odds with the index of their shards. Parts
    that do not fit each other. An empty list is a checkpoint that loads.
    """
    try:
        named = _parts(folder)
    except CheckpointError as error:
        return [str(error)]
    found = _refusals(lambda: read_profile(folder))
    for part, check in CHECKS.items():
        if part in named:
            found += check(folder)
    return found or mismatches(folder)


def mismatches(folder: Path) -> list[str]:
    """One sentence for each size by which the parts of a checkpoint do not fit each other.

    Raises:
        CheckpointError: The config of a part is missing, or describes what we do not have.
    """
    vae, transformer = empty_vae(folder).sizes, empty_transformer(folder).sizes
    tokens = vae.z_dim * transformer.patch_size**2
    wanted = {
        "input_channels of vae": (vae.input_channels, CHANNELS),
        "in_channels of transformer": (transformer.in_channels, tokens),
    }
    if (folder / "text_encoder" / CONFIG).exists():
        width = _text_shapes(folder / "text_encoder")["model.norm.weight"][0]
        wanted["joint_attention_dim of transformer"] = (transformer.joint_attention_dim, width)
    return [
        f"{folder}: {what} is {value}, where {fitting} would fit: its parts are of different models"
        for what, (value, fitting) in wanted.items()
        if value != fitting
    ]


def _parts(folder: Path) -> set[str]:
    """The parts of a checkpoint: what every one has, what its index names, text if it is there."""
    index = read_config(folder / MODEL_INDEX, PIPELINE)
    named = {part for part, home in index.items() if isinstance(home, list) and any(home)}
    texts = TEXTS if (folder / "text_encoder").is_dir() else set()
    more = {"separator"} if has_separator(folder) else set()
    return {"scheduler", "transformer", "vae"} | named | texts | more


def _refusals(read: Callable[[], object]) -> list[str]:
    try:
        read()
    except CheckpointError as error:
        return [str(error)]
    return []


def _scheduler(folder: Path) -> list[str]:
    return _refusals(lambda: load_flow(folder))


def _transformer(folder: Path) -> list[str]:
    return _network(folder / "transformer", lambda: empty_transformer(folder).state_dict())


def _vae(folder: Path) -> list[str]:
    return _network(folder / "vae", lambda: expand(empty_vae(folder)))


def _separator(folder: Path) -> list[str]:
    return _network(folder / "separator", lambda: empty_separator(folder).state_dict())


def _network(folder: Path, read: Callable[[], Mapping[str, Tensor]]) -> list[str]:
    stored = examine(folder, WEIGHTS)
    try:
        wanted = {name: tuple(tensor.shape) for name, tensor in read().items()}
    except CheckpointError as error:
        return [str(error), *stored.faults]
    return _told(folder, stored, wanted)


def _text_encoder(folder: Path) -> list[str]:
    folder = folder / "text_encoder"
    stored = examine(folder, TEXT_WEIGHTS)
    try:
        wanted = _text_shapes(folder)
    except CheckpointError as error:
        return [str(error), *stored.faults]
    tensors = {published_name(name): tensor for name, tensor in stored.tensors.items()}
    hidden = None if stored.hidden is None else frozenset(map(published_name, stored.hidden))
    return _told(folder, replace(stored, tensors=tensors, hidden=hidden), wanted)


def _text_shapes(folder: Path) -> dict[str, Shape]:
    path = folder / CONFIG
    config = read_json(path)
    try:
        return shapes(config)
    except (KeyError, TypeError, AttributeError, ArithmeticError, ValueError) as error:
        raise CheckpointError(
            f"{path} describes no Qwen2.5-VL: {error!r}; fetch the checkpoint again"
        ) from error


def _told(folder: Path, stored: Shards, wanted: Mapping[str, Shape]) -> list[str]:
    clauses = misfits(stored, wanted)
    return [*stored.faults, *(f"{folder}: {c}; fetch the checkpoint again" for c in clauses)]


def _tokenizer(folder: Path) -> list[str]:
    folder = folder / "tokenizer"
    return [*_unread(folder / "tokenizer_config.json"), *_one_set_of(folder, TOKENS)]


def _processor(folder: Path) -> list[str]:
    return list(_one_set_of(folder / "processor", PREPROCESSORS))


def _one_set_of(folder: Path, sets: Sequence[Sequence[str]]) -> Iterator[str]:
    """Sentences about the set of files that is there whole, or else about the first one."""
    there = [names for names in sets if all((folder / name).exists() for name in names)]
    for name in (there or sets)[0]:
        yield from _unread(folder / name)


def _unread(path: Path) -> list[str]:
    """A sentence about a file that is not there, or is no JSON where its name says so."""
    if path.suffix == ".json":
        return _refusals(lambda: read_json(path))
    return _refusals(lambda: existing(path))


CHECKS: Mapping[str, Callable[[Path], list[str]]] = {
    "scheduler": _scheduler,
    "transformer": _transformer,
    "vae": _vae,
    "separator": _separator,
    "text_encoder": _text_encoder,
    "tokenizer": _tokenizer,
    "processor": _processor,
}
"""What takes stock of each part of a checkpoint, given the folder of them all."""
