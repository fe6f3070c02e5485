"""Wires the networks: a picture tensor goes in, its layer tensors come out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from layerctl_model.checkpoint import (
    empty_transformer,
    has_separator,
    load_flow,
    load_separator,
    load_transformer,
    load_vae,
    transformer_tensors,
)
from layerctl_model.closeup import View, detailed, find_all, look_with
from layerctl_model.flow import Flow, Guidance, Text
from layerctl_model.folder import CheckpointError
from layerctl_model.functional import Grid, pack_latents, unpack_latents
from layerctl_model.inventory import mismatches
from layerctl_model.lora import Lora
from layerctl_model.modulation import Modulations
from layerctl_model.placement import place
from layerctl_model.plans import Plan
from layerctl_model.separator import Separator
from layerctl_model.settings import SIDE_MULTIPLE, Profile, Settings, read_profile
from layerctl_model.things import Things
from layerctl_model.transformer import VLDMMDiT
from layerctl_model.vae import RGBAVae

OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class Decomposer:
    """A checkpoint ready to decompose pictures, one at a time."""

    vae: RGBAVae
    transformer: VLDMMDiT
    flow: Flow
    profile: Profile
    modulations: Modulations | None = None
    separator: Separator | None = None

    @torch.inference_mode()
    def decompose(
        self,
        picture: Tensor,
        settings: Settings | None = None,
        positive: Text | None = None,
        negative: Text | None = None,
        on_step: OnStep | None = None,
    ) -> Tensor:
        """Split a picture into layers: (4, H, W) -> (N, 4, h, w), bottom first, in [0, 1].

        Args:
            picture: Straight-alpha RGBA in [0, 1], at its `bucket_size`.
            settings: The checkpoint's own if not given.
            positive: What the picture shows, embedded; not for checkpoints without text.
            negative: What to steer away from; without it there is no guidance.
            on_step: Called with the number of steps done and of all steps.

        Returns:
            Layers at the bucket's size, fp32 on the CPU. The same seed gives the same layers.

        Raises:
            ValueError: The picture has no bucket's size, or the checkpoint wants a prompt and got
                none.
            torch.OutOfMemoryError: The device is too small; load under a smaller plan.
        """
        settings = settings or self.profile.settings
        text = positive or self._no_text()
        condition = self._condition(picture)
        rows, cols = condition.shape[3] // 2, condition.shape[4] // 2
        if self.modulations is not None:
            sigmas = self.flow.sigmas(settings.steps, rows * cols)[:-1]
            self.modulations.schedule(self.flow.times(sigmas, condition.dtype))
        steps = self.flow.denoise(
            self.transformer,
            pack_latents(self._noise(condition, settings)),
            pack_latents(condition),
            Guidance(text, negative, settings.guidance, settings.normalise_guidance),
            (settings.layers + 2, rows, cols),
            settings.steps,
        )
        for done, tokens in enumerate(steps, 1):  # noqa: B007 - the last are used below
            if on_step is not None:
                on_step(done, settings.steps)
        return self._layers(tokens, (settings.layers + 1, rows, cols))

    @torch.inference_mode()
    def find_things(self, view: View, resolution: int, size: tuple[int, int]) -> Things | None:
        """Tell the things in a picture apart, if the checkpoint has a separator for it.

        Args:
            view: Shows a part of the picture: (4, H, W), straight-alpha RGBA in [0, 1], at the
                `bucket_size` of a resolution.
            resolution: At which the transformer sees it; the separator sees it at that times each
                of the profile's `separator_scales`, and times its `separator_detail`.
            size: Height and width of the masks.

        Returns:
            The things, fp32 on the CPU.
        """
        if self.separator is None:
            return None
        sides = [round(resolution * scale) for scale in self.profile.separator_scales]
        things = find_all(look_with(self.separator, view), sides, size)
        if self.profile.separator_detail is None:
            return things
        finest = round(resolution * self.profile.separator_detail)
        return detailed(things, self.separator, lambda crop: view(crop, finest))

    def _condition(self, picture: Tensor) -> Tensor:
        """(4, H, W) in [0, 1] -> normalised latents (1, 1, 16, h, w)."""
        # A bucket's own bucket may be another one, so all that can be asked is its grid.
        if any(side % SIDE_MULTIPLE for side in picture.shape[1:]):
            raise ValueError(f"{tuple(picture.shape[1:])} is no bucket: resize the picture to one")
        latents = self.vae.encode((2 * picture[None] - 1).to(self.transformer.proj_out.weight))
        return self.vae.normalise(latents)[:, None]

    def _noise(self, condition: Tensor, settings: Settings) -> Tensor:
        """Standard normal latents of the composite and the layers: (1, N + 1, 16, h, w).

        Drawn on the CPU, so that a seed means the same on every device.
        """
        generator = torch.Generator().manual_seed(settings.seed)
        shape = (1, settings.layers + 1, *condition.shape[2:])
        return torch.randn(shape, generator=generator, dtype=condition.dtype).to(condition)

    def _no_text(self) -> Text:
        if self.profile.needs_text:
            raise ValueError("this checkpoint reads a text: give an embedded prompt")
        width = self.transformer.sizes.joint_attention_dim
        return Text(self.transformer.proj_out.weight.new_zeros(1, 1, width))

    def _layers(self, tokens: Tensor, grid: Grid) -> Tensor:
        """(1, (N + 1) * S, 64) -> (N, 4, H, W); the first frame is the composite and dropped."""
        latents = self.vae.denormalise(unpack_latents(tokens, grid)[0, 1:])
        # One layer after another: the decoder's inner pictures are what needs memory here.
        layers = torch.cat([self.vae.decode(layer).cpu() for layer in latents.chunk(len(latents))])
        return (layers.float().clamp(-1, 1) + 1) / 2


def load(
    folder: Path,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    plan: Plan | None = None,
    loras: Sequence[Lora] = (),
) -> Decomposer:
    """A checkpoint folder as a decomposer.

    Args:
        folder: In the layout of diffusers, perhaps with a `layerctl.json`.
        device: Where to compute.
        dtype: In which precision; bf16 halves memory.
        plan: Where the transformer's weights go; all of them on the device if not given.
        loras: What is merged into the transformer.

    Raises:
        CheckpointError: A file is missing or damaged, or the files do not fit each other.
    """
    for fault in mismatches(folder):
        raise CheckpointError(fault)
    vae, flow, profile = load_vae(folder, device, dtype), load_flow(folder), read_profile(folder)
    separator = _open_separator(folder, device, dtype) if has_separator(folder) else None
    if plan is None:
        whole = load_transformer(folder, device, dtype, loras)
        return Decomposer(vae, whole, flow, profile, separator=separator)
    transformer = empty_transformer(folder).to(dtype)
    # Read on the CPU whatever the device, so that LoRAs are merged to the same bits in every plan.
    tensors = transformer_tensors(folder, "cpu", loras)
    modulations = place(transformer, tensors, plan, torch.device(device))
    return Decomposer(vae, transformer, flow, profile, modulations, separator)


def _open_separator(folder: Path, device: torch.device | str, dtype: torch.dtype) -> Separator:
    """The separator of a checkpoint folder, with the channels of a pixel side by side.

    A CPU convolves and normalises over them, and would have to bring them together each time.
    """
    separator = load_separator(folder, device, dtype)
    for weight in separator.parameters():
        if weight.dim() == len("BCHW"):
            weight.data = weight.contiguous(memory_format=torch.channels_last)
    return separator
