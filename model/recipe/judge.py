"""Judges a separator alone on scenes of the recipe: how many products it finds, each as one thing.

    python model/recipe/judge.py CHECKPOINT --crowded 80 --single 40 --large 60 --stacked 80

`LAYERCTL_STOCK` counts, as in training. The same command gives the same scenes again.

    python model/recipe/judge.py CHECKPOINT --cutouts FOLDER --backdrops FOLDER

judges it on photographs instead: things that were cut out of some, before backdrops of others, in
stacks and three times alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from assignment import assign
from collage import Collection, alone, read_collection, stack
from loss import soft_iou
from masks import SIDE, masks_of
from scenes import Scene, make_scene
from scores import OWN
from staging import arrange, one_large, stacked
from torch import Tensor

from layerctl.decompose import view_of
from layerctl.photo import Photo
from layerctl_model.checkpoint import load_separator
from layerctl_model.closeup import Crop, find_all, look_with
from layerctl_model.separator import Separator
from layerctl_model.things import Things

SEED = 20_512_15605

DRAWN = 2 * SIDE
"""Height and width of scenes in pixels: as photos, they have more of them than a first look."""

STACKS, THRICE = 96, 3
"""How many stacks of cut-outs there are, and how often each cut-out is alone."""

PIECE = 0.03
"""Share of what shows of a product from which a thing is a piece of it."""

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
    parser.add_argument("--cutouts", type=Path, help="a folder of RGBA pictures")
    parser.add_argument("--backdrops", type=Path, help="a folder of pictures of nothing else")
    chosen = parser.parse_args()
    if (chosen.cutouts is None) != (chosen.backdrops is None):
        parser.error("--cutouts needs --backdrops, and they need it")
    for folder in (chosen.cutouts, chosen.backdrops):
        if folder and not folder.is_dir():
            parser.error(f"{folder} is no folder")
    try:
        collection = chosen.cutouts and read_collection(chosen.cutouts, chosen.backdrops)
    except (OSError, ValueError) as fault:
        parser.error(str(fault))
    separator = load_separator(chosen.checkpoint, dtype=torch.float32)
    if collection:
        judge_photographs(separator, collection)
    else:
        judge_drawn(separator, vars(chosen))


def judge_drawn(separator: Separator, counts: Mapping[str, int]) -> None:
    """Print how many scenes of the recipe come out right, of so many of each of `KINDS`."""
    single, crowded, large, behind = (
        [compare(find(separator, picture, seen), seen, whole) for picture, seen, whole in scenes]
        for scenes in (draw(counts[kind], kind) for kind in KINDS)
    )
    print(f"all products apart: {apart(crowded):.1%} of {len(crowded)} scenes")
    tell_more(crowded)
    print(f"single products that are one thing: {undivided(single):.1%} of {len(single)}")
    print(f"large ones of many colours that are: {undivided(large):.1%} of {len(large)}")
    print(f"all products apart that hide much of each other: {apart(behind):.1%} of {len(behind)}")


def judge_photographs(separator: Separator, collection: Collection) -> None:
    """Print how many stacks of cut-outs come out right, and how many cut-outs alone."""
    rng = np.random.default_rng(SEED)
    stacks = [products(stack(rng, collection, 2 + k % 2, DRAWN)) for k in range(STACKS)]
    numbers = [number for number in range(len(collection.cutouts)) for _ in range(THRICE)]
    singles = [products(alone(rng, collection, number, DRAWN)) for number in numbers]
    verdicts = [
        compare(find(separator, picture, seen), seen, whole) for picture, seen, whole in stacks
    ]
    one = [pieces(find(separator, picture, seen), seen) < 2 for picture, seen, _ in singles]
    print(f"all cut-outs apart: {apart(verdicts):.1%} of {len(verdicts)} stacks")
    tell_more(verdicts)
    print(f"cut-outs alone that are in one piece: {np.mean(one):.1%} of {len(one)}")


def tell_more(verdicts: Sequence[Verdict]) -> None:
    """Print how many products of all scenes are found, and how many pairs are in order."""
    found = sum(verdict.found for verdict in verdicts) / sum(v.products for v in verdicts)
    ordered = sum(v.ordered for v in verdicts) / max(1, sum(v.pairs for v in verdicts))
    print(f"products found: {found:.1%}")
    print(f"pairs in order: {ordered:.1%}")


def apart(verdicts: Sequence[Verdict]) -> float:
    """Return the share of scenes whose products are things of their own, each of them."""
    return float(np.mean([verdict.found == verdict.products for verdict in verdicts]))


def undivided(verdicts: Sequence[Verdict]) -> float:
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
        picture, seen, whole = products(scene)
        if len(seen) and (len(seen) > 1) == (kind in ("crowded", "stacked")):
            yield picture, seen, whole
            count -= 1


def products(scene: Scene) -> tuple[Tensor, Tensor, Tensor]:
    """Return the picture of a scene, what shows of its products, and all of them."""
    picture, _, seen, behind = masks_of(scene)
    there = seen.amax(dim=(1, 2)) > OWN
    return picture, seen[there].float(), behind[there].float()


@torch.inference_mode()
def find(separator: Separator, picture: Tensor, seen: Tensor) -> Things:
    """Return what a separator makes of a picture (4, H, W), at the size of (K, h, w)."""
    levels = picture.add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy()
    pixels = view_of(Photo(Path(), levels), with_alpha=True)

    def view(crop: Crop, resolution: int) -> Tensor:
        return torch.from_numpy(pixels(crop, resolution)).permute(2, 0, 1) / 255

    return find_all(look_with(separator, view), [SIDE], (seen.shape[1], seen.shape[2]))


def pieces(things: Things, seen: Tensor) -> int:
    """Return in how many things a single product (1, h, w) is."""
    shown = things.shares * things.kinds[1] * seen
    return int((shown.sum(dim=(1, 2)) > PIECE * seen.sum()).sum())


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
