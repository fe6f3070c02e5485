"""What all trainings share: a time budget, a resumable state, a step, a moving average, a log."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pieces import read_pieces, write_pieces
from torch import Tensor, nn

SAVE_SECONDS = 120.0
PIECE_SECONDS = 600.0
WARM_UP = 0.02
FINAL_RATE = 0.02


@dataclass
class Session:
    """A training run of a given length that goes on where it stopped.

    `budget` counts seconds of training over all restarts, so that the learning rate reaches its
    end whatever the speed of the machine. `examine` scores the network on what it never saw, after
    every piece of ten minutes.
    """

    folder: Path
    budget: float
    modules: dict[str, Any]
    examine: Callable[[], Mapping[str, float]] = dict
    elapsed: float = 0.0
    steps: int = 0
    losses: list[float] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """The folder that a restart reads."""
        return self.folder / "state"

    def resume(self) -> None:
        """Load the last saved state, if there is one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        saved = read_pieces(self.state)
        if saved is not None:
            self.elapsed, self.steps = saved["elapsed"], saved["steps"]
            for name, module in self.modules.items():
                module.load_state_dict(saved["modules"][name])

    def save(self) -> None:
        """Write the state in the place of the last one."""
        modules = {name: module.state_dict() for name, module in self.modules.items()}
        content = {"elapsed": self.elapsed, "steps": self.steps, "modules": modules}
        write_pieces(content, self.state)

    def run(self) -> Iterator[float]:
        """Yield the learning rate's factor step by step until the budget is spent."""
        start = saved = examined = time.monotonic()
        start -= self.elapsed
        while self.elapsed < self.budget:
            yield rate(self.elapsed / self.budget)
            self.steps += 1
            now = time.monotonic()
            self.elapsed = now - start
            if now - saved > SAVE_SECONDS:
                ends_piece = now - examined > PIECE_SECONDS
                self.save()
                self.log(**(self.examine() if ends_piece else {}))
                saved, examined = now, now if ends_piece else examined
        self.save()
        self.log(**self.examine())

    def sound(self, loss: Tensor) -> bool:
        """Remember a step's loss for the next log line, and say whether it may be learned from."""
        value = loss.item()
        if not math.isfinite(value):
            self._append({"steps": self.steps, "failed": f"the loss was {value}; step left out"})
            return False
        self.losses.append(value)
        return True

    def log(self, **scores: float) -> None:
        """Append the mean loss since the last line, and scores, to log.jsonl and print them."""
        mean = sum(self.losses) / max(len(self.losses), 1)
        row = {"minutes": round(self.elapsed / 60, 1), "steps": self.steps, "loss": round(mean, 5)}
        self._append(row | {name: round(score, 4) for name, score in scores.items()})
        self.losses.clear()

    def _append(self, row: Mapping[str, object]) -> None:
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(row) + "\n")
        print(self.folder.name, row, flush=True)


def learn(network: nn.Module, loss: Tensor, *optimizers: torch.optim.Optimizer) -> None:
    """Take a step of every optimizer down a loss's gradient, whose length is 1 at most."""
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()


def rate(progress: float) -> float:
    """Return the learning rate's factor: a short climb, a plateau, a linear fall at the end."""
    if progress < WARM_UP:
        return progress / WARM_UP
    return max(FINAL_RATE, min(1.0, (1 - progress) / 0.5))


class Average(nn.Module):
    """A moving average of a network's weights, shorter at the beginning."""

    def __init__(self, network: nn.Module, decay: float = 0.998) -> None:
        super().__init__()
        self.decay = decay
        self.weights = nn.ParameterDict(
            {key(name): p.detach().clone() for name, p in network.named_parameters()}
        ).requires_grad_(requires_grad=False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the network's weights."""
        decay = min(self.decay, (step + 1) / (step + 10))
        for name, parameter in network.named_parameters():
            self.weights[key(name)].lerp_(parameter, 1 - decay)

    @torch.no_grad()
    def copy_to(self, network: nn.Module) -> None:
        """Overwrite the network's weights with the average."""
        for name, parameter in network.named_parameters():
            parameter.copy_(self.weights[key(name)])


def key(name: str) -> str:
    """Return a parameter's name without dots, which a ParameterDict does not allow."""
    return name.replace(".", "/")
