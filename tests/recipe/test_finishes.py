"""What several kinds of objects share: colours given to regions of them."""

import numpy as np
from finishes import repaint
from shapes import ellipse, fill
from sprites import Finish, Light, Sprite

LIGHT = Light((0.0, -0.6, 0.8), 0.6, (1.0, 1.0, 1.0))


def ball():
    """A white ball, lit from above."""
    sprite = Sprite.blank(64, LIGHT)
    sprite.paint(fill(64, ellipse((0, 0), (0.8, 0.8))), np.ones(3, np.float32), Finish(0.8))
    return sprite


def tints(sprite):
    """The hues of what is solid, rounded, so that light and shade are none of their own."""
    solid = sprite.pixels[sprite.pixels[..., 3] > 0.99][:, :3]
    chroma = solid / np.maximum(solid.max(axis=1, keepdims=True), 1e-3)
    return {tuple(one) for one in np.rint(chroma * 8)}


def test_what_is_repainted_keeps_its_outline():
    for seed in range(8):
        sprite, before = ball(), ball().pixels[..., 3]
        repaint(np.random.default_rng(seed), sprite)
        np.testing.assert_array_equal(sprite.pixels[..., 3], before)
        assert (sprite.pixels[..., :3] <= sprite.pixels[..., 3:] + 1e-6).all()


def test_what_is_repainted_has_more_colours_than_before():
    more = 0
    for seed in range(20):
        sprite = ball()
        repaint(np.random.default_rng(seed), sprite)
        more += len(tints(sprite)) > len(tints(ball()))
    assert more > 10


def test_a_region_keeps_its_light_and_shade():
    sprite = ball()
    repaint(np.random.default_rng(3), sprite)
    light, before = (one.pixels[..., :3].mean(axis=2) for one in (sprite, ball()))
    assert np.corrcoef(light[36:56, 32], before[36:56, 32])[0, 1] > 0.9


def test_nothing_to_repaint_stays_nothing():
    blank = Sprite.blank(32, LIGHT)
    repaint(np.random.default_rng(0), blank)
    assert not blank.pixels.any()
