"""Photos whose layers are known, and what a model might say of them."""

import cv2
import numpy as np

from layerctl.document import Document, Layer
from layerctl.sketch import Guess


def scene(height=300, width=420, *, shadow=False):
    """A textured disc on a gradient: the photo, and its true layers in [0, 1]."""
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    backdrop = np.ones((height, width, 4), np.float32)
    backdrop[..., :3] = 0.6 + 0.3 * (columns / width)[..., None]
    disc = np.ones((height, width, 4), np.float32)
    disc[..., :3] = (0.8, 0.2, 0.1) + 0.1 * rng.random((height, width, 1), dtype=np.float32)
    distance = np.hypot(rows - height * 0.45, columns - width * 0.5)
    disc[..., 3] = np.clip(height * 0.3 - distance + 0.5, 0, 1)
    layers = [backdrop, disc]
    if shadow:
        dark = np.zeros_like(disc)
        below = np.exp(-np.square((rows - height * 0.8) / 25) - np.square((columns - 210) / 90))
        dark[..., 3] = 0.5 * below
        layers.insert(1, dark)
    canvas = np.zeros((height, width, 3), np.float32)
    for layer in layers:
        canvas += layer[..., 3:] * (layer[..., :3] - canvas)
    photo = np.dstack([canvas, np.ones((height, width), np.float32)])
    return np.rint(photo * 255).astype(np.uint8), layers


def blurred(layers, side=64):
    """What a model that sees 64 pixels might say."""
    small = []
    for layer in layers:
        premultiplied = np.dstack([layer[..., :3] * layer[..., 3:], layer[..., 3]])
        tiny = cv2.resize(premultiplied, (side, side), interpolation=cv2.INTER_AREA)
        tiny = cv2.GaussianBlur(tiny, (0, 0), 1)
        tiny[..., :3] /= np.maximum(tiny[..., 3:], 1e-3)
        small.append(np.clip(tiny, 0, 1))
    return np.stack(small)


def guess_of(layers, *, shadow=False):
    roles = ("background", "shadow", "product") if shadow else ("background", "product")
    return guess_as(layers, roles)


def guess_as(layers, roles):
    small = blurred(layers)
    chance = np.ones(small.shape[1:3], np.float32)
    return Guess(small, roles, tuple(role == "product" for role in roles), chance)


def flatten(stack, like):
    layers = tuple(
        Layer("x", "product", np.dstack([colour, alpha]), blend="multiply" if black else "normal")
        for colour, alpha, black in zip(stack.colours, stack.alphas, stack.black, strict=True)
    )
    return Document(like.shape[1], like.shape[0], layers).flatten()


def overlap(alpha, truth):
    return np.minimum(alpha, truth).sum() / np.maximum(alpha, truth).sum()
