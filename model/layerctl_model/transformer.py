"""The VLD-MMDiT: two streams, picture and text, that meet in the attention of every block.

Variable Layers Decomposition (Qwen-Image-Layered, arXiv 2512.15603) on the MMDiT of Stable
Diffusion 3 (arXiv 2403.03206). Parameter names are those of diffusers' checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerctl_model.folder import MOST_BLOCKS, known_fields
from layerctl_model.functional import (
    Grid,
    apply_rope,
    attention,
    layer3d_rope,
    modulate,
    timestep_embedding,
)

TRANSFORMER = "QwenImageTransformer2DModel"
"""What diffusers calls it."""

ROPE_THETA = 10_000.0
TIME_CHANNELS = 256


@dataclass(frozen=True)
class TransformerSizes:
    """Sizes of the transformer, named as in `transformer/config.json`."""

    num_layers: int = 60
    num_attention_heads: int = 24
    attention_head_dim: int = 128
    in_channels: int = 64
    out_channels: int = 16
    patch_size: int = 2
    joint_attention_dim: int = 3584
    axes_dims_rope: tuple[int, ...] = (16, 56, 56)
    use_additional_t_cond: bool = True
    use_layer3d_rope: bool = True
    zero_cond_t: bool = False
    guidance_embeds: bool = False

    def __post_init__(self) -> None:
        if not self.use_layer3d_rope or self.zero_cond_t or self.guidance_embeds:
            raise ValueError(
                "use_layer3d_rope must be true, zero_cond_t and guidance_embeds must be false"
            )
        if not 0 < self.num_layers <= MOST_BLOCKS:
            raise ValueError(f"num_layers must be 1 to {MOST_BLOCKS}, not {self.num_layers}")
        if any(dim % 2 for dim in self.axes_dims_rope) or len(self.axes_dims_rope) != 3:
            raise ValueError(f"axes_dims_rope {self.axes_dims_rope} must be three even numbers")
        if sum(self.axes_dims_rope) != self.attention_head_dim:
            raise ValueError(
                f"axes_dims_rope {self.axes_dims_rope} must add up to "
                f"attention_head_dim {self.attention_head_dim}"
            )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TransformerSizes:
        """Read the sizes from a diffusers config; what it leaves out has diffusers' default."""
        absent = {"use_additional_t_cond": False, "use_layer3d_rope": False}
        filled = {**absent, **config}
        if "out_channels" in config and config["out_channels"] is None:
            filled["out_channels"] = config["in_channels"]
        return cls(**known_fields(filled, cls))

    def to_config(self) -> dict[str, Any]:
        """Write the sizes as a diffusers config."""
        return {"_class_name": TRANSFORMER, **asdict(self)}

    @property
    def width(self) -> int:
        """Channels of both streams."""
        return self.num_attention_heads * self.attention_head_dim


