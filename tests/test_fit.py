"""Which plan is taken, and what happens where it turns out to be too much."""

from types import SimpleNamespace

import pytest

from layerctl import fit
from layerctl.errors import EnvironmentFault, OutOfMemory, UsageError
from layerctl.fit import Room, Runner, allowed_plans, fitting_plan, require_plan
from layerctl.network import Plan
from layerctl.preset import ModelSection

GB = 10**9


def plan(name, resident, device, host=0):
    """A plan for 60 blocks whose text encoder needs 18 GB; device and host in GB."""
    sizes = {"device_bytes": device * GB, "host_bytes": host * GB, "text_bytes": 18 * GB}
    return Plan(name, quantized=False, resident_blocks=resident, blocks=60, **sizes)


WHOLE = plan("whole", 60, 60)
RESIDENT = plan("resident", 60, 40)
SOME = plan("streamed", 20, 20, 30)
FEW = plan("streamed", 0, 8, 50)
MAPPED = plan("mapped", 0, 8)
PLANS = (WHOLE, RESIDENT, SOME, FEW, MAPPED)
SETUP = SimpleNamespace(device="cuda")


@pytest.mark.parametrize(
    ("device", "host", "plan"),
    [
        (80, 64, WHOLE),
        (48, 64, RESIDENT),
        (24, 64, SOME),
        (24, 16, MAPPED),
        (19, 64, FEW),
        (16, 64, None),  # the text encoder alone is larger
    ],
)
def test_the_fastest_plan_that_fits_is_taken(device, host, plan):
    assert fitting_plan(PLANS, Room(device * GB, host * GB)) == plan


def test_where_nothing_fits_the_sentence_says_what_is_needed_and_what_is_there():
    with pytest.raises(EnvironmentFault) as caught:
        require_plan((WHOLE, RESIDENT), Room(12 * GB, 32 * GB), "qwen")
    assert str(caught.value) == (
        "qwen does not fit: the least it needs is 40.00 GB, free are 12.00 GB and 32.00 GB of host "
        "memory; layerctl doctor --model qwen lists what would fit"
    )


@pytest.mark.parametrize(
    ("offload", "left"),
    [("auto", PLANS), ("none", (WHOLE, RESIDENT)), ("stream", (FEW, MAPPED))],
)
def test_the_preset_says_which_plans_are_left(monkeypatch, offload, left):
    asked = []
    monkeypatch.setattr(
        "layerctl.network.possible_plans", lambda *_, quantized: (asked.append(quantized), PLANS)[1]
    )
    for quantize in ("none", "fp8"):
        section = ModelSection(quantize=quantize, offload=offload)
        assert allowed_plans(SETUP, None, section) == left
    assert asked == [False, True]


def test_a_model_with_too_few_blocks_to_stream_is_a_usage_error(monkeypatch):
    monkeypatch.setattr("layerctl.network.possible_plans", lambda *_, **__: PLANS[:2])
    with pytest.raises(UsageError, match="mini has too few blocks"):
        allowed_plans(SETUP, None, ModelSection(offload="stream"))


@pytest.fixture
def opened(monkeypatch):
    """The plans that a network was opened under; those in `failing` run out of memory."""
    plans = []

    class Network:
        failing, opening = set(), set()

        def __init__(self, _, plan):
            plans.append(plan)
            self.plan = plan
            if plan in self.opening:
                raise OutOfMemory("full")

        def work(self):
            if self.plan in self.failing:
                raise OutOfMemory("full")
            return self.plan

    monkeypatch.setattr(fit, "Network", Network)
    monkeypatch.setattr(fit, "room", lambda _: Room(24 * GB, 64 * GB))
    return SimpleNamespace(plans=plans, network=Network)


@pytest.fixture
def runner():
    return Runner(SETUP, PLANS, RESIDENT)


def test_the_network_is_opened_once_and_when_it_is_needed(opened, runner):
    assert opened.plans == []
    assert runner.open() == ()
    assert runner.run(lambda n: n.work()) == (RESIDENT, ())
    assert opened.plans == [RESIDENT]


@pytest.mark.parametrize("when", ["failing", "opening"])
def test_out_of_memory_is_one_plan_down_and_said_once(opened, runner, when):
    getattr(opened.network, when).add(RESIDENT)
    plan, notes = runner.run(lambda n: n.work())
    assert plan == SOME
    assert notes == (
        "the device ran out of memory under the resident plan, 60 of 60 blocks on the device; "
        "it was made under the streamed plan, 20 of 60 blocks on the device, the same but slower",
    )
    assert runner.run(lambda n: n.work()) == (SOME, ())


def test_out_of_memory_again_is_another_plan_down(opened, runner):
    opened.network.failing |= {RESIDENT, SOME}
    plan, notes = runner.run(lambda n: n.work())
    assert (plan, len(notes)) == (FEW, 2)


def test_a_plan_that_the_host_has_no_room_for_is_passed_over(opened, runner, monkeypatch):
    monkeypatch.setattr(fit, "room", lambda _: Room(24 * GB, 16 * GB))
    opened.network.failing.add(RESIDENT)
    assert runner.run(lambda n: n.work())[0] == MAPPED


def test_no_plan_left_is_a_fault_of_the_machine(opened, runner):
    opened.network.failing |= set(PLANS)
    with pytest.raises(EnvironmentFault, match=r"nothing smaller fits; free are 24\.00 GB"):
        runner.run(lambda n: n.work())


def test_what_was_open_is_dropped_before_the_next_is_opened(opened, runner, monkeypatch):
    released = []
    monkeypatch.setattr("layerctl.network.release", lambda: released.append(runner._network))
    opened.network.failing.add(RESIDENT)
    runner.run(lambda n: n.work())
    assert released == [None]
    runner.close()
    runner.open()
    assert opened.plans == [RESIDENT, SOME, SOME]
