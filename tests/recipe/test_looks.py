"""What the separator sees of scenes: all of them, and things from near."""

import numpy as np
import pytest
import torch
from looks import DRAWN, LookBatches, cropped, draw_crop, draw_looks, resized
from masks import MOST, draw_examples

HEIGHT, WIDTH = 48, 64


def thing(rows, columns):
    """What shows of one product, of masks of (48, 64)."""
    seen = torch.zeros(MOST, HEIGHT, WIDTH)
    seen[1, rows, columns] = 1
    return seen


def crops(seen, count=60):
    return [draw_crop(np.random.default_rng(seed), seen) for seed in range(count)]


def test_a_look_from_near_is_a_square_inside_the_picture_that_has_its_thing():
    seen = thing(slice(2, 18), slice(40, 60))
    held = []
    for rows, columns in crops(seen):
        assert 0 <= rows.start < rows.stop <= HEIGHT
        assert 0 <= columns.start < columns.stop <= WIDTH
        assert rows.stop - rows.start == columns.stop - columns.start
        held.append(seen[:, rows, columns].sum() / seen.sum())
    assert np.median(held) > 0.95
    assert min(held) > 0.2
    assert np.median([rows.stop - rows.start for rows, _ in crops(seen)]) < HEIGHT


def test_two_things_are_looked_at_together_at_times():
    seen = thing(slice(2, 12), slice(2, 12))
    seen[2, 30:40, 20:30] = 1
    both = [
        bool(seen[:2, rows, columns].any() and seen[2, rows, columns].any())
        for rows, columns in crops(seen)
    ]
    assert 0.15 < np.mean(both) < 0.6


def test_where_there_is_nothing_all_of_the_picture_is_looked_at():
    for rows, columns in crops(torch.zeros(MOST, HEIGHT, WIDTH), 5):
        assert rows == slice(0, HEIGHT)
        assert columns.stop - columns.start == HEIGHT


def test_a_crop_shows_picture_and_masks_of_the_same_place():
    picture = torch.full((4, 4 * HEIGHT, 4 * WIDTH), -1.0)
    seen = thing(slice(8, 24), slice(16, 32))
    picture[:, 32:96, 64:128] = 1
    kinds = torch.stack([1 - seen[1], seen[1], 0 * seen[1]])
    example = cropped((picture, kinds, seen, seen), (slice(0, 32), slice(8, 40)), 96)
    picture, kinds, seen, whole = example
    assert picture.shape == (4, 96, 96)
    assert kinds.shape == (3, 24, 24)
    small = torch.nn.functional.avg_pool2d(picture[:1], 4)[0]
    assert (small / 2 + 0.5 - seen[1].float()).abs().max() < 0.15
    assert torch.equal(seen, whole)
    assert seen[1].float().sum() == pytest.approx(144, abs=1)


def test_what_is_out_of_sight_from_near_is_not_asked_for():
    seen = thing(slice(0, 8), slice(0, 8))
    kinds = torch.stack([1 - seen[1], seen[1], 0 * seen[1]])
    picture = torch.zeros(4, 4 * HEIGHT, 4 * WIDTH)
    crop = slice(16, 48), slice(16, 48)
    *_, near, whole = cropped((picture, kinds, seen, seen), crop, 64)
    assert not near.any()
    assert not whole.any()


def test_both_looks_are_of_the_same_scenes():
    far, near = draw_looks(np.random.default_rng(4), 3, 64, 96)
    drawn = draw_examples(np.random.default_rng(4), 3, DRAWN * 64, DRAWN * 96)
    assert far.pictures.shape == (3, 4, 64, 96)
    assert near.pictures.shape == (3, 4, 80, 80)
    assert near.seen.shape == (3, MOST, 20, 20)
    assert torch.equal(far.pictures[0], resized(drawn[0], (64, 96))[0])
    for masks in (far, near):
        assert masks.seen.dtype == torch.float16
        assert masks.pictures.abs().max() <= 1
        assert (masks.seen <= masks.whole + 1e-3).all()


def test_every_second_batch_is_seen_from_near():
    batches = iter(LookBatches(2, 5, 64))
    sizes = [tuple(next(batches).pictures.shape[2:]) for _ in range(6)]
    assert set(sizes[1::2]) == {(64, 64)}
    assert all(abs(height * width - 64 * 64) < 0.1 * 64 * 64 for height, width in sizes)
