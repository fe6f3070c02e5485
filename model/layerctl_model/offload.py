"""Blocks that wait on the host and come to the device one ahead of their turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

ALIGNMENT = 256
"""Bytes: where the tensors of a pinned block may begin."""


class StreamedBlocks(nn.ModuleList):
    """The blocks of a network, some of them copied to the device whenever they are needed.

    Two slots on the device take turns: while the block in one works, the next one that is not
    resident travels into the other, on a CUDA stream of its own. After the last comes the first,
    for the next step. On a CPU the same happens without streams.
    """

    def __init__(self, blocks: nn.ModuleList, slots: list[Slot], away: list[int]) -> None:
        """Take over blocks; those numbered in `away`, rising, are not on the device."""
        super().__init__(blocks)
        self.slots = slots
        self.following = dict(zip(away, [*away[1:], *away[:1]], strict=True))

    def __iter__(self) -> Iterator[nn.Module]:
        """Yield blocks that are on the device; each is to be used before the next is taken."""
        for number in range(len(self)):
            if number not in self.following:
                yield self[number]
                continue
            here, other = self._slots(number)
            here.fill(number, self[number])
            yield here.borrowed(self[number])
            here.leave()
            following = self.following[number]
            other.fill(following, self[following])

    def _slots(self, number: int) -> tuple[Slot, Slot]:
        """The slot that holds a block, or the first, and the other one."""
        first, second = self.slots
        return (second, first) if second.number == number else (first, second)


class Slot:
    """Room for any one block on the device."""

    def __init__(self, block: nn.Module, device: torch.device) -> None:
        """Make room for blocks like this one, which may be on `meta`."""
        self.block = block.to_empty(device=device)
        self.room = self.block.state_dict()
        self.number: int | None = None

    def fill(self, number: int, block: nn.Module) -> None:
        """Copy a block from the host, unless it is here."""
        if self.number == number:
            return
        # Until all has come, there is no block: a copy that fails leaves nothing to trust.
        self.number = None
        self._copy(block.state_dict())
        self.number = number

    def borrowed(self, block: nn.Module) -> nn.Module:
        """The block in this slot, with the modulations of its twin on the host."""
        self.block.img_mod, self.block.txt_mod = block.img_mod, block.txt_mod
        return self.block

    def leave(self) -> None:
        """Let others in once the work that the device has been given so far is done."""

    def _copy(self, source: Mapping[str, Tensor]) -> None:
        for name, tensor in self.room.items():
            tensor.copy_(source[name], non_blocking=True)


class CudaSlot(Slot):
    """A slot that is filled on a stream of its own, while the device works on something else."""

    def __init__(self, block: nn.Module, device: torch.device) -> None:
        super().__init__(block, device)
        self.device = device
        self.side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self.left = torch.cuda.Event()  # type: ignore[no-untyped-call]
        for tensor in self.room.values():
            # So that its memory is not given away while a copy is still on its way there.
            tensor.record_stream(self.side)
        self.leave()

    def borrowed(self, block: nn.Module) -> nn.Module:
        """The block in this slot, which the device waits for."""
        torch.cuda.current_stream(self.device).wait_event(self.arrived)
        return super().borrowed(block)

    def leave(self) -> None:
        """Let others in once the work that the device has been given so far is done."""
        self.left.record(torch.cuda.current_stream(self.device))

    def _copy(self, source: Mapping[str, Tensor]) -> None:
        with torch.cuda.stream(self.side):
            self.side.wait_event(self.left)
            super()._copy(source)
            self.arrived.record(self.side)


def slot(block: nn.Module, device: torch.device) -> Slot:
    """A slot as the device can have it."""
    return CudaSlot(block, device) if device.type == "cuda" else Slot(block, device)


def spread(count: int, total: int) -> list[int]:
    """So many of the numbers below a total, as evenly as can be: resident blocks buy time."""
    return [n for n in range(total) if (n + 1) * count // total > n * count // total]


def pinned(block: Mapping[str, Tensor], *, pin: bool) -> dict[str, Tensor]:
    """Tensors like these on the host, in one run of bytes that the device can read by itself."""
    starts, size = {}, 0
    for name, tensor in block.items():
        starts[name] = size
        size += -(-tensor.nbytes // ALIGNMENT) * ALIGNMENT
    run = torch.empty(size, dtype=torch.uint8, pin_memory=pin)
    return {
        name: run[start : start + block[name].nbytes]
        .view(block[name].dtype)
        .view(block[name].shape)
        for name, start in starts.items()
    }
