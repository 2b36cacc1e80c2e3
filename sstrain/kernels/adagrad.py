"""AdaGrad with one accumulator a weight."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels.lanes import fetch
from sstrain.kernels.update_rule import cell_step, fetch_state, row_rate, sums_rows

__all__ = ["AdaGradState"]


class AdaGradState(NamedTuple):
    """State of the rule for one table of weights.

    The initial accumulator is added when the sum is used, so that untouched pages of
    ``sum_of_squares`` stay unallocated zeros.
    """

    sum_of_squares: NDArray[np.float32]  # [cells]
    initial: np.float32
    rate: np.float32


def _sums_rows(rule: AdaGradState) -> bool:
    return False


def _row_rate(rule: AdaGradState, row: int, sum_of_squares: float) -> np.float32:
    return rule.rate


def _cell_step(rule: AdaGradState, cell: int, gradient: np.float32, rate: np.float32) -> np.float32:
    """Equation 28."""
    total = rule.sum_of_squares[cell] + gradient * gradient
    rule.sum_of_squares[cell] = total
    return np.float32(-rate * gradient / np.sqrt(total + rule.initial))


def _fetch_state(rule: AdaGradState, cell: int) -> None:
    fetch(rule.sum_of_squares, cell)


sums_rows.register(AdaGradState, _sums_rows)
row_rate.register(AdaGradState, _row_rate)
cell_step.register(AdaGradState, _cell_step)
fetch_state.register(AdaGradState, _fetch_state)
