"""What a GPU learns from: parts and whole scenes that worker processes bring."""

import numpy as np
import pytest
import supply
import torch
from looks import draw_size
from masks import SIDE, Masks, draw_masks
from props import draw_props
from supply import Store, Supplies, supplied

CPU = torch.device("cpu")


def test_a_store_is_ready_once_it_has_parts_and_whole_scenes_and_gives_both(monkeypatch):
    monkeypatch.setattr(supply, "ENOUGH", 4)
    rng = np.random.default_rng(0)
    store = Store(CPU)
    store.put(draw_props(rng, 4, 2, 1))
    assert not store.ready
    whole = draw_masks(rng, 2, 64, 64)
    store.put(whole)
    assert store.ready
    shares = {0.0: False, 1.0: True}
    for share, is_whole in shares.items():
        monkeypatch.setattr(supply, "DRAWN", share)
        drawn = store.draw(rng, 2)
        assert isinstance(drawn, Masks)
        assert (drawn.pictures.shape == whole.pictures.shape) == is_whole
        assert drawn.seen.dtype == torch.float32


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
