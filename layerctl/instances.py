"""One thing to a layer: what a model drew in any number of layers is dealt out to its things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from layerctl import channels
from layerctl.compositing import Floats
from layerctl.document import Role
from layerctl.pyramid import spread
from layerctl.things import Things

TWINS = 0.4
"""Share of the smaller of two layers that the other must repeat for them to be one thing."""

ALIKE = 0.15
"""Difference of colours, in [0, 1], up to which two layers agree on what they show."""

OWNED = 0.5
"""Share of what is seen of a drawn layer that belongs to a thing if the whole layer does."""

SOLID = 0.5
"""Alpha from which something is there."""

PURE = 0.9
"""Share of a pixel, of the most there is, from which its colour is that of one thing."""

LEFT = 0.3
"""Cover that no layer accounts for from which the background shows the thing as well."""


def deal(
    layers: Sequence[Floats], picture: Floats, things: Things, least: float, room: int
) -> tuple[list[Floats], list[Role]]:
    """Return one layer for each thing, back to front, and one of the text if there is any.

    What shows is what the layers cover, in the picture's colours; hidden parts are as far as the
    things reach, in the colours of the layers that are theirs.

    Args:
        layers: What a model drew of the things, each (h, w, 4) straight RGBA in [0, 1].
        picture: (h, w, 4), what it saw.
        things: What is to be seen in it.
        least: Share of the canvas that a thing must show.
        room: How many layers there may be.
    """
    cover = things.cover(layers)
    text = cover * things.written
    if room < 2 or text.mean() < least:
        text = np.zeros_like(text)
    products, room = cover - text, max(1, room - bool(text.any()))
    things = things.parted().trimmed().showing(products, least).merged(room)
    dealt = []
    for k, share in enumerate(things.shares):
        seen = products * share
        before = text + products * things.shares[k + 1 :].sum(axis=0)
        alpha = seen + things.whole[k] * before
        dealt.append(_painted(alpha, seen, _owned(layers, seen, cover), picture))
    roles: list[Role] = ["product"] * len(dealt)
    if text.any():
        dealt.append(_painted(text, text, _owned(layers, text, cover), picture))
        roles.append("text")
    return dealt, roles


def cleared(background: Floats, layers: Sequence[Floats], things: Things) -> Floats:
    """Return the background without the things that no layer was drawn of: it goes on behind."""
    drawn = 1 - np.prod([1 - layer[..., 3] for layer in layers], axis=0)
    left = things.cover(layers) - drawn > LEFT
    return spread(background, ~left) if left.any() else background


def united(layers: Sequence[Floats], roles: Sequence[Role]) -> tuple[list[Floats], list[Role]]:
    """Return layers in their order, with what is drawn twice joined.

    Args:
        layers: Each (h, w, 4) straight RGBA in [0, 1], bottom first.
        roles: What each of them is.
    """
    masses = [float(layer[..., 3].sum()) for layer in layers]
    things = [k for k, role in enumerate(roles) if role in ("product", "text")]
    whole: dict[int, Floats] = {}
    for k in sorted(things, key=lambda k: -masses[k]):
        twin = _twin(layers[k], whole)
        if twin is None:
            whole[k] = layers[k]
        else:
            whole[twin] = joined(whole[twin], layers[k])
    kept = [k for k in range(len(layers)) if k in whole or k not in things]
    return [whole.get(k, layers[k]) for k in kept], [roles[k] for k in kept]


def joined(first: Floats, second: Floats) -> Floats:
    """Return one layer with all that two have of a thing, straight RGBA as they are."""
    one, two = first[..., 3:], second[..., 3:]
    colour = (one * first[..., :3] + two * second[..., :3]) / np.maximum(one + two, 1e-6)
    return np.concatenate([colour, np.minimum(one + two, 1)], axis=-1)


def _twin(thing: Floats, whole: Mapping[int, Floats]) -> int | None:
    """Return which of the whole things is the same: one goes on where the other is, alike."""
    mass = float(thing[..., 3].sum())
    agreed = {k: _agreed(thing, one) / mass for k, one in whole.items()} if mass else {}
    return next((k for k, share in agreed.items() if share > TWINS), None)


def _agreed(one: Floats, other: Floats) -> float:
    """Return the alpha that two layers share where they are of one colour."""
    both = np.minimum(one[..., 3], other[..., 3])
    alike = _unlike(one, other) < ALIKE
    return float(both[alike].sum())


def _unlike(one: Floats, other: Floats) -> Floats:
    """Return how far the colours of two pictures are apart: (h, w) in [0, 1]."""
    apart: Floats = channels.mean(np.abs(one[..., :3] - other[..., :3]))
    return apart


def _owned(layers: Sequence[Floats], seen: Floats, cover: Floats) -> list[Floats]:
    """Return the layers of which a thing is the greater part of what is seen."""
    return [
        layer
        for layer in layers
        if (layer[..., 3] * seen).sum() > OWNED * (layer[..., 3] * cover).sum()
    ]


def _painted(alpha: Floats, seen: Floats, layers: Sequence[Floats], picture: Floats) -> Floats:
    """Return a layer of this alpha: what is seen as in the picture, the rest as in its layers."""
    # On edges the picture shows a mixture, and where a layer looks like it, what hides the thing.
    known = seen > PURE * seen.max()
    colour = np.where(known[..., None], picture[..., :3], 0)
    for layer in layers:
        own = (seen > SOLID * alpha) | (_unlike(layer, picture) > ALIKE)
        more = (layer[..., 3] > SOLID) & own & ~known
        colour = np.where(more[..., None], layer[..., :3], colour)
        known |= more
    colour = spread(colour.astype(np.float32), known)
    return np.concatenate([colour, alpha[..., None]], axis=-1).astype(np.float32)
