"""The RGBA-VAE: pictures to latents and back, 8 times smaller, every convolution 2-D.

The checkpoint describes a causal video autoencoder (Wan, arXiv 2503.20314). A causal convolution
sees two empty frames before a single picture, so only the last temporal slice of its kernel ever
meets data, and the temporal resampling passes a first frame through. Leaving the empty frames out
is exact; `collapse` and `expand` translate between the two forms of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerctl_model.folder import MOST_BLOCKS, known_fields
from layerctl_model.functional import attention

VAE = "AutoencoderKLQwenImage"
"""What diffusers calls it."""


@dataclass(frozen=True)
class VaeSizes:
    """Sizes of the autoencoder, named as in `vae/config.json`."""

    base_dim: int = 96
    z_dim: int = 16
    dim_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    attn_scales: tuple[float, ...] = ()
    temperal_downsample: tuple[bool, ...] = (False, True, True)
    input_channels: int = 4
    latents_mean: tuple[float, ...] = (0.0,) * 16
    latents_std: tuple[float, ...] = (1.0,) * 16

    def __post_init__(self) -> None:
        if self.attn_scales:
            raise ValueError("attn_scales must be empty: attention is in the middle blocks only")
        if len(self.temperal_downsample) != len(self.dim_mult) - 1:
            raise ValueError("temperal_downsample must be one shorter than dim_mult")
        if not 0 <= self.num_res_blocks <= MOST_BLOCKS:
            raise ValueError(f"num_res_blocks must be 0 to {MOST_BLOCKS}")
        if not all(std > 0 for std in self.latents_std):
            raise ValueError("latents_std must be positive")
        if not len(self.latents_mean) == len(self.latents_std) == self.z_dim:
            raise ValueError(f"latents_mean and latents_std must have z_dim = {self.z_dim} values")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> VaeSizes:
        """Read the sizes from a diffusers config; keys that shape nothing are passed over."""
        return cls(**known_fields(config, cls))

    def to_config(self) -> dict[str, Any]:
        """Write the sizes as a diffusers config."""
        return {"_class_name": VAE, "dropout": 0.0, **asdict(self)}

    @property
    def reduction(self) -> int:
        """Pixels per latent, along one side."""
        return 2 ** len(self.temperal_downsample)


class FrameConv(nn.Conv2d):
    """A convolution that the checkpoint stores with a temporal axis."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)


class ChannelNorm(nn.Module):
    """RMS normalisation over the channels of every pixel; `frames` says how gamma is stored."""

    def __init__(self, channels: int, *, frames: bool = True) -> None:
        super().__init__()
        self.frames = frames
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        norm = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float32)
        gain = self.gamma * len(self.gamma) ** 0.5
        return x * norm.clamp_min(1e-12).reciprocal().type_as(x) * gain.type_as(x)


class ResBlock(nn.Module):
    """Norm, SiLU, convolution, twice, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(inputs)
        self.conv1 = FrameConv(inputs, outputs, 3)
        self.norm2 = ChannelNorm(outputs)
        self.conv2 = FrameConv(outputs, outputs, 3)
        self.conv_shortcut = FrameConv(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, H, W)."""
        hidden = self.conv1(F.silu(self.norm1(x)))
        return self.conv2(F.silu(self.norm2(hidden))) + self.conv_shortcut(x)


class AttentionBlock(nn.Module):
    """One-headed attention between all pixels of a picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels, frames=False)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        qkv = self.to_qkv(self.norm(x)).flatten(2).mT[:, :, None]  # (B, H * W, 1, 3 * C)
        return x + self.proj(attention(*qkv.chunk(3, dim=-1)).mT.reshape(x.shape))


class MidBlock(nn.Module):
    """Attention between two residual blocks, at the smallest size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attentions = nn.ModuleList([AttentionBlock(channels)])
        self.resnets = nn.ModuleList([ResBlock(channels, channels) for _ in range(2)])

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Resample(nn.Module):
    """Halves or doubles a picture; `time_channels` sizes the temporal convolution left out."""

    time_channels: int | None = None
    resample: nn.Sequential

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H / 2, W / 2) or (B, C / 2, 2H, 2W)."""
        return self.resample(x)


class Downsample(Resample):
    """Halves a picture by a strided convolution, padded on the right and below only."""

    def __init__(self, channels: int, *, temporal: bool) -> None:
        super().__init__()
        self.time_channels = channels if temporal else None
        self.resample = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(channels, channels, 3, stride=2)
        )


class Upsample(Resample):
    """Doubles a picture by repeating pixels, and halves its channels."""

    def __init__(self, channels: int, *, temporal: bool) -> None:
        super().__init__()
        self.time_channels = 2 * channels if temporal else None
        self.resample = nn.Sequential(
            nn.Upsample(scale_factor=2.0, mode="nearest-exact"),
            nn.Conv2d(channels, channels // 2, 3, padding=1),
        )


class UpBlock(nn.Module):
    """Residual blocks of one size, then perhaps a doubling."""

    def __init__(self, inputs: int, outputs: int, blocks: int, upsample: Upsample | None) -> None:
        super().__init__()
        widths = [inputs, *[outputs] * blocks]
        self.resnets = nn.ModuleList([ResBlock(a, b) for a, b in pairwise(widths)])
        self.upsamplers = None if upsample is None else nn.ModuleList([upsample])

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D / 2, 2H, 2W), or (B, D, H, W) at the end."""
        for block in self.resnets:
            x = block(x)
        return x if self.upsamplers is None else self.upsamplers[0](x)


