"""Which plan a checkpoint runs under: the fastest that there is room for, and then the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from layerctl import machine, network
from layerctl.errors import EnvironmentFault, OutOfMemory, UsageError
from layerctl.machine import gigabytes
from layerctl.network import Network, Plan, Settings, Setup
from layerctl.preset import ModelSection

T = TypeVar("T")


@dataclass(frozen=True)
class Room:
    """Bytes that are free on a device and, if it has a memory of its own, beside it."""

    device: int
    host: int


def room(device: str) -> Room:
    """Return what is free now."""
    if device == "cuda":
        return Room(network.device_memory().free, machine.memory().free)
    return Room(machine.memory().free, 0)


def allowed_plans(setup: Setup, settings: Settings, section: ModelSection) -> tuple[Plan, ...]:
    """Return the plans that a preset leaves to choose from, the fastest first.

    Raises:
        EnvironmentFault: The checkpoint is damaged.
        UsageError: There is none.
    """
    quantized = section.quantize == "fp8"
    plans = network.possible_plans(setup, settings, quantized=quantized)
    if section.offload == "none":
        return tuple(plan for plan in plans if plan.resident_blocks == plan.blocks)
    if section.offload == "auto":
        return plans
    streaming = tuple(plan for plan in plans if plan.resident_blocks == 0)
    if not streaming:
        raise UsageError(f"{section.name} has too few blocks to stream: use --offload auto")
    return streaming


def fitting_plan(plans: Sequence[Plan], here: Room) -> Plan | None:
    """Return the fastest of the plans that there is room for, text encoder included."""
    return network.choose((p for p in plans if p.text_bytes <= here.device), here.device, here.host)


def require_plan(plans: Sequence[Plan], here: Room, name: str) -> Plan:
    """Return the fastest of the plans that there is room for.

    Raises:
        EnvironmentFault: There is none; the sentence says what is needed and what is there.
    """
    plan = fitting_plan(plans, here)
    if plan is None:
        least = min(plans, key=lambda plan: plan.device_bytes)
        needed = max(least.device_bytes, least.text_bytes)
        raise EnvironmentFault(
            f"{name} does not fit: the least it needs is {amounts(needed, least.host_bytes)}, "
            f"free are {amounts(here.device, here.host)}; "
            f"layerctl doctor --model {name} lists what would fit"
        )
    return plan


class Runner:
    """The network under the fastest plan that works out, open from when it is first needed."""

    def __init__(self, setup: Setup, plans: Sequence[Plan], plan: Plan) -> None:
        """Begin with `plan`; those of `plans` that need less are for when memory runs out."""
        self._setup = setup
        self._plans = plans
        self._plan = plan
        self._network: Network | None = None

    def open(self) -> tuple[str, ...]:
        """Read the weights, unless they are there; return what the user should know of it.

        Raises:
            EnvironmentFault: They are damaged, or not even the smallest plan works out.
        """
        return self.run(lambda _: None)[1]

    def run(self, work: Callable[[Network], T]) -> tuple[T, tuple[str, ...]]:
        """Return what the work returns, and what the user should know of how it went.

        Where memory runs out, the work is done again under a plan that needs less.

        Raises:
            EnvironmentFault: The weights are damaged, or not even the smallest plan works out.
        """
        notes: list[str] = []
        while True:
            with suppress(OutOfMemory):
                return work(self._opened()), tuple(notes)
            notes.append(self._step_down())

    def close(self) -> None:
        """Give the memory back until the network is needed again."""
        self._network = None
        network.release()

    def _opened(self) -> Network:
        self._network = self._network or Network(self._setup, self._plan)
        return self._network

    def _step_down(self) -> str:
        """Go on with a smaller plan; return a sentence about it."""
        self.close()
        failed, here = self._plan, room(self._setup.device)
        smaller = network.below(self._plans, failed, here.host)
        if smaller is None:
            raise EnvironmentFault(
                f"the device ran out of memory under the {described(failed)}, and nothing smaller "
                f"fits; free are {amounts(here.device, here.host)}"
            )
        self._plan = smaller
        return (
            f"the device ran out of memory under the {described(failed)}; "
            f"it was made under the {described(smaller)}, the same but slower"
        )


def described(plan: Plan) -> str:
    """Return a plan in words: "streamed plan, 20 of 60 blocks on the device"."""
    return f"{plan.name} plan, {plan.resident_blocks} of {plan.blocks} blocks on the device"


def amounts(device: int, host: int) -> str:
    """Return bytes on a device and beside it in words: "23.50 GB and 40.00 GB of host memory"."""
    return gigabytes(device) + (f" and {gigabytes(host)} of host memory" if host else "")
