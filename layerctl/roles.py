"""What each of the model's layers is: its role, whether to keep it, how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from layerctl import channels
from layerctl.compositing import Bytes, Floats, Stack, weights
from layerctl.coverage import complete
from layerctl.document import Blend, Document, Layer, Quality, Role, trimmed
from layerctl.instances import cleared, deal, united
from layerctl.sketch import Guess
from layerctl.things import BACKGROUND, Things
from layerctl.workers import work_on

SHADOW_LIGHT = 0.2
"""Brightest mean colour, in [0, 1], of something that only takes light away."""

SHADOW_DENSITY = 0.8
"""Alpha that a shadow stays below on average where it is seen: what is denser is a dark product."""

SHADE = 0.04
"""Share of the light that a shadow takes at least, where it is darkest."""

THIN = 0.03
"""Width of strokes, as a share of the longest side, up to which a layer counts as thin."""

READABLE = 640
"""Longest side in pixels at which strokes are told from solids once more, when they are sharp."""

LETTERS, LEAST_MARK = 4, 0.01
"""Marks that make a word, and the share of all of them from which one counts."""

EVEN = 0.5
"""How far heights of letters are from their median at most, as a share of it."""

INK = 30
"""Mean spread of an ink's colours, in levels of 255."""

FAINT = 12
"""Levels of 255 up to which two colours are hard to tell apart."""

AGREED = 0.7
"""Overlap of the model's outline and the final one from which they count as the same."""

UNSURE = 0.35
"""Share of a layer's half-transparent pixels from which its edge counts as doubtful."""


def read_guess(
    layers: Floats, picture: Floats, least: float, things: Things | None = None
) -> Guess:
    """Return the model's layers that hold something, each with its role.

    Args:
        layers: (N, h, w, 4) straight RGBA in [0, 1], the background first.
        picture: (h, w, 4), what the model saw.
        least: Share of the canvas that a layer must show to be kept.
        things: What is to be seen in it, by a model that draws in no order; without them every
            layer is a thing, bottom first.
    """
    if things is None:
        kept, roles = _as_drawn(layers, least)
    else:
        kept, roles = _dealt(layers, picture, things, least)
    possible = things.possible if things else 1.0
    whole = complete(np.stack(kept), roles, picture, least, len(layers), possible)
    for layer in whole[len(roles) :]:
        roles.append(_role(layer, roles))
    solid = tuple(not _thin(layer[..., 3]) for layer in whole)
    chance = things.chance if things else np.ones(picture.shape[:2], np.float32)
    return Guess(whole, tuple(roles), solid, chance)


def _as_drawn(layers: Floats, least: float) -> tuple[list[Floats], list[Role]]:
    """Return the layers that show something, in their order, with their roles."""
    shown = weights(_opaque_below(layers[..., 3])).mean(axis=(1, 2))
    kept: list[Floats] = [layers[0]]
    roles: list[Role] = ["background"]
    for k in np.flatnonzero(shown >= least):
        if k > 0:
            roles.append(_role(layers[k], roles))
            kept.append(layers[k])
    return united(kept, roles)


def _opaque_below(alphas: Floats) -> Floats:
    opaque = alphas.copy()
    opaque[0] = 1
    return opaque


def _dealt(
    layers: Floats, picture: Floats, things: Things, least: float
) -> tuple[list[Floats], list[Role]]:
    """Return the background, a shadow on it, and what else was drawn as one layer a thing."""
    shadow = _lowest_shadow(layers, things)
    drawn = [layer for k, layer in enumerate(layers) if k not in (0, shadow)]
    ground = things.kinds[BACKGROUND]
    falls = bool(shadow) and _falls(layers[shadow], layers[0], picture, ground)
    shadows = [layers[shadow]] if falls else []
    room = len(layers) - 1 - len(shadows)
    dealt, roles = deal(drawn, picture, things, least, room)
    below: list[Role] = ["background"]
    below += ["shadow"] * len(shadows)
    return [cleared(layers[0], drawn, things), *shadows, *dealt], below + roles


def _lowest_shadow(layers: Floats, things: Things) -> int:
    """Return which layer is the shadow that the things cast, 0 if none is.

    Most of it may lie behind the things, where it is as dense as can be. What is dark further up is
    a thing.
    """
    shown = weights(_opaque_below(layers[..., 3]))
    seen = shown * things.kinds[BACKGROUND]
    dark = (
        k
        for k in range(1, len(layers))
        if _takes_light(layers[k], seen[k]) and things.bare(shown[k])
    )
    return next(dark, 0)


def _role(layer: Floats, below: list[Role]) -> Role:
    if below == ["background"] and _takes_light(layer, layer[..., 3]):
        return "shadow"
    return "text" if "product" in below and _thin(layer[..., 3]) else "product"


def _takes_light(layer: Floats, seen: Floats) -> bool:
    """Whether a layer is dark, and thin enough where it is seen (h, w), to be a shadow."""
    alpha = layer[..., 3]
    light = (channels.mean(layer[..., :3]) * alpha).sum() / max(float(alpha.sum()), 1e-6)
    density = (alpha * seen).sum() / max(float(seen.sum()), 1e-6)
    return bool(light < SHADOW_LIGHT and density < SHADOW_DENSITY)