class RMSNorm(nn.Module):
    """Root mean square normalisation (arXiv 1910.07467), reckoned in fp32."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        wide = x.float()
        inverse = torch.rsqrt(wide.pow(2).mean(dim=-1, keepdim=True) + 1e-6)
        return (wide * inverse * self.weight).type_as(x)


class TimestepMLP(nn.Module):
    """Two linear layers around a SiLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(TIME_CHANNELS, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 256) -> (B, D)."""
        return self.linear_2(F.silu(self.linear_1(x)))


class TimeEmbedding(nn.Module):
    """What all blocks are conditioned on: the time, and optionally one of two extra conditions."""

    def __init__(self, sizes: TransformerSizes) -> None:
        super().__init__()
        self.timestep_embedder = TimestepMLP(sizes.width)
        self.addition_t_embedding = (
            nn.Embedding(2, sizes.width) if sizes.use_additional_t_cond else None
        )

    def forward(self, t: Tensor, condition: Tensor | None, dtype: torch.dtype) -> Tensor:
        """(B,) in [0, 1], (B,) of 0 and 1 -> (B, D)."""
        time = self.timestep_embedder(timestep_embedding(t, TIME_CHANNELS).to(dtype))
        if self.addition_t_embedding is None:
            return time
        if condition is None:
            condition = torch.zeros_like(t, dtype=torch.long)
        return time + self.addition_t_embedding(condition).type_as(time)


class Gelu(nn.Module):
    """A linear layer and the tanh form of GELU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.proj = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, C) -> (B, S, D)."""
        return F.gelu(self.proj(x), approximate="tanh")


class FeedForward(nn.Module):
    """The MLP of one stream, four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # Nothing sits where the checkpoint counts a dropout.
        self.net = nn.Sequential(Gelu(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, D) -> (B, S, D)."""
        return self.net(x)


class JointAttention(nn.Module):
    """Both streams attend to both, text first, each with its own projections and QK norms."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.add_q_proj, self.add_k_proj, self.add_v_proj = (
            nn.Linear(width, width) for _ in range(3)
        )
        self.norm_q, self.norm_k = RMSNorm(width // heads), RMSNorm(width // heads)
        self.norm_added_q, self.norm_added_k = RMSNorm(width // heads), RMSNorm(width // heads)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])
        self.to_add_out = nn.Linear(width, width)

    def forward(
        self, img: Tensor, txt: Tensor, rope: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """(B, S, D), (B, T, D) -> (B, S, D), (B, T, D); rope (T + S, D / 2H), mask (B, T + S)."""
        split = txt.shape[1]
        # Each stream is turned before the two are joined: the fp32 inside of norm and rope is
        # what needs memory here, and it is gone before the next is made.
        txt_q = self._turn(self.norm_added_q, self.add_q_proj(txt), rope[:split])
        q = torch.cat([txt_q, self._turn(self.norm_q, self.to_q(img), rope[split:])], dim=1)
        txt_k = self._turn(self.norm_added_k, self.add_k_proj(txt), rope[:split])
        k = torch.cat([txt_k, self._turn(self.norm_k, self.to_k(img), rope[split:])], dim=1)
        v = self._split(torch.cat([self.add_v_proj(txt), self.to_v(img)], dim=1))
        joint = attention(q, k, v, mask)
        return self.to_out[0](joint[:, split:]), self.to_add_out(joint[:, :split])

    def _turn(self, norm: RMSNorm, x: Tensor, rope: Tensor) -> Tensor:
        return apply_rope(norm(self._split(x)), rope)

    def _split(self, x: Tensor) -> Tensor:
        return torch.unflatten(x, -1, (self.heads, -1))  # (B, S, H, D / H)


class Modulation(NamedTuple):
    """How the time bends one half of one stream's block: three of (B, 1, D)."""

    shift: Tensor
    scale: Tensor
    gate: Tensor

    @classmethod
    def pair(cls, vector: Tensor) -> tuple[Modulation, Modulation]:
        """For the attention, and for the MLP: (B, 6 * D) -> two modulations."""
        parts = vector[:, None].chunk(6, dim=-1)
        return cls(*parts[:3]), cls(*parts[3:])


class Block(nn.Module):
    """One layer: joint attention, then an MLP for each stream, all gated residuals."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.img_mod = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.txt_mod = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))
        self.attn = JointAttention(width, heads)
        self.img_mlp = FeedForward(width)
        self.txt_mlp = FeedForward(width)

    def forward(
        self, img: Tensor, txt: Tensor, time: Tensor, rope: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """(B, S, D), (B, T, D), (B, D) -> (B, S, D), (B, T, D)."""
        img_mod1, img_mod2 = Modulation.pair(self.img_mod(time))
        txt_mod1, txt_mod2 = Modulation.pair(self.txt_mod(time))

        img_attn, txt_attn = self.attn(
            modulate(img, img_mod1.shift, img_mod1.scale),
            modulate(txt, txt_mod1.shift, txt_mod1.scale),
            rope,
            mask,
        )
        img = img + img_mod1.gate * img_attn
        txt = txt + txt_mod1.gate * txt_attn

        img = img + img_mod2.gate * self.img_mlp(modulate(img, img_mod2.shift, img_mod2.scale))
        txt = txt + txt_mod2.gate * self.txt_mlp(modulate(txt, txt_mod2.shift, txt_mod2.scale))
        return img, txt


class SiluLinear(nn.Linear):
    """A linear layer after a SiLU, under one name."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C) -> (B, D)."""
        return super().forward(F.silu(x))


class AdaptiveNorm(nn.Module):
    """The last layer norm; scale comes before shift here, unlike in the blocks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = SiluLinear(width, 2 * width)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(B, S, D), (B, D) -> (B, S, D)."""
        scale, shift = self.linear(time)[:, None].chunk(2, dim=-1)
        return modulate(x, shift, scale)


class VLDMMDiT(nn.Module):
    """Velocity of noisy layers, given the picture they compose and a text."""

    def __init__(self, sizes: TransformerSizes) -> None:
        super().__init__()
        self.sizes = sizes
        width = sizes.width
        self.time_text_embed = TimeEmbedding(sizes)
        self.txt_norm = RMSNorm(sizes.joint_attention_dim)
        self.img_in = nn.Linear(sizes.in_channels, width)
        self.txt_in = nn.Linear(sizes.joint_attention_dim, width)
        self.transformer_blocks = nn.ModuleList(
            [Block(width, sizes.num_attention_heads) for _ in range(sizes.num_layers)]
        )
        self.norm_out = AdaptiveNorm(width)
        self.proj_out = nn.Linear(width, sizes.patch_size**2 * sizes.out_channels)

    def forward(
        self,
        tokens: Tensor,
        text: Tensor,
        timestep: Tensor,
        grid: Grid,
        text_mask: Tensor | None = None,
        additional_t_cond: Tensor | None = None,
    ) -> Tensor:
        """(B, S, 64), (B, T, 3584), (B,) -> (B, S, 64).

        Args:
            tokens: Packed latents, frame after frame; the last frame is the condition picture.
            text: Embedded prompt.
            timestep: Noise level sigma in [0, 1].
            grid: Frames including the condition picture, rows, columns; their product is S.
            text_mask: (B, T), False where the text is padding.
            additional_t_cond: (B,) of 0 and 1; zeros if not given, as in inference.
        """
        img = self.img_in(tokens)
        txt = self.txt_in(self.txt_norm(text))
        time = self.time_text_embed(timestep, additional_t_cond, img.dtype)
        axes = self.sizes.axes_dims_rope
        rope = layer3d_rope(grid, text.shape[1], axes, ROPE_THETA, tokens.device)
        mask = None if text_mask is None else F.pad(text_mask, (0, tokens.shape[1]), value=True)
        for block in self.transformer_blocks:
            img, txt = block(img, txt, time, rope, mask)
        return self.proj_out(self.norm_out(img, time))


@torch.no_grad()
def initialise(module: nn.Module) -> None:
    """Fill a `VLDMMDiT` for training from scratch; every block starts as the identity.

    | tensor                                    | distribution            |
    |-------------------------------------------|-------------------------|
    | linear weights                            | uniform, Glorot's bound |
    | time MLP weights, extra condition         | normal, std 0.02        |
    | modulations, last norm, output projection | 0                       |
    | biases                                    | 0                       |
    | RMS norm weights                          | 1                       |
    """
    for name, parameter in module.named_parameters():
        zero = any(part in name for part in ("_mod.", "norm_out.", "proj_out."))
        if name.endswith("bias") or zero:
            parameter.zero_()
        elif parameter.ndim == 1:
            parameter.fill_(1.0)
        elif "time_text_embed" in name:
            nn.init.normal_(parameter, std=0.02)
        else:
            nn.init.xavier_uniform_(parameter)
