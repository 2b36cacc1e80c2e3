"""Measured times of a case: of its whole step, its parts and its kernels."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from limits.cases import Case
from limits.clock import Clock, TimedPart, timed_kernels
from sstrain import kernels
from sstrain.data.dataset import Dataset
from sstrain.data.loading import Splits
from sstrain.evaluation.exact import predict_all
from sstrain.training.engine import Engine

__all__ = ["Times", "head_of", "measure"]

#: Examples that are evaluated at a time.
_EVALUATED = 2048
_STRETCHES = 5


@dataclass(frozen=True)
class Times:
    """Seconds a step, or a batch of an evaluation: medians of stretches."""

    whole: float
    by_name: dict[str, float]  # of methods and kernels
    python: float  # the share of the step that no kernel took
    passing: float  # the share that it took to pass arguments to kernels

    @property
    def by_kernel(self) -> dict[str, float]:
        """The kernels' times, the longest first."""
        found = {name: spent for name, spent in self.by_name.items() if "kernels." in name}
        return dict(sorted(found.items(), key=lambda item: -item[1]))


@contextmanager
def _timed_step(engine: Engine, clock: Clock) -> Iterator[None]:
    """Take the times of the methods that a step calls, and of the kernels."""
    step: Any = engine.gradient.take_step
    parts = {name: part for name, part in vars(step).items() if name in _PARTS}
    for name, part in parts.items():
        setattr(step, name, TimedPart(name, part, clock))
    try:
        with timed_kernels(clock):
            yield
    finally:
        vars(step).update(parts)


_PARTS = ("model", "sampler", "objective")


def head_of(dataset: Dataset, count: int) -> Dataset:
    """Return the first examples of a data set that is held in memory."""
    stop = dataset.indptr[count]
    return replace(
        dataset,
        indptr=dataset.indptr[: count + 1],
        indices=dataset.indices[:stop],
        values=dataset.values[:stop],
        lines=dataset.lines[:count],
        targets=dataset.targets[:count],
        weights=dataset.weights[:count],
    )


def _stretches(action: Callable[[], int], clock: Clock, seconds: float) -> Times:
    """Time an action, which returns how many steps it took, again and again."""
    action()
    whole, python, passing = [], [], []
    by_name: dict[str, list[float]] = {}
    for _ in range(_STRETCHES):
        clock.reset()
        start, steps = time.perf_counter(), 0
        while not steps or time.perf_counter() - start < seconds / _STRETCHES:
            steps += action()
        spent = time.perf_counter() - start
        whole.append(spent / steps)
        python.append(1 - sum(clock.kernel_seconds.values()) / spent)
        passing.append(clock.passing_seconds() / spent)
        for name, each in clock.seconds.items():
            by_name.setdefault(name, []).append(each / steps)
    names = {name: median(each) for name, each in by_name.items()}
    return Times(median(whole), names, median(python), median(passing))


def measure(case: Case, engine: Engine, splits: Splits, threads: int, seconds: float) -> Times:
    """Time a case's steps, or its evaluation, on so many threads."""
    kernels.use_threads(threads)
    clock = Clock()
    if case.evaluates:
        data = head_of(splits.train, _EVALUATED)

        def evaluate() -> int:
            model: Any = TimedPart("model", engine.model, clock)
            predict_all(model, data, engine.vocabulary)
            return int(np.ceil(_EVALUATED / engine.config.training.batch_size))

        with timed_kernels(clock):
            return _stretches(evaluate, clock, seconds)

    def step() -> int:
        engine.step()
        return 1

    # What a run's first steps meet is not yet in the caches.
    for _ in range(20):
        engine.step()
    with _timed_step(engine, clock):
        return _stretches(step, clock, seconds)
