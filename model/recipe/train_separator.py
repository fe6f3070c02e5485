"""Trains the separator to tell the products of a scene from each other; `train.py` does, too.

    python model/recipe/train_separator.py --out runs/more --begin CHECKPOINT --minutes 9

goes on from the separator of a checkpoint. The same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from looks import draw_looks, look_stream
from loss import soft_iou
from masks import SIDE, Masks
from muon import Muon
from safetensors.torch import load_file
from session import Average, Session, learn
from stream import recall
from supply import DRAWERS, supplied
from torch import Tensor

from layerctl_model.backbone import Backbone
from layerctl_model.checkpoint import load_separator, save_separator
from layerctl_model.separator import Fields, Separator, SeparatorSizes, answers

BACKBONE = "LAYERCTL_BACKBONE"
"""The environment variable that names a file of `gather_backbone.py`."""

BATCH, MEMORY_BATCHES, USES = 16, 250, 2
GPU_BATCH, GPU_MEMORY_BATCHES, GPU_USES = 256, 20, 2
"""Scenes a step, how many batches are kept to be seen again, and how often each is seen."""

SMALL_SIDE, FULL_SIZE_FROM = 256, 0.4
"""Side of pictures while training is young, when much is still to be learned from small ones."""

MUON_RATE = 0.0015
ADAM_RATE = 5e-4
GPU_PACE, FURTHER_PACE = 2.0, 0.4
"""What rates are multiplied by: for the larger batches of a GPU, and to train on without one."""

GPU_DECAY = 0.995
"""The decay of the average on a GPU, whose steps are fewer."""

LATE_RATE = 5e-5
"""AdamW's rate for what of a backbone that was taught may still learn."""

RATES = (MUON_RATE, ADAM_RATE, LATE_RATE)

LATE, LATE_FROM, NEVER = 3, 0.8, 1.0
"""The first stage of it that may, the share of the training from which, and one that never comes.

What the earlier ones see all pictures have; what is built on them has to be nearly done.
"""

POINTS = 32
"""Pixels of each picture that are asked where their thing is."""

SURE = 0.6
"""Share of a pixel that one product must show to be asked."""

BEHIND = 0.3
"""How much a pixel of the background counts beside one of a thing: most are easy."""

TOUCH = 0.001
"""Share of the picture in which two products overlap if one of them hides the other."""

PAIR_WEIGHT = 1.0
"""How much it counts whether two points are of one thing, beside the masks."""

ORDER_WEIGHT = 0.5
"""How much it counts which of two things is in front, beside where they are."""

SEED, SCENES = 20_512_15604, 48


def main() -> None:
    """Train a separator on, and say where it lies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--begin", type=Path, help="a checkpoint to begin from, not from nothing")
    parser.add_argument("--minutes", type=float, default=100)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    length = chosen.out, chosen.minutes, chosen.workers
    if chosen.begin:
        train(begun(chosen.begin).to(device), further(*length, device))
    else:
        train_separator(chosen.out, chosen.minutes, device, chosen.workers)
    print(chosen.out / "checkpoint" / "separator")


def train_separator(folder: Path, minutes: float, device: torch.device, workers: int) -> None:
    """Train from nothing for so many minutes in all, then write the folder `separator`."""
    pace = GPU_PACE if device.type == "cuda" else 1.0
    train(untaught().to(device), Plan(folder, minutes, workers, pace))


@dataclass(frozen=True)
class Plan:
    """A training: where its files go, how long it is in all, and who draws for it.

    Rates are multiplied by `pace`. The late stages of a backbone that was taught learn from a share
    `late_from` of it on, and up to a share `small_until` of it pictures are small.
    """

    folder: Path
    minutes: float
    workers: int
    pace: float = 1.0
    late_from: float = LATE_FROM
    small_until: float = FULL_SIZE_FROM


def further(folder: Path, minutes: float, workers: int, device: torch.device) -> Plan:
    """Return how to train on: without a GPU gently, and its backbone stays as it is."""
    pace, late_from = (GPU_PACE, 0.0) if device.type == "cuda" else (FURTHER_PACE, NEVER)
    return Plan(folder, minutes, workers, pace, late_from, small_until=0.0)


def begun(checkpoint: Path) -> Separator:
    """Return a checkpoint's separator, to train on; its backbone counts as taught."""
    separator = load_separator(checkpoint, dtype=torch.float32).train()
    separator.backbone.requires_grad_(requires_grad=False)
    return separator


def untaught() -> Separator:
    """Return a separator that knows nothing but what its backbone was taught."""
    separator = Separator(SeparatorSizes())
    initialise(separator)
    teach(separator.backbone)
    return separator


