"""What a kernel asks of a table of weights (feature, class), answered by the table's type."""

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import dispatched, inline, kernel, parallel_kernel, signed, unsigned
from sstrain.kernels.averaging import record
from sstrain.kernels.lanes import LANES, fetch
from sstrain.kernels.storage import keep, stored
from sstrain.kernels.update_rule import cell_step, fetch_state

__all__ = [
    "DenseTable",
    "change_cell",
    "fetch_cells",
    "fetch_row",
    "fetch_row_state",
    "fetch_weights",
    "find_cell",
    "likely_cell",
    "sweep",
    "table_weight",
    "weights_at",
]

#: Cells that a thread takes at a time in a sweep.
_CHUNK = 1 << 16
_ZERO = np.float32(0)


@dispatched
def find_cell(table: Any, row: int, column: int) -> int:
    """Return which cell of the table's values holds a weight, or -1 for a weight that is 0."""
    return int(find_cell.table[type(table)](table, row, column))


@dispatched
def likely_cell(table: Any, row: int, column: int) -> int:
    """Return which cell to ask memory for: `find_cell` where that looks nothing up, else any."""
    return int(likely_cell.table[type(table)](table, row, column))


@dispatched
def table_weight(table: Any, row: int, column: int) -> float:
    """Return the weight of a feature (row) and a class (column)."""
    return float(table_weight.table[type(table)](table, row, column))


class DenseTable(NamedTuple):
    """A weight for each row and column."""

    values: NDArray[Any]  # [rows * width], see `storage`
    width: int
    key: np.uint64  # of what is stored at this step


def _find_dense(table: DenseTable, row: int, column: int) -> int:
    return row * table.width + column


def _weight_dense(table: DenseTable, row: int, column: int) -> np.float32:
    return stored(table.values, unsigned(row * table.width + column))


find_cell.register(DenseTable, _find_dense)
likely_cell.register(DenseTable, _find_dense)
table_weight.register(DenseTable, _weight_dense)


@inline
def fetch_weights(table: Any, row: int, columns: NDArray[np.int32]) -> None:
    """Ask for the memory of some of a row's weights."""
    for k in range(len(columns)):
        fetch(table.values, likely_cell(table, row, columns[k]))


@inline
def fetch_cells(table: Any, rule: Any, row: int, columns: NDArray[np.int32]) -> None:
    """Ask for the memory that changing some of a row's weights will need."""
    for k in range(len(columns)):
        cell = likely_cell(table, row, columns[k])
        fetch(table.values, cell)
        fetch_state(rule, cell)


@inline
def fetch_row(table: DenseTable, row: int) -> None:
    """Ask for the memory of a whole row of weights; of a row of a few lines."""
    for column in range(0, table.width, LANES):
        fetch(table.values, unsigned(row * table.width + column))


@inline
def fetch_row_state(table: DenseTable, rule: Any, row: int) -> None:
    """Ask for the memory that changing a whole row of weights will need besides the weights."""
    for column in range(0, table.width, LANES):
        fetch_state(rule, unsigned(row * table.width + column))


@inline
def change_cell(
    values: NDArray[Any],
    key: np.uint64,
    rule: Any,
    average: Any,
    cell: int,
    gradient: np.float32,
    rate: np.float32,
) -> np.float32:
    """Update one weight by its gradient; return 0, or NaN if it is no longer finite."""
    before = stored(values, cell)
    after = keep(values, cell, before + cell_step(rule, cell, gradient, rate), key)
    record(average, cell, after - before)
    return after * _ZERO


@inline
def _sweep_chunk(
    values: NDArray[Any], average: Any, factor: np.float32, key: np.uint64, start: int, stop: int
) -> int:
    probe = _ZERO
    for index in range(start, stop):
        cell = unsigned(index)
        before = stored(values, cell)
        after = keep(values, cell, before * factor, key)
        record(average, cell, after - before)
        probe += after * _ZERO
    return 0 if probe == _ZERO else 1


@parallel_kernel
def sweep(values: NDArray[Any], average: Any, factor: np.float32, key: int) -> int:
    """Multiply all cells by the pending decay (equation 30); return the number of bad chunks."""
    bad = 0
    for chunk in prange((len(values) + _CHUNK - 1) // _CHUNK):
        start = signed(chunk) * _CHUNK
        bad += _sweep_chunk(
            values, average, factor, np.uint64(key), start, min(start + _CHUNK, len(values))
        )
    return bad


@kernel
def weights_at(
    table: Any, rows: NDArray[np.int64], columns: NDArray[np.int64], out: NDArray[np.float32]
) -> None:
    """Write the weights of some features and classes."""
    for position in range(len(rows)):
        out[position] = table_weight(table, rows[position], columns[position])
