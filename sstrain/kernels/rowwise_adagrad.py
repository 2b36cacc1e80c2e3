"""AdaGrad with one accumulator a row of weights."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels.update_rule import cell_step, fetch_state, row_rate, sums_rows

__all__ = ["RowwiseAdaGradState"]


class RowwiseAdaGradState(NamedTuple):
    """State of the rule for one table of weights."""

    sum_of_squares: NDArray[np.float32]  # [rows]
    initial: np.float32
    rate: np.float32


def _sums_rows(rule: RowwiseAdaGradState) -> bool:
    return True


def _row_rate(rule: RowwiseAdaGradState, row: int, sum_of_squares: np.float32) -> np.float32:
    """Equation 29."""
    total = np.float32(rule.sum_of_squares[row] + sum_of_squares)
    rule.sum_of_squares[row] = total
    return np.float32(rule.rate / np.sqrt(total + rule.initial))


def _cell_step(
    rule: RowwiseAdaGradState, cell: int, gradient: np.float32, rate: np.float32
) -> np.float32:
    return np.float32(-rate * gradient)


def _fetch_state(rule: RowwiseAdaGradState, cell: int) -> None:
    pass


sums_rows.register(RowwiseAdaGradState, _sums_rows)
row_rate.register(RowwiseAdaGradState, _row_rate)
cell_step.register(RowwiseAdaGradState, _cell_step)
fetch_state.register(RowwiseAdaGradState, _fetch_state)
