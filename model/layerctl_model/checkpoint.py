"""Checkpoints in diffusers' folder layout, read strictly and without a second copy in memory.

`model_index.json`, `scheduler/scheduler_config.json`, and for each of `transformer/` and `vae/` a
`config.json` beside `diffusion_pytorch_model.safetensors`, or beside shards and their index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from layerctl_model.flow import SCHEDULER, Flow
from layerctl_model.folder import WEIGHTS, CheckpointError, read_config, write_json
from layerctl_model.lora import Lora, merged
from layerctl_model.separator import SEPARATOR, Separator, SeparatorSizes
from layerctl_model.shards import damaged, examine, misfits
from layerctl_model.transformer import TRANSFORMER, TransformerSizes, VLDMMDiT
from layerctl_model.vae import VAE, RGBAVae, VaeSizes, collapse, expand

CONFIG = "config.json"
SCHEDULER_CONFIG = "scheduler_config.json"
DIFFUSERS_VERSION = "0.42.1"
PIPELINE = "QwenImageLayeredPipeline"
NAMED_AT_MOST = 5

T = TypeVar("T")


def load_vae(
    folder: Path, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> RGBAVae:
    """The autoencoder of a checkpoint folder, its 3-D kernels collapsed to what pictures meet.

    Args:
        folder: The folder that holds `vae/`.
        device: Where the weights go, straight from the file.
        dtype: Their precision; as in the file if not given.

    Raises:
        CheckpointError: A file is missing or damaged, or does not fit its config.
    """
    vae = empty_vae(folder)
    tensors = _stored_tensors(folder / "vae", expand(vae), device)
    kept = ((name, collapse(name, tensor)) for name, tensor in tensors)
    _assign(vae, ((name, tensor) for name, tensor in kept if tensor is not None), dtype)
    return vae.eval()


def load_transformer(
    folder: Path,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    loras: Sequence[Lora] = (),
) -> VLDMMDiT:
    """The transformer of a checkpoint folder, in one file or in shards.

    Args:
        folder: The folder that holds `transformer/`.
        device: Where the weights go, straight from the file.
        dtype: Their precision; as in the file if not given.
        loras: What is merged into them, before the change of precision.

    Raises:
        CheckpointError: A file is missing or damaged, or does not fit its config.
    """
    transformer = empty_transformer(folder)
    _assign(transformer, transformer_tensors(folder, device, loras), dtype)
    return transformer.eval()


def transformer_tensors(
    folder: Path, device: torch.device | str = "cpu", loras: Sequence[Lora] = ()
) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of a transformer, each read when its turn comes, LoRAs merged.

    Exactly those of `empty_transformer`, in the precision of the file. All headers are held
    against the config before the first tensor is read.

    Raises:
        CheckpointError: A file is missing or damaged, or does not fit its config.
    """
    wanted = empty_transformer(folder).state_dict()
    tensors = _stored_tensors(folder / "transformer", wanted, device)
    return merged(tensors, loras) if loras else tensors


def has_separator(folder: Path) -> bool:
    """Whether a checkpoint folder holds a separator."""
    return (folder / "separator").is_dir()


