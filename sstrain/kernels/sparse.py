"""A table in which each row keeps the weights of some classes (CSR), and what it is pruned from."""

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import dispatched, inline, kernel, parallel_kernel, signed
from sstrain.kernels.storage import stored
from sstrain.kernels.tables import DenseTable, find_cell, likely_cell, table_weight
from sstrain.kernels.tiles import TILES, tile_bounds

__all__ = ["SparseTable", "count_magnitudes", "keep_largest"]

_ZERO = np.float32(0)
_16, _LOW_HALF = np.int64(16), np.int64(0xFFFF)
_ALL_BUT_SIGN = np.uint32(0x7FFFFFFF)


class SparseTable(NamedTuple):
    """The kept weights, row after row; all others are 0."""

    values: NDArray[Any]  # [nnz], see `storage`
    indptr: NDArray[np.int64]  # [rows + 1]
    indices: NDArray[np.int32]  # [nnz], rising in a row
    key: np.uint64  # of what is stored at this step


def _find_sparse(table: SparseTable, row: int, column: int) -> int:
    low, count = table.indptr[row], table.indptr[row + 1] - table.indptr[row]
    if count == 0:
        return -1
    # The cell is among `count` from `low` on; no branch depends on what is found.
    while count > 1:
        half = count >> 1
        low += half if table.indices[low + half] <= column else 0
        count -= half
    return int(low) if table.indices[low] == column else -1


def _weight_sparse(table: SparseTable, row: int, column: int) -> np.float32:
    cell = find_cell(table, row, column)
    return stored(table.values, cell) if cell >= 0 else _ZERO


def _first_cell(table: SparseTable, row: int, column: int) -> int:
    return int(table.indptr[row])


find_cell.register(SparseTable, _find_sparse)
likely_cell.register(SparseTable, _first_cell)
table_weight.register(SparseTable, _weight_sparse)


@dispatched
def _read_row(table: Any, row: int, out: NDArray[np.float32]) -> None:
    """Write all weights of a row."""
    _read_row.table[type(table)](table, row, out)


def _read_dense(table: DenseTable, row: int, out: NDArray[np.float32]) -> None:
    for column in range(len(out)):
        out[column] = stored(table.values, row * table.width + column)


def _read_sparse(table: SparseTable, row: int, out: NDArray[np.float32]) -> None:
    out[:] = _ZERO
    for cell in range(table.indptr[row], table.indptr[row + 1]):
        out[table.indices[cell]] = stored(table.values, cell)


_read_row.register(DenseTable, _read_dense)
_read_row.register(SparseTable, _read_sparse)


@inline
def _take_row(
    table: Any,
    row: int,
    columns: NDArray[np.int64],
    whole: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> None:
    """Write the weights that a new row takes over from an old one (-1: none).

    ``whole`` is scratch of an old row's length.
    """
    weights[:] = _ZERO
    if row >= 0:
        _read_row(table, row, whole)
        for column in range(len(columns)):
            if columns[column] >= 0:
                weights[column] = whole[columns[column]]


@inline
def _magnitude(bits: np.uint32) -> int:
    """Return the bits of a float32 without its sign: they are ordered as the magnitudes are."""
    return np.int64(bits & _ALL_BUT_SIGN)  # type: ignore[return-value]


@parallel_kernel
def count_magnitudes(
    table: Any,
    width: int,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    prefix: int,
    counts: NDArray[np.int64],
) -> None:
    """Count the weights of a new table by the upper 16 bits of their magnitudes.

    Parameters
    ----------
    table : DenseTable or SparseTable
        The old table.
    width : int
        Its number of columns.
    rows, columns : int64 arrays of shape [D] and [V]
        Where each row and column of the new table stood in the old one, or -1.
    prefix : int
        If not negative, those are counted that have these upper bits, by their lower bits.
    counts : int64 array of shape [TILES, 65536]
        Added to.
    """
    for tile in prange(TILES):
        whole = np.empty(width, np.float32)
        weights = np.empty(len(columns), np.float32)
        bits = weights.view(np.uint32)
        start, stop = tile_bounds(signed(tile), len(rows))
        for row in range(start, stop):
            _take_row(table, rows[row], columns, whole, weights)
            for column in range(len(columns)):
                magnitude = _magnitude(bits[column])
                upper, lower = magnitude >> _16, magnitude & _LOW_HALF
                if prefix < 0:
                    counts[tile, upper] += 1
                elif upper == prefix:
                    counts[tile, lower] += 1


@kernel
def keep_largest(
    table: Any,
    width: int,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    threshold: int,
    ties: int,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
) -> None:
    """Write the weights that a new table keeps, as CSR.

    Parameters
    ----------
    table, width, rows, columns
        As in `count_magnitudes`.
    threshold : int
        The bits of a magnitude; all weights above it are kept.
    ties : int
        How many of those at the threshold are kept, the first in the order of cells.
    indptr, indices, values : int64 [D + 1], int32 [nnz], float32 [nnz] arrays
        Written.
    """
    whole = np.empty(width, np.float32)
    weights = np.empty(len(columns), np.float32)
    bits = weights.view(np.uint32)
    count = 0
    indptr[0] = 0
    for row in range(len(rows)):
        _take_row(table, rows[row], columns, whole, weights)
        for column in range(len(columns)):
            magnitude = _magnitude(bits[column])
            if magnitude < threshold or (magnitude == threshold and ties == 0):
                continue
            if magnitude == threshold:
                ties -= 1
            indices[count], values[count] = column, weights[column]
            count += 1
        indptr[row + 1] = count
