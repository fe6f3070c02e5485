"""Scenes seen from near on a device: the same places, and as often, as when they are cropped."""

import numpy as np
import pytest
import torch
from assembly import Stacks, photographed
from framing import Frames, draw_frames, draw_spans, span
from looks import NEAREST, draw_crop

HEIGHT, WIDTH, COUNT = 48, 64, 400


def thing(rows, columns, count=COUNT):
    """What shows of one product of three, of masks of (48, 64)."""
    seen = torch.zeros(count, 3, HEIGHT, WIDTH)
    seen[:, 1, rows, columns] = 1
    return seen


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_a_frame_lies_inside_the_picture_and_has_its_thing():
    seen = thing(slice(2, 18), slice(40, 60))
    frames = draw_frames(seen)
    half = frames.side[:, None] / 2
    assert (frames.middle - half >= -1e-3).all()
    assert (frames.middle + half <= torch.tensor([WIDTH, HEIGHT]) + 1e-3).all()
    assert frames.side.min() >= NEAREST * HEIGHT
    inside = frames.of(seen, 64).sum(dim=(1, 2, 3)) * (frames.side / 64) ** 2 / 320
    assert inside.median() > 0.95
    assert inside.min() > 0.2


def test_frames_are_as_large_as_those_of_scenes_that_are_cropped_one_by_one():
    seen = thing(slice(2, 22), slice(30, 60))
    seen[:, 2, 30:40, 4:20] = 1
    rng = np.random.default_rng(1)
    alone = [rows.stop - rows.start for rows, _ in (draw_crop(rng, seen[0]) for _ in range(COUNT))]
    together = draw_frames(seen).side
    assert together.mean().item() == pytest.approx(np.mean(alone), rel=0.06)
    assert together.std().item() == pytest.approx(np.std(alone), rel=0.2)


def test_what_is_looked_at_is_a_thing_two_or_a_part_of_them():
    seen = thing(slice(2, 12), slice(2, 12))
    seen[:, 2, 30:40, 20:30] = 1
    across = draw_spans(seen)[:, 0]
    one, two, both = (
        (across == torch.tensor(ends)).all(dim=1)
        for ends in ((2.0, 12.0), (20.0, 30.0), (2.0, 30.0))
    )
    assert 0.25 < both.float().mean() < 0.5
    assert (one.sum() - two.sum()).abs() < 0.15 * COUNT
    parted = ~(one | two | both)
    assert 0.05 < parted.float().mean() < 0.2


def test_where_nothing_shows_the_frame_is_as_large_as_it_can_be():
    assert (draw_frames(torch.zeros(5, 3, HEIGHT, WIDTH)).side == HEIGHT).all()


def test_what_hardly_shows_is_not_looked_at():
    seen = thing(slice(2, 18), slice(40, 60))
    seen[:, 2, 46, 2:5] = 1
    assert draw_spans(seen)[:, 0].min() >= 40
    seen[:, 1] = 0
    assert (draw_frames(seen).side == HEIGHT).all()


def test_a_line_begins_and_ends_where_it_is_true():
    lines = torch.tensor([[0, 1, 1, 0, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 1]]).bool()
    assert span(lines).tolist() == [[1, 3], [0, 5], [0, 5]]


def test_a_framed_scene_shows_the_same_place_in_all_its_layers():
    things = torch.zeros(1, 2, 4, HEIGHT, WIDTH)
    things[0, 0, :, 8:24, 16:32] = things[0, 1, :, 16:32, 24:40] = 1
    nothing = torch.zeros(1, 4, HEIGHT, WIDTH)
    layers = Stacks(nothing[:, :3], nothing[:, :1], things, nothing, torch.tensor([False]))
    near = layers.framed(Frames(torch.tensor([[32.0, 24.0]]), torch.tensor([32.0])), 64)
    masks = photographed(near)
    white = torch.nn.functional.avg_pool2d(near.flatten()[:, :1], 4)
    torch.testing.assert_close(white, masks.seen.sum(dim=1, keepdim=True), atol=0.02, rtol=0)
    # The frame begins at row 8 and column 16, and is seen twice as large.
    assert near.things[0, 0, 3, 2:30, 2:30].min() > 0.99
    assert near.things[0, 1, 3, 18:46, 18:46].min() > 0.99
    assert near.things[0, 0, 3, :, 34:].max() < 0.01
