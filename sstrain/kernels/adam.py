"""Adam, with moments and bias correction by the rows that a step touches."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels.lanes import fetch
from sstrain.kernels.update_rule import cell_step, fetch_state, row_rate, sums_rows

__all__ = ["AdamState"]

_ONE = np.float32(1)


class AdamState(NamedTuple):
    """State of the rule for one table of weights."""

    first_moment: NDArray[np.float32]  # [cells]
    second_moment: NDArray[np.float32]  # [cells]
    steps: NDArray[np.float32]  # [rows], how many steps have touched the row
    rate: np.float32
    beta1: np.float32
    beta2: np.float32
    epsilon: np.float32


def _sums_rows(rule: AdamState) -> bool:
    return False


def _row_rate(rule: AdamState, row: int, sum_of_squares: np.float32) -> np.float32:
    """Count the step; take the bias correction of both moments into the rate (equation 41)."""
    rule.steps[row] += _ONE
    steps = np.float64(rule.steps[row])
    first = 1.0 - np.float64(rule.beta1) ** steps
    second = 1.0 - np.float64(rule.beta2) ** steps
    return np.float32(rule.rate * np.sqrt(second) / first)


def _cell_step(rule: AdamState, cell: int, gradient: np.float32, rate: np.float32) -> np.float32:
    """Equation 40."""
    first = rule.beta1 * rule.first_moment[cell] + (_ONE - rule.beta1) * gradient
    second = rule.beta2 * rule.second_moment[cell] + (_ONE - rule.beta2) * gradient * gradient
    rule.first_moment[cell] = first
    rule.second_moment[cell] = second
    return np.float32(-rate * first / (np.sqrt(second) + rule.epsilon))


def _fetch_state(rule: AdamState, cell: int) -> None:
    fetch(rule.first_moment, cell)
    fetch(rule.second_moment, cell)


sums_rows.register(AdamState, _sums_rows)
row_rate.register(AdamState, _row_rate)
cell_step.register(AdamState, _cell_step)
fetch_state.register(AdamState, _fetch_state)
