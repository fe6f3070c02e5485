"""LoRA files (arXiv 2106.09685): how trainers spell them, and what they add to which tensor.

A matrix W (O, I) becomes W + alpha / rank * up @ down, of up (O, rank) and down (rank, I).

| trainer                  | key                                                            |
|--------------------------|----------------------------------------------------------------|
| diffusers, PEFT          | `transformer.transformer_blocks.0.attn.to_q.lora_A.weight`     |
| the same, adapter named  | `transformer_blocks.0.attn.to_q.lora_A.default.weight`         |
| diffusers before PEFT    | `transformer_blocks.0.attn.to_q.lora.down.weight`              |
| kohya, OneTrainer        | `lora_unet_transformer_blocks_0_attn_to_q.lora_down.weight`    |
| Qwen-Image-Lightning     | `transformer_blocks.0.attn.to_q.lora_down.weight`              |
| ComfyUI                  | `diffusion_model.transformer_blocks.0.attn.to_q.lora_A.weight` |

`lora_B` and `lora_up` are the other factor; its `.bias` goes to the bias, scaled as the matrix is.
`.diff` and `.diff_b` are added to weight and bias as they are. Alpha is the module's `.alpha`, else
what PEFT's configuration says (`lora_adapter_metadata` in the file's header, or
`adapter_config.json` beside `adapter_model.safetensors`), else the rank.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from layerctl_model.folder import CheckpointError, read_json
from layerctl_model.shards import PRECISIONS, Stored, damaged, read_header

PREFIXES = re.compile(
    r"(?:base_model\.model\.|transformer\.|diffusion_model\.|model\."
    r"|lora_unet_|lora_transformer_|lycoris_)*"
)
FACTOR = r"[._]lora[._](?:{})(?:\.[^.]+)?\.{}"
ROLES = {
    "down": FACTOR.format("A|down", "weight"),
    "up": FACTOR.format("B|up", "weight"),
    "up_bias": FACTOR.format("B|up", "bias"),
    "alpha": r"\.alpha",
    "diff": r"\.diff",
    "diff_b": r"\.diff_b",
}
KEY = re.compile("(.+?)(?:" + "|".join(f"(?P<{r}>{end})" for r, end in ROLES.items()) + ")")
FLOATS = (*PRECISIONS, "F64", "F8_E4M3", "F8_E5M2")
FOREIGN = {
    "text_encoder": "a LoRA of the text encoder",
    "lora_te": "a LoRA of the text encoder",
    "dora_scale": "a DoRA",
    "lora_magnitude_vector": "a DoRA",
    "lokr_": "a LoKr",
    "hada_": "a LoHa",
    "oft_": "an OFT",
    "lora_mid": "a LoCon with Tucker factors",
    "lora_embedding_": "a LoRA of an embedding",
}
PEFT_HEADER = "lora_adapter_metadata"
PEFT_WEIGHTS, PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"


@dataclass(frozen=True)
class Addend:
    """What a file adds to one tensor of the network.

    Attributes:
        path: The file.
        target: The tensor's name, flat.
        keys: The two factors of a product, left to right, or the only one.
        shape: The tensor's shape.
        scale: What all of it is multiplied by.
    """

    path: Path
    target: str
    keys: tuple[str, ...]
    shape: tuple[int, ...]
    scale: float

    def check(self, name: str, shape: Sequence[int]) -> None:
        """Refuse a tensor of another shape."""
        if self.shape != tuple(shape):
            raise CheckpointError(
                f"{self.path} does not fit this network: {self.keys[0]} is for a tensor of "
                f"{self.shape} where {name} is {tuple(shape)}; use a LoRA made for this model"
            )

    def add_to(self, total: Tensor, weight: float) -> None:
        """Add this, weighted, to an fp32 tensor in place, without making the product first."""
        factors = [_read(self.path, key, total.device) for key in self.keys]
        if len(factors) == 2:
            total.addmm_(*factors, alpha=weight * self.scale)
        else:
            total.add_(*factors, alpha=weight * self.scale)


@dataclass(frozen=True)
class Scaling:
    """What PEFT's configuration of a file says of its alphas."""

    alpha: float | None = None
    patterns: tuple[tuple[re.Pattern[str], float], ...] = ()
    rank_stabilised: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Scaling:
        """Read `lora_alpha`, `alpha_pattern` and `use_rslora`."""
        if config.get("lora_alpha") is None:
            return cls()
        patterns = (config.get("alpha_pattern") or {}).items()
        return cls(
            float(config["lora_alpha"]),
            tuple((re.compile(rf"(.*\.)?({key})"), float(alpha)) for key, alpha in patterns),
            bool(config.get("use_rslora")),
        )

    def scale(self, module: str, rank: int) -> float:
        """The module's alpha over its rank, or over the root of it (rsLoRA, arXiv 2312.03732)."""
        if self.alpha is None:
            return 1.0
        matching = (alpha for pattern, alpha in self.patterns if pattern.fullmatch(module))
        return next(matching, self.alpha) / (math.sqrt(rank) if self.rank_stabilised else rank)