def _falls(shadow: Floats, background: Floats, picture: Floats, bare: Floats) -> bool:
    """Whether a picture is darker than its background where a shadow should fall and nothing is."""
    weight = shadow[..., 3] * bare
    where = weight > weight.max() / 3
    light = np.maximum(channels.mean(background[..., :3]), 1e-3)
    darker = 1 - channels.mean(picture[..., :3]) / light
    return bool(np.percentile(darker[where], 80) > SHADE) if where.any() else False


def _thin(alpha: Floats) -> bool:
    """Whether hardly anything of a layer is left when its strokes are cut away."""
    width = max(3, round(THIN * max(alpha.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    solid = (alpha > alpha.max() / 2).astype(np.uint8)
    return bool(cv2.morphologyEx(solid, cv2.MORPH_OPEN, kernel).sum() < 0.3 * solid.sum())


def assemble(stack: Stack, guess: Guess, names: Mapping[str, str], like: Document) -> Document:
    """Return the lifted layers as a document, named, trimmed and judged; empty ones are left out.

    Args:
        stack: The layers at the photo's size.
        guess: What the model made of them.
        names: A name for each role; the second of a role gets " 2".
        like: An empty document that has the photo's size, profile and resolution.
    """
    kept = [k for k in range(len(guess.roles)) if k == 0 or stack.alphas[k].any()]

    def finish(k: int) -> Layer:
        role = guess.roles[k]
        if role == "product" and guess.roles.count("product") > 1 and _lettering(stack, k):
            role = "text"
        blend: Blend = "multiply" if role == "shadow" else "normal"
        quality = _judge(stack, guess, k, alone=len(kept) == 1)
        return trimmed(Layer(names[role], role, _pixels(stack, k), blend=blend, quality=quality))

    return replace(like, children=_numbered(work_on(kept, finish)))


def _numbered(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Return layers with the number of each after its name, from the second of a role on."""
    counts: dict[Role, int] = {}
    numbered = []
    for layer in layers:
        counts[layer.role] = counts.get(layer.role, 0) + 1
        suffix = f" {counts[layer.role]}" if counts[layer.role] > 1 else ""
        numbered.append(replace(layer, name=layer.name + suffix))
    return tuple(numbered)


def _pixels(stack: Stack, k: int) -> Bytes:
    """Return a layer as (H, W, 4) straight RGBA."""
    pixels = np.empty((*stack.alphas[k].shape, 4), np.uint8)
    cv2.mixChannels([stack.colours[k], stack.alphas[k]], [pixels], [0, 0, 1, 1, 2, 2, 3, 3])
    return pixels


def _lettering(stack: Stack, k: int) -> bool:
    """Whether a lifted layer is many thin marks of one height, all in one ink."""
    shape = stack.alphas[k].shape
    scale = READABLE / max(shape)
    size = max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))
    alpha = cv2.resize(stack.alphas[k], size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    if alpha.max() <= 0.5 or not _thin(alpha):
        return False
    marks = cv2.connectedComponentsWithStats((alpha > 0.5).astype(np.uint8))[2][1:]
    marks = marks[marks[:, cv2.CC_STAT_AREA] >= LEAST_MARK * marks[:, cv2.CC_STAT_AREA].sum()]
    heights = marks[:, cv2.CC_STAT_HEIGHT]
    even = np.abs(heights - np.median(heights)) <= EVEN * np.median(heights)
    ink = cv2.resize(stack.colours[k], size, interpolation=cv2.INTER_AREA)[alpha > 0.8]
    return bool(
        len(marks) >= LETTERS and even.mean() > 0.5 and len(ink) and ink.std(0).mean() < INK
    )


def _judge(stack: Stack, guess: Guess, k: int, *, alone: bool) -> Quality:
    coverage = float((stack.alphas[k] > 0).mean())
    rough = guess.layers[k, ..., 3]
    softness = float(((rough > 0.15) & (rough < 0.85)).sum() / max((rough > 0.15).sum(), 1))
    doubts = ["nothing was found in front of it"] if alone else []
    if guess.roles[k] == "product":
        if softness > UNSURE:
            doubts.append("the model is unsure of its outline")
        if _agreement(stack.alphas[k], rough) < AGREED:
            doubts.append("its outline was moved far to meet the photo's edges")
        if _contrast(stack, k) < FAINT:
            doubts.append("it hardly differs from what is behind it")
    return Quality(round(coverage, 4), round(softness, 4), tuple(doubts))


def _agreement(alpha: Bytes, rough: Floats) -> float:
    """Return the overlap of a layer's final and its first alpha, as intersection over union."""
    size = rough.shape[1], rough.shape[0]
    final = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return float(np.minimum(final, rough).sum() / max(np.maximum(final, rough).sum(), 1e-6))


def _contrast(stack: Stack, k: int) -> float:
    """Return how far a layer's colours are from the background's behind it, in levels of 255."""
    sample = np.s_[::4, ::4]
    covered = stack.alphas[k][sample] > 127
    apart = stack.colours[k][sample].astype(np.int16) - stack.colours[0][sample]
    return float(np.abs(apart)[covered].mean()) if covered.any() else 255.0