class Encoder(nn.Module):
    """Picture to the moments of its latents."""

    def __init__(self, sizes: VaeSizes) -> None:
        super().__init__()
        widths = [sizes.base_dim * mult for mult in (1, *sizes.dim_mult)]
        self.conv_in = FrameConv(sizes.input_channels, widths[0], 3)
        self.down_blocks = nn.ModuleList()
        for (inputs, outputs), temporal in zip(
            pairwise(widths), (*sizes.temperal_downsample, None), strict=True
        ):
            stage = [inputs, *[outputs] * sizes.num_res_blocks]
            self.down_blocks.extend([ResBlock(a, b) for a, b in pairwise(stage)])
            if temporal is not None:
                self.down_blocks.append(Downsample(outputs, temporal=temporal))
        self.mid_block = MidBlock(widths[-1])
        self.norm_out = ChannelNorm(widths[-1])
        self.conv_out = FrameConv(widths[-1], 2 * sizes.z_dim, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 4, H, W) -> (B, 2 * Z, H / 8, W / 8)."""
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(x)
        return self.conv_out(F.silu(self.norm_out(self.mid_block(x))))


class Decoder(nn.Module):
    """Latents to a picture."""

    def __init__(self, sizes: VaeSizes) -> None:
        super().__init__()
        widths = [sizes.base_dim * mult for mult in reversed(sizes.dim_mult)]
        inputs = [widths[0], *[width // 2 for width in widths[:-1]]]
        self.conv_in = FrameConv(sizes.z_dim, widths[0], 3)
        self.mid_block = MidBlock(widths[0])
        self.up_blocks = nn.ModuleList()
        for start, width, temporal in zip(
            inputs, widths, (*reversed(sizes.temperal_downsample), None), strict=True
        ):
            upsample = None if temporal is None else Upsample(width, temporal=temporal)
            self.up_blocks.append(UpBlock(start, width, sizes.num_res_blocks + 1, upsample))
        self.norm_out = ChannelNorm(widths[-1])
        self.conv_out = FrameConv(widths[-1], sizes.input_channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, Z, h, w) -> (B, 4, 8h, 8w)."""
        x = self.mid_block(self.conv_in(x))
        for block in self.up_blocks:
            x = block(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class RGBAVae(nn.Module):
    """Autoencoder of straight-alpha RGBA pictures (Qwen-Image-Layered, arXiv 2512.15603).

    Pictures are (B, 4, H, W) in [-1, 1], H and W multiples of 8; latents are (B, 16, H/8, W/8).
    """

    def __init__(self, sizes: VaeSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.encoder = Encoder(sizes)
        self.quant_conv = FrameConv(2 * sizes.z_dim, 2 * sizes.z_dim, 1)
        self.post_quant_conv = FrameConv(sizes.z_dim, sizes.z_dim, 1)
        self.decoder = Decoder(sizes)

    def moments(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the latents: (B, 4, H, W) -> two of (B, 16, H/8, W/8)."""
        mean, log_variance = self.quant_conv(self.encoder(pictures)).chunk(2, dim=1)
        return mean, log_variance.clamp(-30.0, 20.0)

    def encode(self, pictures: Tensor) -> Tensor:
        """Most likely latents of pictures: (B, 4, H, W) -> (B, 16, H/8, W/8)."""
        return self.moments(pictures)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures of latents, not clamped: (B, 16, h, w) -> (B, 4, 8h, 8w)."""
        return self.decoder(self.post_quant_conv(latents))

    def normalise(self, latents: Tensor) -> Tensor:
        """Bring latents to the zero mean and unit variance the transformer expects."""
        mean, std = self._statistics(latents)
        return (latents - mean) / std

    def denormalise(self, latents: Tensor) -> Tensor:
        """Undo `normalise`."""
        mean, std = self._statistics(latents)
        return latents * std + mean

    def _statistics(self, latents: Tensor) -> Tensor:
        values = (self.sizes.latents_mean, self.sizes.latents_std)
        return latents.new_tensor(values)[..., None, None]  # (2, Z, 1, 1)


def collapse(name: str, tensor: Tensor) -> Tensor | None:
    """One tensor of a diffusers checkpoint as `RGBAVae` keeps it; None if pictures need it not."""
    if ".time_conv." in name:
        return None
    if tensor.ndim == 5:
        # This layout spreads to the pictures, and halves the time of a convolution on CPUs.
        return tensor[:, :, -1].contiguous(memory_format=torch.channels_last)
    return tensor[..., 0] if name.endswith(".gamma") and tensor.ndim == 4 else tensor


def expand(vae: RGBAVae) -> dict[str, Tensor]:
    """The weights of a VAE in the shapes that diffusers stores: the inverse of `collapse`.

    Earlier temporal slices and the temporal convolutions are zero: such a checkpoint means the
    same for single pictures, and nothing for video.
    """
    state = dict(vae.state_dict())
    for name, module in vae.named_modules():
        if isinstance(module, FrameConv):
            weight = module.weight.detach()[:, :, None]
            state[f"{name}.weight"] = F.pad(weight, (0, 0, 0, 0, module.kernel_size[0] - 1, 0))
        elif isinstance(module, ChannelNorm) and module.frames:
            state[f"{name}.gamma"] = module.gamma.detach()[..., None]
        elif isinstance(module, Resample) and module.time_channels is not None:
            state |= _time_conv(name, module, module.time_channels)
    return {name: tensor.detach().contiguous() for name, tensor in state.items()}


def _time_conv(name: str, module: Resample, outputs: int) -> dict[str, Tensor]:
    kernel = next(module.resample.parameters())
    return {
        f"{name}.time_conv.weight": kernel.new_zeros(outputs, kernel.shape[1], 3, 1, 1),
        f"{name}.time_conv.bias": kernel.new_zeros(outputs),
    }