def train(separator: Separator, plan: Plan) -> None:
    """Train a separator on the device where it is, then write its folder."""
    separator = separator.to(memory_format=torch.channels_last)
    device = separator.conv_in.weight.device
    muon, adam = optimizers(separator)
    average = Average(separator, GPU_DECAY) if device.type == "cuda" else Average(separator)
    test = draw_looks(np.random.default_rng(SEED), SCENES, SIDE, SIDE)

    def examine() -> dict[str, float]:
        steady = deepcopy(separator).eval()
        average.copy_to(steady)
        far, near = (score_fields(steady, scenes.to(device)) for scenes in test)
        return far | {f"near_{name}": score for name, score in near.items()}

    session = Session(
        plan.folder / "train-separator",
        plan.minutes * 60,
        {"separator": separator, "muon": muon, "adam": adam, "average": average},
        examine,
    )
    session.resume()
    small, full = streams(session.steps, plan.workers, device)
    for factor in session.run():
        groups = (*muon.param_groups, *adam.param_groups)
        for group, most in zip(groups, RATES, strict=True):
            group["lr"] = most * plan.pace * factor
        if session.elapsed >= plan.late_from * session.budget:
            thaw(separator.backbone)
        young = session.elapsed < plan.small_until * session.budget
        loss = error(separator, next(small if young else full).to(device))
        if not session.sound(loss):
            continue
        learn(separator, loss, muon, adam)
        average.update(separator, session.steps)
    average.copy_to(separator)
    save_separator(separator.bfloat16(), plan.folder / "checkpoint")


def error(separator: Separator, scenes: Masks) -> Tensor:
    """Return what a separator gets wrong in scenes, half of the time seen in a mirror."""
    scenes = scenes.mirrored() if random.random() < 0.5 else scenes  # noqa: S311
    with torch.autocast(scenes.pictures.device.type, torch.bfloat16):
        fields = separator(scenes.pictures)
    return separator_loss(fields, scenes)


def streams(
    seed: int, workers: int, device: torch.device
) -> tuple[Iterator[Masks], Iterator[Masks]]:
    """Return the scenes to learn from while training is young, and later; a GPU sees large ones."""
    if device.type == "cuda":
        new = supplied(GPU_BATCH, seed, max(workers, DRAWERS), device)
        scenes = recall(new, GPU_MEMORY_BATCHES, GPU_USES)
        next(scenes)  # before the clock starts
        return scenes, scenes
    small, full = (
        recall(look_stream(BATCH, seed, workers, side), MEMORY_BATCHES, USES)
        for side in (SMALL_SIDE, SIDE)
    )
    return small, full


def optimizers(separator: Separator) -> tuple[Muon, torch.optim.AdamW]:
    """Return Muon for the kernels, and AdamW for the rest and what of a backbone learns late."""
    learning = [p for p in separator.parameters() if p.requires_grad]
    kernels = [p for p in learning if p.ndim == 4]
    others = [p for p in learning if p.ndim != 4]
    late = [p for p in separator.backbone.stages[LATE:].parameters() if not p.requires_grad]
    groups = [{"params": others, "lr": ADAM_RATE}, {"params": late, "lr": LATE_RATE}]
    return Muon(kernels, MUON_RATE), torch.optim.AdamW(groups, betas=(0.9, 0.98))


@torch.no_grad()
def initialise(separator: Separator) -> None:
    """Fill the network so that signals keep their size; in a backbone, until taught, they fade."""
    for module in separator.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            torch.nn.init.zeros_(module.bias)


def teach(backbone: Backbone) -> None:
    """Give the backbone the weights that `BACKBONE` names, and keep them; without any it learns."""
    path = os.environ.get(BACKBONE)
    if path:
        backbone.load_state_dict(load_file(path))
        backbone.requires_grad_(requires_grad=False)


def thaw(backbone: Backbone) -> None:
    """Let the late stages of a backbone that was taught learn, too."""
    backbone.stages[LATE:].requires_grad_(requires_grad=True)


