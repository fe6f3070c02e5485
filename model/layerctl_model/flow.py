"""Rectified flow: the schedule, noising, stepping and guidance, for training and sampling alike.

Between data x and noise e lies the straight line (1 - sigma) x + sigma e (arXiv 2209.03003);
the network learns its direction e - x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from layerctl_model.folder import known_fields
from layerctl_model.functional import Grid

# Tokens of a 256 x 256 picture: where the dynamic shift is e.
BASE_TOKENS = 256
SCHEDULER = "FlowMatchEulerDiscreteScheduler"
"""What diffusers calls it."""

UNSUPPORTED = (
    "invert_sigmas",
    "stochastic_sampling",
    "use_beta_sigmas",
    "use_exponential_sigmas",
    "use_karras_sigmas",
)

Network = Callable[..., Tensor]


@dataclass(frozen=True)
class Text:
    """An embedded prompt: embeds (B, T, D), and mask (B, T) that is False at padding, or None."""

    embeds: Tensor
    mask: Tensor | None = None


@dataclass(frozen=True)
class Guidance:
    """What the layers are steered by; without a negative text, or at scale 1, by one text only."""

    positive: Text
    negative: Text | None = None
    scale: float = 4.0
    normalise: bool = False


@dataclass(frozen=True)
class Flow:
    """The noise schedule of a checkpoint, named as in `scheduler/scheduler_config.json`."""

    num_train_timesteps: int = 1000
    shift: float = 1.0
    use_dynamic_shifting: bool = True
    base_shift: float = 0.5
    max_shift: float = 0.9
    base_image_seq_len: int = 256
    max_image_seq_len: int = 8192
    shift_terminal: float | None = 0.02
    time_shift_type: str = "exponential"

    def __post_init__(self) -> None:
        if self.time_shift_type not in {"exponential", "linear"}:
            raise ValueError(f"time_shift_type {self.time_shift_type!r} is not known")
        if self.num_train_timesteps < 1 or self.shift <= 0:
            raise ValueError("num_train_timesteps and shift must be positive")
        if self.shift_terminal is not None and not 0 <= self.shift_terminal < 1:
            raise ValueError(f"shift_terminal {self.shift_terminal} must be at least 0 and below 1")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Flow:
        """Read a diffusers config; what it leaves out has diffusers' default."""
        for key in UNSUPPORTED:
            if config.get(key):
                raise ValueError(f"{key} is not supported")
        absent = {"use_dynamic_shifting": False, "max_shift": 1.15, "max_image_seq_len": 4096}
        return cls(**known_fields({**absent, "shift_terminal": None, **config}, cls))

    def to_config(self) -> dict[str, Any]:
        """Write the schedule as a diffusers config."""
        return {"_class_name": SCHEDULER, **asdict(self)}

    def warp(self, sigma: Tensor, tokens: int) -> Tensor:
        """Move noise levels in (0, 1] towards noise, the more the larger the picture.

        `tokens` counts those of the condition picture; mu is the square root of their number
        relative to 256 (arXiv 2512.15603), not the straight line through base and max shift.
        """
        if not self.use_dynamic_shifting:
            return self.shift * sigma / (1 + (self.shift - 1) * sigma)
        mu = math.sqrt(tokens / BASE_TOKENS)
        strength = math.exp(mu) if self.time_shift_type == "exponential" else mu
        return strength / (strength + (1 / sigma - 1))

    def sigmas(self, steps: int, tokens: int) -> Tensor:
        """Noise levels of a sampling run, falling from 1 to 0: (steps + 1,)."""
        even = torch.linspace(1, 0, steps + 1, dtype=torch.float64)[:-1].float()
        sigmas = self.warp(even, tokens)
        if self.shift_terminal and steps > 1:
            sigmas = 1 - (1 - sigmas) / ((1 - sigmas[-1]) / (1 - self.shift_terminal))
        return torch.cat([sigmas, sigmas.new_zeros(1)])

    def times(self, sigmas: Tensor, dtype: torch.dtype) -> Tensor:
        """What the network is told of noise levels: rounded where the published model rounds."""
        return (sigmas * self.num_train_timesteps).to(dtype) / self.num_train_timesteps

    def noise(self, latents: Tensor, eps: Tensor, sigma: Tensor) -> Tensor:
        """Go from the data towards the noise: (B, ...), (B, ...), (B,) -> (B, ...)."""
        sigma = sigma.view(-1, *[1] * (latents.ndim - 1)).type_as(latents)
        return (1 - sigma) * latents + sigma * eps

    def velocity(self, latents: Tensor, eps: Tensor) -> Tensor:
        """What the network should say anywhere on the line from the data to the noise."""
        return eps - latents

    def step(self, x: Tensor, v: Tensor, sigma: Tensor, next_sigma: Tensor) -> Tensor:
        """One Euler step along the velocity, in fp32, handed back in the velocity's precision."""
        return (x.float() + (next_sigma - sigma) * v).type_as(v)

    def guide(self, v_pos: Tensor, v_neg: Tensor, scale: float, *, normalise: bool) -> Tensor:
        """Classifier-free guidance (arXiv 2207.12598): (B, S, C) twice -> (B, S, C).

        `normalise` gives every token the length it has in v_pos, which tames strong scales.
        """
        v = v_neg + scale * (v_pos - v_neg)
        if not normalise:
            return v
        return v * (v_pos.norm(dim=-1, keepdim=True) / v.norm(dim=-1, keepdim=True))

    def denoise(
        self,
        network: Network,
        noise: Tensor,
        condition: Tensor,
        guidance: Guidance,
        grid: Grid,
        steps: int,
    ) -> Iterator[Tensor]:
        """Yield the noisy frames after each step, cleaner and cleaner: (B, S, 64).

        Args:
            network: A `VLDMMDiT`, or anything called like it.
            noise: (B, S, 64), packed standard normal latents of the composite and the layers.
            condition: (B, S / frames, 64), the packed latents of the picture to decompose.
            guidance: What to steer by.
            grid: Frames including the condition picture, rows, columns.
            steps: How many to take.
        """
        x = noise
        sigmas = self.sigmas(steps, condition.shape[1]).to(noise.device)
        times = self.times(sigmas, noise.dtype)
        for time, (sigma, next_sigma) in zip(times, pairwise(sigmas), strict=False):
            tokens = torch.cat([x, condition], dim=1)
            v = self._guided(network, tokens, time, guidance, grid)[:, : x.shape[1]]
            x = self.step(x, v, sigma, next_sigma)
            yield x

    def _guided(
        self, network: Network, tokens: Tensor, time: Tensor, guidance: Guidance, grid: Grid
    ) -> Tensor:
        t = time.expand(len(tokens))
        v = network(tokens, guidance.positive.embeds, t, grid, guidance.positive.mask)
        if guidance.negative is None or guidance.scale <= 1:
            return v
        v_neg = network(tokens, guidance.negative.embeds, t, grid, guidance.negative.mask)
        return self.guide(v, v_neg, guidance.scale, normalise=guidance.normalise)
