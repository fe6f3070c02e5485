"""What the separator learns from."""

import numpy as np
import pytest
import torch
from masks import MOST, draw_masks, masks_of
from scenes import Scene, SceneLayer

SIDE = 64


def sheet(alpha, colour=0.5):
    pixels = np.full((SIDE, SIDE, 4), colour, np.float32)
    pixels[..., 3] = alpha
    return pixels


def box(left, top, right, bottom):
    alpha = np.zeros((SIDE, SIDE), np.float32)
    alpha[top:bottom, left:right] = 1
    return alpha


def scene(*layers):
    above = [SceneLayer(role, sheet(alpha)) for role, alpha in layers]
    return Scene((SceneLayer("background", sheet(1)), *above), sheet(1))


def test_what_shows_of_a_product_is_less_than_all_of_it_where_another_lies_above():
    back, front = box(8, 8, 40, 40), box(24, 24, 56, 56)
    _, kinds, seen, whole = masks_of(scene(("product", back), ("product", front)))
    assert whole[0].sum() == 64
    assert seen[0].sum() == 64 - 16
    assert torch.equal(seen[1], whole[1])
    assert kinds[1].sum() == 64 + 64 - 16
    assert torch.equal(kinds.sum(dim=0), torch.ones(16, 16))


def test_shadows_are_background_and_text_is_a_kind_of_its_own():
    scenery = scene(("shadow", box(0, 0, 64, 32)), ("product", box(0, 32, 64, 64)))
    _, kinds, seen, _ = masks_of(scenery)
    assert kinds[0].sum() == kinds[1].sum() == seen[0].sum() == 128
    written = scene(("product", box(0, 0, 64, 64)), ("text", box(0, 0, 32, 32)))
    _, kinds, seen, whole = masks_of(written)
    assert kinds[2].sum() == 64
    assert whole[0].sum() - seen[0].sum() == 64


def test_what_hardly_shows_is_not_asked_for():
    under = scene(("product", box(8, 8, 16, 16)), ("product", box(0, 0, 60, 60)))
    _, _, seen, whole = masks_of(under)
    assert whole[0].sum() == 225
    assert not whole[1:].any()
    assert not seen[1:].any()


@pytest.fixture(scope="module")
def drawn():
    return draw_masks(np.random.default_rng(3), 6, 96, 160)


def test_a_batch_has_one_shape_and_its_masks_are_four_times_smaller(drawn):
    assert drawn.pictures.shape == (6, 4, 96, 160)
    assert drawn.kinds.shape == (6, 3, 24, 40)
    assert drawn.seen.shape == drawn.whole.shape == (6, MOST, 24, 40)
    assert drawn.pictures.abs().max() <= 1


def test_nobody_shows_more_than_there_is(drawn):
    assert (drawn.seen <= drawn.whole + 1e-3).all()
    assert (drawn.seen.float().sum(dim=1) <= drawn.kinds[:, 1].float() + 1e-2).all()


def test_a_mirror_turns_pictures_and_masks_together(drawn):
    mirrored = drawn.mirrored()
    assert torch.equal(mirrored.pictures[..., 0], drawn.pictures[..., -1])
    assert torch.equal(mirrored.seen[..., 0], drawn.seen[..., -1])
    assert torch.equal(mirrored.mirrored().kinds, drawn.kinds)