def separator_loss(fields: Fields, scenes: Masks) -> Tensor:
    """Return the error in what pixels show, where their things are, and what is in front."""
    kinds = -(scenes.kinds * fields.kinds.float().log_softmax(dim=1)).sum(dim=1).mean()
    points, owners, there = draw_points(scenes.seen)
    queries = at(fields.queries.float(), points)
    weights = BEHIND + (1 - BEHIND) * (1 - scenes.kinds[:, :1])
    batch = torch.arange(len(owners), device=owners.device)[:, None]
    masks = kinds.new_zeros(owners.shape)
    for keys, truth in ((fields.seen, scenes.seen), (fields.whole, scenes.whole)):
        masks = masks + mask_loss(answers(queries, keys.float()), truth[batch, owners], weights)
    masks = (masks * there).sum() / there.sum().clamp_min(1)
    order = order_loss(at(fields.nearness.float(), points)[..., 0], owners, scenes.whole, there)
    pairs = pair_loss(queries, at(fields.seen.float(), points), owners, there)
    return kinds + masks + PAIR_WEIGHT * pairs + ORDER_WEIGHT * order


def draw_points(seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return pixels (B, P) of random products, whose they are (B, P), and which there are (B, P).

    Every product is asked as often as any other, whatever its size.
    """
    sure = (seen.flatten(2) > SURE).float()
    share = (sure / sure.sum(dim=2, keepdim=True).clamp_min(1)).sum(dim=1)
    points = (share + 1e-9).multinomial(POINTS, replacement=True)
    shown = seen.flatten(2).gather(2, points[:, None].expand(-1, seen.shape[1], -1))
    return points, shown.argmax(dim=1), shown.amax(dim=1) > SURE


def at(field: Tensor, points: Tensor) -> Tensor:
    """Return what a field (B, C, h, w) says at points (B, P): (B, P, C)."""
    flat = field.flatten(2)
    return flat.gather(2, points[:, None].expand(-1, flat.shape[1], -1)).mT


def mask_loss(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted cross-entropy and 1 - Dice of masks (B, P, h, w): (B, P)."""
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    entropy = (weights * entropy).mean(dim=(2, 3)) / weights.mean(dim=(2, 3))
    found = logits.sigmoid()
    both, either = (found * target).sum(dim=(2, 3)), (found + target).sum(dim=(2, 3))
    return entropy + 1 - (2 * both + 1) / (either + 1)


def pair_loss(queries: Tensor, keys: Tensor, owners: Tensor, there: Tensor) -> Tensor:
    """Return the cross-entropy of whether two points are of one thing.

    In a mask a thing that shows little is a few pixels in an error of many; here it counts as much
    as any other.

    Args:
        queries: (B, P, D), what the points ask.
        keys: (B, P, D), what they answer.
        owners: (B, P), whose they are.
        there: (B, P), which there are.
    """
    logits = answers(queries, keys.mT[:, :, None])[:, :, 0]
    same = (owners[:, :, None] == owners[:, None]).float()
    asked = there[:, :, None] & there[:, None]
    entropy = F.binary_cross_entropy_with_logits(logits, same, reduction="none")
    return (entropy * asked).sum() / asked.sum().clamp_min(1)


def order_loss(nearness: Tensor, owners: Tensor, whole: Tensor, there: Tensor) -> Tensor:
    """Return the cross-entropy of which of two points (B, P) is on the upper of two things.

    Only of things that overlap: of others nobody can tell.
    """
    flat = whole.flatten(2)
    overlap = flat @ flat.mT / flat.shape[2] > TOUCH
    batch = torch.arange(len(whole), device=whole.device)[:, None, None]
    first, second = owners[:, :, None], owners[:, None, :]
    asked = overlap[batch, first, second] & (first != second)
    asked &= there[:, :, None] & there[:, None, :]
    apart = nearness[:, :, None] - nearness[:, None, :]
    entropy = F.binary_cross_entropy_with_logits(apart, (first > second).float(), reduction="none")
    return (entropy * asked).sum() / asked.sum().clamp_min(1)


@torch.inference_mode()
def score_fields(separator: Separator, scenes: Masks) -> dict[str, float]:
    """Return the mean IoU of the masks of random pixels: of all scenes, and of the crowded ones."""
    fields = separator(scenes.pictures)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        points, owners, there = draw_points(scenes.seen)
    scores = {}
    crowded = (scenes.seen.amax(dim=(2, 3)) > SURE).sum(dim=1) > 1
    batch = torch.arange(len(owners), device=owners.device)[:, None]
    for name, keys, truth in (
        ("seen", fields.seen, scenes.seen),
        ("whole", fields.whole, scenes.whole),
    ):
        masks = answers(at(fields.queries, points), keys).sigmoid()
        overlap = soft_iou(masks.flatten(2), truth[batch, owners].flatten(2))
        scores[name] = overlap[there].mean().item()
        scores[f"{name}_apart"] = overlap[there & crowded[:, None]].mean().item()
    return scores


if __name__ == "__main__":
    main()
