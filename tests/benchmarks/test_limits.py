"""The models of least work: what they count, and that each part that has one is really called."""

from typing import Any

import numpy as np
import pytest
from limits import bounds
from limits.caches import LEVELS, Caches
from limits.cases import CASES
from limits.clock import Clock, TimedPart, timed_kernels
from limits.machine import Machine, Rates
from limits.recency import Recency
from limits.shapes import Shape
from limits.work import Traffic, Work, moved

from sstrain import kernels
from sstrain.models.base import Layout
from sstrain.samplers import Sampler
from sstrain.training.step import ExactStep, SampledStep

CACHES = Caches(L1=1 << 15, L2=1 << 20, L3=1 << 25, told=1 << 25)
RATES = dict(zip(LEVELS, (8e9, 4e9, 2e9, 1e9), strict=True))
MACHINE = Machine(
    threads=2,
    caches=CACHES,
    rates={
        level: Rates(rate, rate, rate, rate, rate / 64, rate / 64) for level, rate in RATES.items()
    },
    flops_by_lanes={4: 1e10, 8: 2e10},
    exponentials=1e9,
    gathered_rows={},
)
DENSE = Shape(1000, 0, 100, 1000, 400, 300, 0, 0, 0, 0, 0)


def test_a_cache_keeps_what_was_used_last() -> None:
    recency = Recency(num_items=10, capacity=4)
    batches = ([0, 1], [2, 3], [0, 1], [4, 5, 6, 7], [2], [4, 5], [0])
    missing = [recency.missing(np.array(batch)) for batch in batches]
    assert missing == [2, 2, 0, 4, 1, 0, 1]


def test_work_adds_up_and_its_slowest_resource_bounds_it() -> None:
    work = Work(flops=1e9) + moved("L3", read=2e9) + moved("memory", read=4e9, read_lines=1e6)
    seconds = work.seconds(MACHINE)
    assert seconds["multiply-adds"] == pytest.approx(0.05)
    assert seconds["memory"] == pytest.approx(4 + 0.064)
    # What comes from memory passes where the last cache's own passes.
    assert seconds["L3"] == pytest.approx((2 + 4 + 0.064) / 2)
    assert work.bound(MACHINE) == (seconds["memory"], "memory")


def test_an_exact_step_moves_sixteen_bytes_a_weight_and_reads_it_again() -> None:
    work = bounds.dense_step(DENSE, MACHINE)
    assert work.traffic["memory"] == Traffic(read=4 * 300 * 1000, update=12 * 300 * 1000)
    assert work.traffic["L3"] == Traffic(read=4 * (100 + 400) * 1000, update=12 * 100 * 1000)
    multiply_adds = 2 * 2 * 1000 * 1000
    assert work.flops == multiply_adds + 2 * 100 * 1000 + bounds.RULE_FLOPS * 400 * 1000
    assert work.exponentials == 100 * 1000


def test_rows_that_the_caches_cannot_hold_are_read_from_memory_twice() -> None:
    shape = Shape(100_000, 0, 100, 1000, 400, 400, 0, 0, 0, 0, 0)
    whole = 4 * 400 * 100_000
    traffic = bounds.dense_step(shape, MACHINE).traffic
    assert traffic["memory"].read == whole + whole - CACHES.whole(2)
    assert traffic["L3"].read == CACHES.whole(2)


@pytest.mark.parametrize("name", CASES)
def test_a_step_is_no_less_than_its_parts(name: str) -> None:
    case = CASES[name]
    shape = Shape(1000, 10, 100, 1000, 400, 300, 60, 90, 30_000, 20_000, 9_000)
    whole = case.work(shape, MACHINE)
    parts = sum((part.work(shape, MACHINE) for part in case.parts), Work())
    assert whole.flops >= parts.flops > 0 or not case.parts
    assert whole.bound(MACHINE).seconds >= parts.bound(MACHINE).seconds


@pytest.mark.parametrize("name", CASES)
def test_what_a_part_is_timed_by_is_there(name: str) -> None:
    owners: dict[str, Any] = {"model": Layout, "sampler": Sampler}
    for part in CASES[name].parts:
        for clock in part.clocks:
            owner, method = clock.split(".")
            if owner == "kernels":
                assert hasattr(getattr(kernels, method), "py_func"), clock
            else:
                assert hasattr(owners[owner], method), clock


def test_steps_hold_the_parts_that_are_timed() -> None:
    part: Any = object()
    assert {"model", "objective"} <= vars(ExactStep(part, part, 9)).keys()
    assert {"model", "objective", "sampler"} <= vars(SampledStep(part, part, {}, part, 1)).keys()


def test_the_clock_adds_up_methods_and_kernels_and_leaves_nothing_behind() -> None:
    class Model:
        width = 3

        def score(self, key: int) -> int:
            return kernels.stream_key(key, 1, 2, 3)

    clock, before = Clock(), dict(vars(kernels))
    model = TimedPart("model", Model(), clock)
    with timed_kernels(clock):
        found = [model.score(7) for _ in range(3)]
    assert found == [kernels.stream_key(7, 1, 2, 3)] * 3
    assert model.width == 3
    assert clock.calls == {"model.score": 3, "kernels.stream_key": 3}
    assert clock.seconds["model.score"] >= clock.seconds["kernels.stream_key"] > 0
    assert set(clock.kernel_seconds) == {"kernels.stream_key"}
    assert clock.passing_seconds() > 0
    assert {name: vars(kernels).get(name) for name in before} == before
    assert getattr(kernels.stream_key, "py_func", None) is not None
