"""The door to the network: the only module that imports torch and `layerctl_model`.

Pictures and layers pass it as arrays, embedded prompts as bytes that are only kept and given back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as bytes_from_tensors
from torch import Tensor

from layerctl.checkpoints.catalogue import checkpoint_folder
from layerctl.compositing import Floats
from layerctl.document import Pixels
from layerctl.errors import EnvironmentFault, OutOfMemory
from layerctl.machine import Memory
from layerctl.preset import ModelSection
from layerctl.things import Things
from layerctl_model import checkpoint, decomposer, inventory, lora, plans, text
from layerctl_model.closeup import Crop
from layerctl_model.flow import Text
from layerctl_model.folder import CheckpointError
from layerctl_model.placement import release
from layerctl_model.plans import Plan, below, choose, outline
from layerctl_model.settings import Profile, Settings, bucket_size, read_profile
from layerctl_model.text import TEXT_VERSION

__all__ = [
    "TEXT_VERSION",
    "Crop",
    "Plan",
    "Profile",
    "Settings",
    "below",
    "bucket_size",
    "choose",
    "outline",
    "release",
]

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Embedding: TypeAlias = bytes
"""An embedded prompt."""

View: TypeAlias = Callable[[Crop, int], Pixels]
"""Shows a part of a photo as a network sees it at a resolution."""


@dataclass(frozen=True)
class Setup:
    """A checkpoint and the LoRAs on it, and where and how precisely they run."""

    folder: Path
    device: str
    dtype: str
    loras: tuple[lora.Lora, ...] = ()


def set_up(section: ModelSection) -> Setup:
    """Return what a preset means on this machine.

    Raises:
        EnvironmentFault: The checkpoint or the device is not there.
    """
    device = choose_device(section.device)
    loras = tuple(lora.Lora(Path(one.file), one.weight) for one in section.loras)
    return Setup(checkpoint_folder(section), device, choose_dtype(section.dtype, device), loras)


def choose_device(wanted: str) -> str:
    """Return the device that a preset means; "auto" is the fastest there is.

    Raises:
        EnvironmentFault: It is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next((name for name, found in there.items() if found), "cpu")
    if not there.get(wanted, True):
        raise EnvironmentFault(f"this machine has no {wanted} device; use --device cpu")
    return wanted


def choose_dtype(wanted: str, device: str) -> str:
    """Return the precision that a preset means; "auto" is exact on a CPU and small on a GPU."""
    automatic = "float32" if device == "cpu" else "bfloat16"
    return automatic if wanted == "auto" else wanted


def device_memory() -> Memory:
    """Return the memory of the GPU."""
    free, total = torch.cuda.mem_get_info()
    return Memory(total, free)


def profile(setup: Setup) -> Profile:
    """Return what the checkpoint was trained for.

    Raises:
        EnvironmentFault: Its `layerctl.json` is no profile.
    """
    with _faults_told():
        return read_profile(setup.folder)


def checkpoint_faults(folder: Path) -> list[str]:
    """Return a sentence for everything that is wrong with the files of a checkpoint.

    Raises:
        EnvironmentFault: One of its folders cannot be read.
    """
    with _faults_told():
        return inventory.faults(folder)


def require_loras(setup: Setup) -> None:
    """Hold the LoRAs against the checkpoint, by their headers alone.

    Raises:
        EnvironmentFault: One is missing, damaged, or made for another network.
    """
    with _faults_told():
        empty = checkpoint.empty_transformer(setup.folder)
        lora.check(setup.loras, {name: t.shape for name, t in empty.state_dict().items()})


def possible_plans(setup: Setup, settings: Settings, *, quantized: bool) -> tuple[Plan, ...]:
    """Return the ways to run the checkpoint, the fastest first, told from headers alone.

    Raises:
        EnvironmentFault: The checkpoint is damaged.
    """
    with _faults_told():
        return plans.possible(
            setup.folder, settings, dtype=DTYPES[setup.dtype], quantized=quantized
        )


