"""A photo and a preset become a document: the only door to the network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import cv2
import numpy as np
import torch

from layerctl.batch import Decompose
from layerctl.checkpoints import checkpoint_folder
from layerctl.compositing import Floats
from layerctl.document import Decomposition, Document, Pixels
from layerctl.errors import EnvironmentFault, UsageError
from layerctl.lift import Guess, lift
from layerctl.photo import Photo
from layerctl.preset import DecomposeSection, ModelSection, Preset
from layerctl.roles import assemble, read_guess
from layerctl_model import CheckpointError, Decomposer, Settings, load
from layerctl_model.settings import bucket_size

LIGHT, DARK = 235, 60
"""Greys that a cut-out is laid on, in levels of 255."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def open_decompose(section: ModelSection) -> Decompose:
    """Return a function that takes photos apart with one checkpoint, loaded now and only once.

    Raises:
        EnvironmentFault: The checkpoint is missing or damaged, or the device is not there.
    """
    folder = checkpoint_folder(section)
    device = choose_device(section.device)
    try:
        decomposer = load(folder, device, choose_dtype(section.dtype, device))
    except CheckpointError as error:
        raise EnvironmentFault(str(error)) from error
    if decomposer.profile.needs_text:
        raise EnvironmentFault(f"{folder} needs a text encoder, which this version cannot run")

    def decompose(photo: Photo, preset: Preset) -> Decomposition:
        return take_apart(decomposer, photo, preset)

    return decompose


def choose_device(wanted: str) -> torch.device:
    """Return the device that a preset means; "auto" is the fastest there is.

    Raises:
        EnvironmentFault: It is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return torch.device(next((name for name, found in there.items() if found), "cpu"))
    if not there.get(wanted, True):
        raise EnvironmentFault(f"this machine has no {wanted} device; use --device cpu")
    return torch.device(wanted)


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """Return the precision that a preset means; "auto" is exact on a CPU and small on a GPU."""
    automatic = torch.float32 if device.type == "cpu" else torch.bfloat16
    return DTYPES.get(wanted, automatic)


def take_apart(decomposer: Decomposer, photo: Photo, preset: Preset) -> Decomposition:
    """Return the photo as a document, with the seconds that the model and the lift took."""
    seconds: dict[str, float] = {}
    with _timed(seconds, "model"):
        settings = resolve(preset.decompose, decomposer)
        layers = run_model(decomposer, photo, settings)
    with _timed(seconds, "lift"):
        document = raise_layers(photo, layers, preset)
    return Decomposition(document, seconds)


def resolve(section: DecomposeSection, decomposer: Decomposer) -> Settings:
    """Return the settings of one run: the preset's, and the checkpoint's where it is silent.

    Raises:
        UsageError: The checkpoint was not made for so many layers.
    """
    profile = decomposer.profile
    layers = profile.most_layers if section.layers == "auto" else section.layers
    if not profile.fewest_layers <= layers <= profile.most_layers:
        raise UsageError(
            f"this model makes {profile.fewest_layers} to {profile.most_layers} layers, "
            f"not {layers}; change --layers"
        )
    chosen = section.model_dump(include={"steps", "guidance", "resolution"}, exclude_none=True)
    return replace(profile.settings, layers=layers, seed=section.seed, **chosen)


def run_model(decomposer: Decomposer, photo: Photo, settings: Settings) -> Floats:
    """Return the model's layers: (N, h, w, 4) straight RGBA in [0, 1], bottom first."""
    size = bucket_size(photo.height, photo.width, settings.resolution)[::-1]
    seen = cv2.resize(on_plain(photo.srgb()), size, interpolation=cv2.INTER_AREA)
    picture = torch.from_numpy(seen).permute(2, 0, 1).float() / 255
    layers = decomposer.decompose(picture, settings)
    return np.ascontiguousarray(layers.permute(0, 2, 3, 1).numpy())


def on_plain(pixels: Pixels) -> Pixels:
    """Return a cut-out laid on a plain backdrop that it stands out from; opaque photos as they are.

    Models learn from opaque pictures; what the backdrop hides comes back with the photo's alpha.
    """
    alpha = pixels[..., 3:].astype(np.float32) / 255
    if alpha.min(initial=1) == 1:
        return pixels
    light = (pixels[..., :3] * alpha).mean() / max(float(alpha.mean()), 1e-6)
    plain = LIGHT if light < (LIGHT + DARK) / 2 else DARK
    laid = np.full_like(pixels, 255)
    laid[..., :3] = np.rint(alpha * pixels[..., :3] + (1 - alpha) * plain)
    return laid


def raise_layers(photo: Photo, layers: Floats, preset: Preset) -> Document:
    """Return the model's layers at the photo's own size, as a document that shows the photo."""
    guess = read_guess(layers, preset.quality.min_coverage)
    if preset.refine.shadow == "background":
        guess = without_shadow(guess)
    stack = lift(photo.pixels, guess, preset.refine.detail, edges=preset.refine.edges == "photo")
    empty = Document(photo.width, photo.height, (), photo.icc, photo.dpi)
    return assemble(stack, guess, preset.names.model_dump(), empty)


def without_shadow(guess: Guess) -> Guess:
    """Return the guess without its shadows, which the background then shows."""
    kept = [k for k, role in enumerate(guess.roles) if role != "shadow"]
    return Guess(
        guess.layers[kept],
        tuple(guess.roles[k] for k in kept),
        tuple(guess.solid[k] for k in kept),
    )


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - start, 3)