def load_separator(
    folder: Path, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> Separator:
    """The separator of a checkpoint folder.

    Args:
        folder: The folder that holds `separator/`.
        device: Where the weights go, straight from the file.
        dtype: Their precision; as in the file if not given.

    Raises:
        CheckpointError: A file is missing or damaged, or does not fit its config.
    """
    separator = empty_separator(folder)
    tensors = _stored_tensors(folder / "separator", separator.state_dict(), device)
    _assign(separator, tensors, dtype)
    return separator.eval()


def empty_separator(folder: Path) -> Separator:
    """The separator that a checkpoint's config describes, without memory, on `meta`.

    Raises:
        CheckpointError: The config is missing, or describes what we do not have.
    """
    path = folder / "separator" / CONFIG
    with torch.device("meta"):
        return _configured(lambda c: Separator(SeparatorSizes.from_config(c)), path, SEPARATOR)


def empty_vae(folder: Path) -> RGBAVae:
    """The autoencoder that a checkpoint's config describes, without memory, on `meta`.

    Raises:
        CheckpointError: The config is missing, or describes what we do not have.
    """
    with torch.device("meta"):
        return _configured(lambda c: RGBAVae(VaeSizes.from_config(c)), folder / "vae" / CONFIG, VAE)


def empty_transformer(folder: Path) -> VLDMMDiT:
    """The transformer that a checkpoint's config describes, without memory, on `meta`.

    Raises:
        CheckpointError: The config is missing, or describes what we do not have.
    """
    path = folder / "transformer" / CONFIG
    with torch.device("meta"):
        return _configured(lambda c: VLDMMDiT(TransformerSizes.from_config(c)), path, TRANSFORMER)


def load_flow(folder: Path) -> Flow:
    """The noise schedule of a checkpoint folder.

    Raises:
        CheckpointError: Its config is missing or asks for what we do not have.
    """
    return _configured(Flow.from_config, folder / "scheduler" / SCHEDULER_CONFIG, SCHEDULER)


def save_vae(vae: RGBAVae, folder: Path) -> None:
    """Write `vae/` so that diffusers loads it too; the precision is that of the weights."""
    _save(expand(vae), vae.sizes.to_config(), folder / "vae")


def save_transformer(transformer: VLDMMDiT, folder: Path) -> None:
    """Write `transformer/` so that diffusers loads it too; the precision is that of the weights."""
    state = {name: tensor.contiguous() for name, tensor in transformer.state_dict().items()}
    _save(state, transformer.sizes.to_config(), folder / "transformer")


def save_separator(separator: Separator, folder: Path) -> None:
    """Write `separator/`; the precision is that of the weights."""
    state = {name: tensor.contiguous() for name, tensor in separator.state_dict().items()}
    _save(state, separator.sizes.to_config(), folder / "separator")


def save_flow(flow: Flow, folder: Path) -> None:
    """Write `scheduler/` so that diffusers loads it too."""
    config = flow.to_config() | {"_diffusers_version": DIFFUSERS_VERSION}
    write_json(folder / "scheduler" / SCHEDULER_CONFIG, config)


def save_index(folder: Path) -> None:
    """Write `model_index.json`: a layered pipeline without the text parts."""
    write_json(
        folder / "model_index.json",
        {
            "_class_name": PIPELINE,
            "_diffusers_version": DIFFUSERS_VERSION,
            "processor": [None, None],
            "scheduler": ["diffusers", SCHEDULER],
            "text_encoder": [None, None],
            "tokenizer": [None, None],
            "transformer": ["diffusers", TRANSFORMER],
            "vae": ["diffusers", VAE],
        },
    )


def _configured(read: Callable[[Mapping[str, Any]], T], path: Path, kind: str) -> T:
    config = read_config(path, kind)
    try:
        return read(config)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} describes a network we do not have: {error}; fetch the checkpoint again"
        ) from error


def _stored_tensors(
    folder: Path, wanted: Mapping[str, Tensor], device: torch.device | str
) -> Iterator[tuple[str, Tensor]]:
    """The tensors in a network's files, which hold all that are wanted and no others."""
    stored = examine(folder, WEIGHTS)
    if stored.faults:
        raise CheckpointError(_shortened(stored.faults))
    if faults := misfits(stored, {name: tuple(tensor.shape) for name, tensor in wanted.items()}):
        raise CheckpointError(
            f"the weights in {folder} do not fit its {CONFIG}: {_shortened(faults)}; "
            "fetch the checkpoint again"
        )
    files = sorted({tensor.file for tensor in stored.tensors.values()})
    return chain.from_iterable(_read(path, device) for path in files)


def _read(path: Path, device: torch.device | str) -> Iterator[tuple[str, Tensor]]:
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                yield name, file.get_tensor(name)
    except SafetensorError as error:
        raise damaged(path, str(error)) from error


def _shortened(faults: Sequence[str]) -> str:
    more = f" and {len(faults) - NAMED_AT_MOST} more" if len(faults) > NAMED_AT_MOST else ""
    return "; ".join(faults[:NAMED_AT_MOST]) + more


def _assign(
    module: nn.Module, tensors: Iterator[tuple[str, Tensor]], dtype: torch.dtype | None
) -> None:
    """Give the module these tensors without copying them."""
    module.load_state_dict({n: t.to(dtype) for n, t in tensors}, assign=True)


def _save(state: dict[str, Tensor], config: dict[str, Any], folder: Path) -> None:
    write_json(folder / CONFIG, config | {"_diffusers_version": DIFFUSERS_VERSION})
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
