"""Plain stochastic gradient descent."""

from typing import NamedTuple

import numpy as np

from sstrain.kernels.update_rule import cell_step, fetch_state, row_rate, sums_rows

__all__ = ["SgdState"]


class SgdState(NamedTuple):
    """State of the rule for one table of weights: none but the rate."""

    rate: np.float32


def _sums_rows(rule: SgdState) -> bool:
    return False


def _row_rate(rule: SgdState, row: int, sum_of_squares: np.float32) -> np.float32:
    return rule.rate


def _cell_step(rule: SgdState, cell: int, gradient: np.float32, rate: np.float32) -> np.float32:
    """Equation 27."""
    return np.float32(-rate * gradient)


def _fetch_state(rule: SgdState, cell: int) -> None:
    pass


sums_rows.register(SgdState, _sums_rows)
row_rate.register(SgdState, _row_rate)
cell_step.register(SgdState, _cell_step)
fetch_state.register(SgdState, _fetch_state)
