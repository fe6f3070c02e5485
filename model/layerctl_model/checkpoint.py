"""Checkpoints in diffusers' folder layout, read strictly and without a second copy in memory.

`model_index.json`, `scheduler/scheduler_config.json`, and for each of `transformer/` and `vae/` a
`config.json` beside `diffusion_pytorch_model.safetensors`, or beside shards and their index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from layerctl_model.flow import Flow
from layerctl_model.folder import (
    WEIGHTS,
    CheckpointError,
    read_json,
    weight_files,
    write_json,
)
from layerctl_model.transformer import TransformerSizes, VLDMMDiT
from layerctl_model.vae import RGBAVae, VaeSizes, collapse, expand

CONFIG = "config.json"
SCHEDULER_CONFIG = "scheduler_config.json"
DIFFUSERS_VERSION = "0.42.1"
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
    sizes = _configured(VaeSizes.from_config, folder / "vae" / CONFIG)
    with torch.device("meta"):
        vae = RGBAVae(sizes)
    tensors = _tensors(folder / "vae", device)
    kept = ((name, collapse(name, tensor)) for name, tensor in tensors)
    _assign(vae, {n: t.to(dtype) for n, t in kept if t is not None}, folder / "vae")
    return vae.eval()


def load_transformer(
    folder: Path, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
) -> VLDMMDiT:
    """The transformer of a checkpoint folder, in one file or in shards.

    Args:
        folder: The folder that holds `transformer/`.
        device: Where the weights go, straight from the file.
        dtype: Their precision; as in the file if not given.

    Raises:
        CheckpointError: A file is missing or damaged, or does not fit its config.
    """
    sizes = _configured(TransformerSizes.from_config, folder / "transformer" / CONFIG)
    with torch.device("meta"):
        transformer = VLDMMDiT(sizes)
    tensors = _tensors(folder / "transformer", device)
    _assign(transformer, {n: t.to(dtype) for n, t in tensors}, folder / "transformer")
    return transformer.eval()


def load_flow(folder: Path) -> Flow:
    """The noise schedule of a checkpoint folder.

    Raises:
        CheckpointError: Its config is missing or asks for what we do not have.
    """
    return _configured(Flow.from_config, folder / "scheduler" / SCHEDULER_CONFIG)


def save_vae(vae: RGBAVae, folder: Path) -> None:
    """Write `vae/` so that diffusers loads it too; the precision is that of the weights."""
    _save(expand(vae), vae.sizes.to_config(), folder / "vae")


def save_transformer(transformer: VLDMMDiT, folder: Path) -> None:
    """Write `transformer/` so that diffusers loads it too; the precision is that of the weights."""
    state = {name: tensor.contiguous() for name, tensor in transformer.state_dict().items()}
    _save(state, transformer.sizes.to_config(), folder / "transformer")


def save_flow(flow: Flow, folder: Path) -> None:
    """Write `scheduler/` so that diffusers loads it too."""
    config = flow.to_config() | {"_diffusers_version": DIFFUSERS_VERSION}
    write_json(folder / "scheduler" / SCHEDULER_CONFIG, config)


def save_index(folder: Path) -> None:
    """Write `model_index.json`: a layered pipeline without the text parts."""
    write_json(
        folder / "model_index.json",
        {
            "_class_name": "QwenImageLayeredPipeline",
            "_diffusers_version": DIFFUSERS_VERSION,
            "processor": [None, None],
            "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
            "text_encoder": [None, None],
            "tokenizer": [None, None],
            "transformer": ["diffusers", "QwenImageTransformer2DModel"],
            "vae": ["diffusers", "AutoencoderKLQwenImage"],
        },
    )


def _configured(read: Callable[[Mapping[str, Any]], T], path: Path) -> T:
    try:
        return read(read_json(path))
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} describes a network we do not have: {error}") from error


def _tensors(folder: Path, device: torch.device | str) -> Iterator[tuple[str, Tensor]]:
    for path in weight_files(folder):
        try:
            with safe_open(path, framework="pt", device=str(device)) as file:
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    yield name, file.get_tensor(name)
        except SafetensorError as error:
            raise CheckpointError(
                f"{path} is cut short or damaged ({error}): fetch it again"
            ) from error


def _assign(module: nn.Module, state: dict[str, Tensor], folder: Path) -> None:
    """Give the module these tensors, all of them and no others, without copying."""
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    faults = [f"{name} is missing" for name in wanted.keys() - found.keys()]
    faults += [f"{name} is unexpected" for name in found.keys() - wanted.keys()]
    faults += [
        f"{name} is {found[name]} where {shape} is expected"
        for name, shape in wanted.items()
        if found.get(name, shape) != shape
    ]
    if faults:
        more = f" and {len(faults) - NAMED_AT_MOST} more" if len(faults) > NAMED_AT_MOST else ""
        raise CheckpointError(
            f"the weights in {folder} do not fit its {CONFIG}: "
            f"{', '.join(sorted(faults)[:NAMED_AT_MOST])}{more}; fetch the checkpoint again"
        )
    module.load_state_dict(state, assign=True)


def _save(state: dict[str, Tensor], config: dict[str, Any], folder: Path) -> None:
    write_json(folder / CONFIG, config | {"_diffusers_version": DIFFUSERS_VERSION})
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
