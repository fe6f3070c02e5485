from contextlib import nullcontext
from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerctl_model.offload import CudaSlot, StreamedBlocks, pinned, slot, spread
from layerctl_model.transformer import Block

CPU = torch.device("cpu")


def blocks(count):
    torch.manual_seed(0)
    made = [Block(8, 2).requires_grad_(requires_grad=False) for _ in range(count)]
    for block in made:
        block.img_mod = block.txt_mod = nn.Identity()
    return nn.ModuleList(made)


def streamed(count, away, device=CPU):
    made = blocks(count)
    slots = [slot(deepcopy(made[0]).to("meta"), device) for _ in range(2)]
    return StreamedBlocks(made, slots, away), made


def weights(block):
    return torch.cat([tensor.flatten() for tensor in block.state_dict().values()])


@pytest.mark.parametrize("away", [[0, 1, 2], [0, 2, 3], [1, 4], [3], [0, 1, 2, 3, 4]])
def test_blocks_come_in_order_with_their_own_weights_every_time(away):
    stream, made = streamed(5, away)
    for _ in range(3):
        for block, own in zip(stream, made, strict=True):
            assert torch.equal(weights(block), weights(own))


def test_the_next_block_is_there_before_its_turn_and_the_first_before_the_next_step():
    stream, _ = streamed(5, [0, 2, 3])
    there = [{each.number for each in stream.slots} for _ in stream]
    there.append({each.number for each in stream.slots})
    assert there == [{0, None}, {0, 2}, {0, 2}, {2, 3}, {0, 3}, {0, 3}]


def test_a_pass_given_up_in_the_middle_spoils_nothing():
    stream, made = streamed(5, [0, 1, 3, 4])
    for given_up in range(5):
        for number, _ in enumerate(stream):
            if number == given_up:
                break
        for block, own in zip(stream, made, strict=True):
            assert torch.equal(weights(block), weights(own))


def test_a_copy_that_fails_is_made_again(monkeypatch):
    stream, made = streamed(3, [0, 1, 2])
    block = made[1]
    monkeypatch.setattr(block, "state_dict", dict)  # nothing to copy: KeyError
    with pytest.raises(KeyError):
        list(stream)
    monkeypatch.undo()
    for streamed_block, own in zip(stream, made, strict=True):
        assert torch.equal(weights(streamed_block), weights(own))


@given(st.integers(1, 60), st.data())
@settings(deadline=None)
def test_blocks_away_are_spread_evenly(total, data):
    count = data.draw(st.integers(0, total))
    numbers = spread(count, total)
    assert len(numbers) == count
    assert set(numbers) <= set(range(total))
    gaps = {b - a for a, b in pairwise(numbers)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_pinned_tensors_lie_in_one_run_and_keep_shape_and_precision():
    like = {
        "a": torch.empty(3, 5, dtype=torch.bfloat16, device="meta"),
        "b": torch.empty(7, 1, device="meta"),
        "c": torch.empty(2, 2, dtype=torch.float8_e4m3fn, device="meta"),
    }
    rooms = pinned(like, pin=False)
    assert {n: (t.shape, t.dtype) for n, t in rooms.items()} == {
        n: (t.shape, t.dtype) for n, t in like.items()
    }
    assert len({t.untyped_storage().data_ptr() for t in rooms.values()}) == 1
    for number, room in enumerate(rooms.values()):
        room.fill_(number)
    assert [room.float().unique().tolist() for room in rooms.values()] == [[0], [1], [2]]


class Stream:
    """Stands in for a CUDA stream or event, and writes down what it is asked."""

    def __init__(self, log, name):
        self.log, self.name = log, name

    def wait_event(self, event):
        self.log.append(f"{self.name} waits until {event.name}")

    def record(self, stream):
        self.log.append(f"{stream.name} says {self.name}")


@pytest.fixture
def stand_ins(monkeypatch):
    """Let a CUDA slot work without CUDA; returns the list of what its streams are asked."""
    log, names = [], iter(["arrived", "left"] * 2)
    work, side = Stream(log, "work"), Stream(log, "side")
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: side)
    monkeypatch.setattr(torch.cuda, "Event", lambda: Stream(log, next(names)))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: work)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)
    return log


def test_copies_wait_for_work_and_work_for_copies(stand_ins):
    made = blocks(2)
    room = CudaSlot(deepcopy(made[0]).to("meta"), CPU)
    room.fill(1, made[1])
    assert torch.equal(weights(room.borrowed(made[1])), weights(made[1]))
    room.leave()
    assert stand_ins == [
        "work says left",  # whoever had this memory before
        "side waits until left",
        "side says arrived",
        "work waits until arrived",
        "work says left",
    ]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_blocks_travel_while_others_work():
    stream, made = streamed(6, [0, 1, 3, 5], torch.device("cuda"))
    for number in (2, 4):
        made[number].to("cuda")
    img, txt, rope = torch.randn(1, 64, 8), torch.randn(1, 4, 8), torch.ones(68, 2) + 0j
    time = torch.zeros(1, 48)
    img, txt, rope, time = (x.cuda() for x in (img, txt, rope, time))
    wanted = deepcopy(made).cuda()
    for _ in range(20):
        ours = theirs = (img, txt)
        for block, own in zip(stream, wanted, strict=True):
            ours, theirs = block(*ours, time, rope, None), own(*theirs, time, rope, None)
        assert torch.equal(ours[0], theirs[0])
    assert all(isinstance(each, CudaSlot) for each in stream.slots)
