"""Drawn cells of a table of weights: what both kinds of sampled update share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, unsigned
from sstrain.kernels.tables import change_cell, find_cell
from sstrain.kernels.update_rule import row_rate, sums_rows

__all__ = ["apply_cells"]

_ZERO = np.float32(0)


@inline
def apply_cells(
    table: Any,
    rule: Any,
    average: Any,
    row: int,
    places: NDArray[np.int32],
    classes: NDArray[np.int32],
    gradient: NDArray[np.float32],
) -> np.float32:
    """Update the weights of one row at ``classes[places]`` by the gradients at the same places.

    Weights that the table does not hold stay 0.

    Returns 0, or NaN if a weight is no longer finite.
    """
    squares = _ZERO
    if sums_rows(rule):
        for place in places:
            if find_cell(table, row, classes[place]) >= 0:
                squares += gradient[place] * gradient[place]
    rate = row_rate(rule, row, squares)
    probe = np.float32(0)
    for place in places:
        cell = find_cell(table, row, classes[place])
        if cell >= 0:
            probe += change_cell(
                table.values, table.key, rule, average, unsigned(cell), gradient[place], rate
            )
    return probe
