"""Keeping track of every change of a weight, so that its average over the steps can be had."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import dispatched
from sstrain.kernels.storage import nearest_half

__all__ = ["Averaged", "HalfAveraged", "NotAveraged", "averaged", "record"]


class NotAveraged(NamedTuple):
    """No average is kept."""

    enabled: bool = False


class Averaged(NamedTuple):
    """The companion array u of one table of weights (docs/derivation.md, equations 31 and 32)."""

    u: NDArray[np.float32]  # [cells]
    steps_before: np.float32  # t - 1
    inverse_steps: np.float32  # 1 / t


class HalfAveraged(NamedTuple):
    """The same of weights in bfloat16, whose average is saved and predicted with in bfloat16."""

    u: NDArray[np.float32]  # [cells]
    steps_before: np.float32  # t - 1
    inverse_steps: np.float32  # 1 / t


@dispatched
def record(average: Any, cell: int, change: float) -> None:
    """Take in one weight's change at this step: ``u += (t - 1) * change``."""
    record.table[type(average)](average, cell, change)


def _ignore(average: NotAveraged, cell: int, change: np.float32) -> None:
    pass


def _accumulate(average: Averaged, cell: int, change: np.float32) -> None:
    average.u[cell] += average.steps_before * change


record.register(NotAveraged, _ignore)
record.register(Averaged, _accumulate)
record.register(HalfAveraged, _accumulate)


@dispatched
def averaged(average: Any, weight: float, cell: int) -> float:
    """Return the weight to predict with: ``w - u / t`` (equation 32), or the weight itself."""
    return float(averaged.table[type(average)](average, weight, cell))


def _itself(average: NotAveraged, weight: np.float32, cell: int) -> np.float32:
    return weight


def _mean(average: Averaged, weight: np.float32, cell: int) -> np.float32:
    return np.float32(weight - average.u[cell] * average.inverse_steps)


averaged.register(NotAveraged, _itself)
averaged.register(Averaged, _mean)


def _half_mean(average: HalfAveraged, weight: np.float32, cell: int) -> np.float32:
    """Return the average as it is saved: a last bit more would round to another number.

    In float64 the product is exact, so that it does not matter whether the compiler fuses it.
    """
    change = np.float64(average.u[cell]) * np.float64(average.inverse_steps)
    return nearest_half(np.float32(np.float64(weight) - change))


averaged.register(HalfAveraged, _half_mean)
