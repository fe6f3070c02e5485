"""How to decompose: the settings of one run, and what a checkpoint was trained for; no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerctl_model.folder import CheckpointError, known_fields, read_json

PROFILE = "layerctl.json"
SIDE_MULTIPLE = 32


@dataclass(frozen=True)
class Settings:
    """One run: the defaults are those of the published Qwen-Image-Layered.

    `guidance` counts only where a negative text is given; `normalise_guidance` keeps every
    token at the length it has without guidance. `resolution` is the side of a square picture
    in pixels, other pictures get the same area.
    """

    layers: int = 4
    steps: int = 50
    guidance: float = 4.0
    resolution: int = 640
    seed: int = 0
    normalise_guidance: bool = False

    def __post_init__(self) -> None:
        if self.layers < 1 or self.steps < 1 or self.resolution < SIDE_MULTIPLE:
            raise ValueError(
                f"layers ({self.layers}) and steps ({self.steps}) must be at least 1, "
                f"resolution ({self.resolution}) at least {SIDE_MULTIPLE}"
            )


@dataclass(frozen=True)
class Profile:
    """What a checkpoint was trained for: usual settings, how many layers, a note on its limits.

    `reads_alpha` says whether it has seen pictures with alpha; others want them laid on a plain
    backdrop. A separator sees them so many times as large as the transformer does: at the first of
    `separator_scales` it tells things apart, at all of them what pixels show, and at
    `separator_detail`, if there is one, where exactly that ends.
    """

    settings: Settings = Settings()
    fewest_layers: int = 1
    most_layers: int = 16
    needs_text: bool = False
    reads_alpha: bool = True
    separator_scales: tuple[float, ...] = (1.0,)
    separator_detail: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.fewest_layers <= self.most_layers:
            raise ValueError(f"no number is {self.fewest_layers} to {self.most_layers} layers")
        scales = self.separator_scales
        if not scales or not all(0.5 <= scale <= 4 for scale in scales):
            raise ValueError(f"separator_scales {scales} are not numbers from 0.5 to 4")
        if self.separator_detail is not None and not 0.5 <= self.separator_detail <= 4:
            raise ValueError(f"separator_detail {self.separator_detail} is not from 0.5 to 4")


def read_profile(folder: Path) -> Profile:
    """The profile in a checkpoint's `layerctl.json`, or the published model's where there is none.

    The file may hold the fields of `Settings` and of `Profile` side by side, for example
    `{"resolution": 128, "steps": 20, "fewest_layers": 2, "most_layers": 6}`. A folder with a
    `text_encoder` needs an embedded prompt.

    Raises:
        CheckpointError: The file holds anything else.
    """
    path = folder / PROFILE
    content: dict[str, Any] = {"needs_text": (folder / "text_encoder").is_dir()}
    if path.exists():
        content |= read_json(path)
    limits = {key: content.pop(key) for key in list(content) if key in Profile.__annotations__}
    try:
        settings = Settings(**{**content, **known_fields(content, Settings)})
        return Profile(settings, **known_fields(limits, Profile))
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is not a profile: {error}") from error


def bucket_size(height: float, width: float, resolution: int) -> tuple[int, int]:
    """The height and width at which the network sees a picture, multiples of 32.

    The picture's aspect ratio, as nearly as that allows, at the area of a square of `resolution`.
    """
    aspect = width / height
    ideal = math.sqrt(resolution**2 * aspect)
    tall, wide = (round(side / SIDE_MULTIPLE) for side in (ideal / aspect, ideal))
    return max(tall, 1) * SIDE_MULTIPLE, max(wide, 1) * SIDE_MULTIPLE
