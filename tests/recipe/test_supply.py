"""What a GPU learns from: parts and whole scenes that worker processes bring."""

import numpy as np
import pytest
import supply
import torch
from looks import draw_size
from masks import SIDE, draw_masks
from props import draw_props
from supply import Store, Supplies, supplied

CPU = torch.device("cpu")


def test_a_store_is_ready_once_it_has_parts_and_gives_whole_scenes_when_there_are_any(monkeypatch):
    monkeypatch.setattr(supply, "ENOUGH", 4)
    monkeypatch.setattr(supply, "DRAWN", 1.0)
    rng = np.random.default_rng(0)
    store = Store(CPU)
    assert not store.ready
    store.put(draw_props(rng, 4, 2, 1))
    assert store.ready
    whole = draw_masks(rng, 2, 64, 64)
    assert store.draw(rng, 2).pictures.shape != whole.pictures.shape
    store.put(whole)
    drawn = store.draw(rng, 2)
    assert torch.equal(drawn.pictures, whole.pictures)
    assert drawn.seen.dtype == torch.float32


@pytest.mark.parametrize(("share", "name"), [(0.0, "assemble"), (1.0, "assemble_near")])
def test_of_scenes_put_together_some_are_seen_from_near(monkeypatch, share, name):
    monkeypatch.setattr(supply, "NEAR", share)
    monkeypatch.setattr(supply, name, lambda _pool, batch, _size: batch)
    assert Store(CPU).draw(np.random.default_rng(0), 3) == 3


def test_pictures_have_sides_that_the_separator_takes():
    rng = np.random.default_rng(1)
    sizes = {draw_size(rng, SIDE) for _ in range(50)}
    assert len(sizes) > 2
    assert all(side % 16 == 0 for size in sizes for side in size)


def test_workers_bring_scenes_while_they_are_used(monkeypatch):
    monkeypatch.setattr(supply, "ENOUGH", 10)
    scenes = supplied(2, 3, 2, CPU)
    first, second = next(scenes), next(scenes)
    scenes.close()
    assert len(first.pictures) == len(second.pictures) == 2
    with pytest.raises(StopIteration):
        next(scenes)


def test_supplies_are_drawn_by_workers_alone():
    with pytest.raises(RuntimeError, match="worker"):
        next(iter(Supplies(2, 0)))
