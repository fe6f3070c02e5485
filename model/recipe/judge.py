"""Judges a separator alone on scenes of the recipe: how many products it finds, each as one thing.

    python model/recipe/judge.py CHECKPOINT --crowded 80 --single 40 --large 60 --stacked 80

`LAYERCTL_STOCK` counts, as in training. The same command gives the same scenes again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from assignment import assign
from loss import soft_iou
from masks import SIDE, masks_of
from scenes import make_scene
from scores import OWN
from staging import arrange, one_large, stacked
from torch import Tensor

from layerctl.decompose import view_of
from layerctl.photo import Photo
from layerctl_model.checkpoint import load_separator
from layerctl_model.closeup import Crop, find_all
from layerctl_model.separator import Fields, Separator, look
from layerctl_model.things import Things

SEED = 20_512_15605

DRAWN = 2 * SIDE
"""Height and width of scenes in pixels: as photos, they have more of them than a first look."""

KINDS = ("single", "crowded", "large", "stacked")


@dataclass(frozen=True)
class Verdict:
    """What became of a scene of `products` products, of which `found` are things of their own.

    `things` were found in all; of `pairs` of products that overlap and were found, `ordered` are in
    the right order.
    """

    products: int
    found: int
    things: int
    pairs: int
    ordered: int


def main() -> None:
    """Print how many scenes come out right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--crowded", type=int, default=80, help="scenes of several products")
    parser.add_argument("--single", type=int, default=40, help="scenes of one product")
    parser.add_argument("--large", type=int, default=60, help="large products of many colours")
    parser.add_argument("--stacked", type=int, default=80, help="scenes of much that is hidden")
    chosen = parser.parse_args()
    separator = load_separator(chosen.checkpoint, dtype=torch.float32)
    single, crowded, large, behind = (
        [judge(separator, *scene) for scene in draw(vars(chosen)[kind], kind)] for kind in KINDS
    )
    found = sum(verdict.found for verdict in crowded) / sum(v.products for v in crowded)
    ordered = sum(v.ordered for v in crowded) / max(1, sum(v.pairs for v in crowded))
    print(f"all products apart: {apart(crowded):.1%} of {len(crowded)} scenes")
    print(f"products found: {found:.1%}")
    print(f"pairs in order: {ordered:.1%}")
    print(f"single products that are one thing: {whole(single):.1%} of {len(single)}")
    print(f"large ones of many colours that are: {whole(large):.1%} of {len(large)}")
    print(f"all products apart that hide much of each other: {apart(behind):.1%} of {len(behind)}")


def apart(verdicts: Sequence[Verdict]) -> float:
    """Return the share of scenes whose products are things of their own, each of them."""
    return float(np.mean([verdict.found == verdict.products for verdict in verdicts]))


def whole(verdicts: Sequence[Verdict]) -> float:
    """Return the share of scenes of one product in which one thing was found, and is it."""
    return float(np.mean([verdict.found == verdict.things == 1 for verdict in verdicts]))


def draw(count: int, kind: str) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield scenes of a kind of `KINDS`.

    Each is a picture (4, H, W), what shows of its products (K, h, w), and all of them.
    """
    rng = np.random.default_rng([SEED, KINDS.index(kind)])
    arrangement = {"large": one_large, "stacked": stacked}.get(kind, arrange)
    while count:
        scene = make_scene(rng, DRAWN, DRAWN, arrangement)
        picture, _, seen, behind = masks_of(scene)
        there = seen.amax(dim=(1, 2)) > OWN
        if (there.sum() > 1) == (kind in ("crowded", "stacked")) and there.any():
            yield picture, seen[there].float(), behind[there].float()
            count -= 1


@torch.inference_mode()
def judge(separator: Separator, picture: Tensor, seen: Tensor, whole: Tensor) -> Verdict:
    """Return what a separator makes of a scene."""
    levels = picture.add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy()
    view = view_of(Photo(Path(), levels), with_alpha=True)

    def look_at(crop: Crop, resolution: int) -> Fields:
        near = torch.from_numpy(view(crop, resolution)).permute(2, 0, 1)
        return look(separator, near[None] / 127.5 - 1)

    return compare(find_all(look_at, [SIDE], (seen.shape[1], seen.shape[2])), seen, whole)


def compare(things: Things, seen: Tensor, whole: Tensor) -> Verdict:
    """Return how things (K, h, w) compare with what shows of products (T, h, w), back to front."""
    shown = things.shares * things.kinds[1]
    found, true = shown.flatten(1), seen.flatten(1)
    most = max(len(found), len(true))
    overlap = torch.zeros(most, most)
    overlap[: len(true), : len(found)] = soft_iou(true[:, None], found[None])
    place = assign(-overlap[None])[0][: len(true)]
    right = overlap[range(len(true)), place] > OWN
    flat = whole.flatten(1)
    touch = (flat @ flat.T).triu(1) > 0.001 * flat.shape[1]
    pairs = [(a, b) for a, b in touch.nonzero().tolist() if right[a] and right[b]]
    ordered = sum(bool(place[a] < place[b]) for a, b in pairs)
    return Verdict(len(true), int(right.sum()), len(found), len(pairs), ordered)


if __name__ == "__main__":
    main()