@dataclass(frozen=True)
class Module:
    """The keys of one linear layer, by role, and what their file says of them."""

    path: Path
    name: str
    keys: dict[str, str]
    shapes: dict[str, tuple[int, ...]]

    @property
    def is_low_rank(self) -> bool:
        """Whether there is a product, or what only a product can have."""
        return not self.keys.keys() <= {"diff", "diff_b"}

    def rank(self) -> int:
        """The rank of the product; refused where there is no product."""
        if not {"down", "up"} <= self.keys.keys():
            raise damaged(self.path, f"{self.name} lacks one of its factors")
        down, up = self.shapes["down"], self.shapes["up"]
        if len(down) != 2 or len(up) != 2 or down[0] != up[1] or not down[0]:
            raise CheckpointError(
                f"{self.path} is no LoRA of linear layers: {self.name} has the factors "
                f"{up} and {down}, which have no product; use another file"
            )
        return down[0]

    def addends(self, scale: float) -> Iterator[Addend]:
        """What the layer's `weight` and `bias` gain."""
        if self.is_low_rank:
            product = (self.shapes["up"][0], self.shapes["down"][1])
            yield self._addend("weight", ("up", "down"), product, scale)
        if "up_bias" in self.keys:
            yield self._addend("bias", ("up_bias",), self.shapes["up_bias"], scale)
        if "diff" in self.keys:
            yield self._addend("weight", ("diff",), self.shapes["diff"], 1.0)
        if "diff_b" in self.keys:
            yield self._addend("bias", ("diff_b",), self.shapes["diff_b"], 1.0)

    def _addend(
        self, kind: str, roles: tuple[str, ...], shape: tuple[int, ...], scale: float
    ) -> Addend:
        keys = tuple(self.keys[role] for role in roles)
        return Addend(self.path, flat(f"{self.name}.{kind}"), keys, shape, scale)


def flat(name: str) -> str:
    """A tensor's name with underscores for dots, which is all that kohya's files keep of it."""
    return name.replace(".", "_")


def read_addends(path: Path) -> list[Addend]:
    """What a LoRA file adds to a network, from its header and its alphas.

    Raises:
        CheckpointError: The file is missing or damaged, a pickle, no LoRA, or one in a format
            that cannot be merged.
    """
    modules = _modules(path, _header(path))
    scaling, alphas = _scalars(path, modules)
    addends: list[Addend] = []
    for module in modules:
        scale = 1.0
        if module.is_low_rank:
            rank = module.rank()
            alpha = alphas.get(module.name)
            scale = scaling.scale(module.name, rank) if alpha is None else alpha / rank
        if not math.isfinite(scale):
            raise damaged(path, f"the alpha of {module.name} is not finite")
        addends += module.addends(scale)
    return addends


def _header(path: Path) -> dict[str, Stored]:
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file: name the .safetensors file of the LoRA")
    with path.open("rb") as file:
        start = file.read(9)
    # A safetensors file starts with a length, which may look like anything, and a brace.
    if start.startswith((b"PK", b"\x80")) and not start.endswith(b"{"):
        raise CheckpointError(
            f"{path} is a pickle, which may run any code when it is opened: "
            "use the LoRA as .safetensors"
        )
    return read_header(path)


def _modules(path: Path, header: Mapping[str, Stored]) -> list[Module]:
    modules: dict[str, Module] = {}
    for key, stored in header.items():
        name, role = _parse(path, key)
        module = modules.setdefault(flat(name), Module(path, name, {}, {}))
        if role in module.keys:
            raise CheckpointError(
                f"{path} holds two adapters, {module.keys[role]} and {key}: use a file of one"
            )
        if role != "alpha" and stored.dtype not in FLOATS:
            raise CheckpointError(
                f"{path} stores {key} as {stored.dtype}: use a LoRA of floating-point numbers"
            )
        module.keys[role], module.shapes[role] = key, stored.shape
    return list(modules.values())


def _parse(path: Path, key: str) -> tuple[str, str]:
    """The module, as the file spells it without its prefix, and the role of a key."""
    for part, what in FOREIGN.items():
        if part in key:
            raise CheckpointError(
                f"{path} is {what} ({key}), which cannot be merged: "
                "use a plain LoRA of the transformer alone"
            )
    match = KEY.fullmatch(PREFIXES.sub("", key, count=1))
    if match is None or match.lastgroup is None:
        raise CheckpointError(
            f"{path} is not a LoRA in a format known here: it holds {key}; use another file"
        )
    return match[1], match.lastgroup


def _scalars(path: Path, modules: Sequence[Module]) -> tuple[Scaling, dict[str, float]]:
    """PEFT's configuration of the file, and the alphas in the file itself by module."""
    keys = {module.name: module.keys["alpha"] for module in modules if "alpha" in module.keys}
    with _opened(path) as file:
        metadata = file.metadata() or {}
        alphas = {name: file.get_tensor(key) for name, key in keys.items()}
    for name, alpha in alphas.items():
        if alpha.numel() != 1:
            raise damaged(path, f"the alpha of {name} is not one number")
    return _scaling(path, metadata), {name: float(alpha) for name, alpha in alphas.items()}


def _scaling(path: Path, metadata: Mapping[str, str]) -> Scaling:
    try:
        if PEFT_HEADER in metadata:
            config = json.loads(metadata[PEFT_HEADER]).items()
            return Scaling.from_config({k.removeprefix("transformer."): v for k, v in config})
        if path.name == PEFT_WEIGHTS:
            return Scaling.from_config(read_json(path.with_name(PEFT_CONFIG)))
    except (ValueError, TypeError, AttributeError, re.error) as error:
        raise CheckpointError(
            f"{path} comes with a configuration that PEFT would not write ({error}): fetch it again"
        ) from error
    return Scaling()


def _read(path: Path, key: str, device: torch.device) -> Tensor:
    with _opened(path, device) as file:
        tensor: Tensor = file.get_tensor(key).float()
    if not tensor.isfinite().all():
        raise damaged(path, f"{key} holds numbers that are not finite")
    return tensor


@contextmanager
def _opened(path: Path, device: torch.device | str = "cpu") -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise damaged(path, str(error)) from error