class Network:
    """A transformer and a VAE, opened under a plan."""

    def __init__(self, setup: Setup, plan: Plan) -> None:
        """Open them.

        Raises:
            EnvironmentFault: A file is missing or damaged, or does not fit the others.
            OutOfMemory: The plan needs more than there is.
        """
        with _faults_told():
            self._decomposer = decomposer.load(
                setup.folder, setup.device, DTYPES[setup.dtype], plan, setup.loras
            )
        self._folder, self._device = setup.folder, setup.device

    def make_layers(
        self,
        picture: Pixels,
        settings: Settings,
        positive: Embedding | None = None,
        negative: Embedding | None = None,
    ) -> Floats:
        """Return a picture's layers: (N, h, w, 4) straight RGBA in [0, 1], bottom first.

        Args:
            picture: (h, w, 4) straight RGBA at its bucket's size.
            settings: How to make them.
            positive: What the picture shows; for checkpoints that read a text.
            negative: What to steer away from, if there is guidance.

        Raises:
            EnvironmentFault: What comes out are no numbers.
            OutOfMemory: The plan needs more than there is.
        """
        with _faults_told():
            layers = self._decomposer.decompose(
                _tensor(picture), settings, self._text(positive), self._text(negative)
            )
        self._require_finite(layers)
        return np.ascontiguousarray(layers.permute(0, 2, 3, 1).numpy())

    def find_things(self, view: View, resolution: int, size: tuple[int, int]) -> Things | None:
        """Return what is to be seen in a picture, as masks of `size`, (height, width).

        Nothing from models whose layers are the things, in their order.

        Args:
            view: Shows a part of the picture at a resolution, straight RGBA at its bucket's size.
            resolution: The one at which the layers were made.
            size: Of the masks.

        Raises:
            EnvironmentFault: What comes out are no numbers.
            OutOfMemory: The plan needs more than there is.
        """
        # Parts are looked at with and without what is around things.
        shown = cache(lambda crop, seen: _tensor(view(crop, seen)))
        with _faults_told():
            found = self._decomposer.find_things(shown, resolution, size)
        if found is None:
            return None
        masks = (found.shares, found.whole, found.kinds)
        nearer = () if found.near is None else (found.near,)
        self._require_finite(*masks, *nearer)
        return Things(*(mask.numpy() for mask in (*masks, *nearer)))

    def _require_finite(self, *made: Tensor) -> None:
        if not all(tensor.isfinite().all() for tensor in made):
            raise EnvironmentFault(
                f"{self._folder} makes layers of numbers that are not finite: a weight in it, or "
                "in a LoRA, is damaged; fetch it again"
            )

    def _text(self, embedding: Embedding | None) -> Text | None:
        if embedding is None:
            return None
        return Text(tensors_from_bytes(embedding)["embeds"].to(self._device))


class Encoder:
    """A text encoder."""

    def __init__(self, setup: Setup) -> None:
        """Open it.

        Raises:
            EnvironmentFault: It is missing or damaged, or needs packages that are not installed.
            OutOfMemory: It does not fit.
        """
        with _faults_told():
            self._encoder = text.load_text(setup.folder, setup.device, DTYPES[setup.dtype])

    def caption(self, pictures: Sequence[Pixels], language: Literal["en", "zh"]) -> list[str]:
        """Return what pictures, (h, w, 4) straight RGBA at their buckets' sizes, show.

        Raises:
            OutOfMemory: They are too many for the memory there is.
        """
        with _faults_told():
            return self._encoder.caption([_tensor(picture) for picture in pictures], language)

    def embed(self, prompts: Sequence[str]) -> list[Embedding]:
        """Return prompts as the transformer reads them.

        Raises:
            OutOfMemory: They are too many for the memory there is.
        """
        with _faults_told():
            texts = self._encoder.embed(prompts)
            return [bytes_from_tensors({"embeds": one.embeds.cpu()}) for one in texts]

    def close(self) -> None:
        """Give the memory back."""
        del self._encoder
        release()


def _tensor(picture: Pixels) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1).float() / 255


@contextmanager
def _faults_told() -> Iterator[None]:
    """Say in our words what is wrong with a checkpoint, or that the device is full."""
    try:
        yield
    except CheckpointError as error:
        raise EnvironmentFault(str(error)) from error
    except OSError as error:
        if error.filename is None:
            raise
        raise EnvironmentFault(f"{error.filename} cannot be read: {error.strerror}") from error
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(f"the device ran out of memory: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
