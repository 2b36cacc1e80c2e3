"""What a kernel asks of an update rule, answered by the type of the rule's NamedTuple."""

from typing import Any

from sstrain.kernels._jit import dispatched

__all__ = ["cell_step", "fetch_state", "row_rate", "sums_rows"]


@dispatched
def sums_rows(rule: Any) -> bool:
    """Whether ``row_rate`` needs the sum of a row's squared gradients."""
    return bool(sums_rows.table[type(rule)](rule))


@dispatched
def row_rate(rule: Any, row: int, sum_of_squares: float) -> float:
    """Take in a row's summed squared gradient and return the rate for its cells."""
    return float(row_rate.table[type(rule)](rule, row, sum_of_squares))


@dispatched
def cell_step(rule: Any, cell: int, gradient: float, rate: float) -> float:
    """Return what is added to the weight of one cell, and update the rule's state for it.

    Cells are counted through the whole table, whatever its shape.
    """
    return float(cell_step.table[type(rule)](rule, cell, gradient, rate))


@dispatched
def fetch_state(rule: Any, cell: int) -> None:
    """Ask for the memory that ``cell_step`` will read of the rule's state for a cell."""
    fetch_state.table[type(rule)](rule, cell)
