"""Factors of a low-rank model: reading rows, pooling an example's features, filling at the start.

A table of factors is a `DenseTable` whose width is the rank.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import dispatched, inline, parallel_kernel, signed, unsigned
from sstrain.kernels.averaging import Averaged, HalfAveraged, NotAveraged, averaged
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.counter import split, uniform
from sstrain.kernels.storage import keep, stored, stored_rows
from sstrain.kernels.tables import DenseTable, fetch_row
from sstrain.kernels.tiles import TILES, tile_bounds

__all__ = ["Pooling", "low_rank_fill", "low_rank_pool"]

_ZERO, _ONE = np.float32(0), np.float32(1)


class Pooling(NamedTuple):
    """What happens to the sum of an example's feature vectors."""

    mean: bool  # whether it is divided by the number of features
    dropout: np.float32  # the share of dimensions set to 0; 0 outside of training
    key: np.uint64  # of the step's masks


@inline
def read_rows(table: DenseTable, average: Any, start: int, rows: NDArray[np.float32]) -> None:
    """Copy consecutive rows of a table, or of its average, as float32."""
    first = start * table.width
    for k in range(len(rows)):
        for d in range(table.width):
            cell = unsigned(first + k * table.width + d)
            rows[k, d] = averaged(average, stored(table.values, cell), cell)


@dispatched
def rows_of(average: Any, table: DenseTable, start: int, rows: NDArray[np.float32]) -> Any:
    """Return consecutive rows of a table, or of its average, as float32; ``rows`` is scratch."""
    return rows_of.table[type(average)](average, table, start, rows)


def _live_rows(
    average: NotAveraged, table: DenseTable, start: int, rows: NDArray[np.float32]
) -> NDArray[np.float32]:
    found: NDArray[np.float32] = stored_rows(table.values, start, rows)
    return found


def _mean_rows(
    average: Averaged, table: DenseTable, start: int, rows: NDArray[np.float32]
) -> NDArray[np.float32]:
    read_rows(table, average, start, rows)
    return rows


rows_of.register(NotAveraged, _live_rows)
rows_of.register(Averaged, _mean_rows)
rows_of.register(HalfAveraged, _mean_rows)


@inline
def scale_pooled(
    pooling: Pooling, batch: BatchArrays, i: int, example: int, vector: NDArray[np.float32]
) -> None:
    """Scale and mask example i's sum of vectors in place (equations 42 and 43).

    The map is diagonal, so that the same call takes the gradient back through it.
    """
    number = batch.indptr[i + 1] - batch.indptr[i]
    if pooling.mean and number > 0:
        share = _ONE / np.float32(number)
        for d in range(len(vector)):
            vector[d] *= share
    if pooling.dropout > _ZERO:
        mask = split(pooling.key, example)
        scale = _ONE / (_ONE - pooling.dropout)
        for d in range(len(vector)):
            kept = uniform(mask, d) >= pooling.dropout
            vector[d] = vector[d] * scale if kept else _ZERO


@inline
def _pool(
    table: DenseTable, average: Any, batch: BatchArrays, i: int, total: NDArray[np.float32]
) -> None:
    total[:] = _ZERO
    for entry in range(batch.indptr[i], batch.indptr[i + 1]):
        first = batch.features[batch.slots[entry]] * table.width
        x = batch.values[entry]
        for d in range(len(total)):
            cell = unsigned(first + d)
            total[d] += x * averaged(average, stored(table.values, cell), cell)


@parallel_kernel
def low_rank_pool(
    table: DenseTable,
    average: Any,
    pooling: Pooling,
    batch: BatchArrays,
    example_ids: NDArray[np.int64],
    pooled: NDArray[np.float32],
) -> None:
    """Write each example's pooled vector h, float32 [B, r] (equations 42 and 43)."""
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), len(pooled))
        for i in range(start, stop):
            following = min(i + 1, stop - 1)
            for entry in range(batch.indptr[following], batch.indptr[following + 1]):
                fetch_row(table, batch.features[batch.slots[entry]])
            _pool(table, average, batch, i, pooled[i])
            scale_pooled(pooling, batch, i, example_ids[i], pooled[i])


@inline
def _fill(values: NDArray[Any], key: np.uint64, scale: np.float32, start: int, stop: int) -> None:
    for cell in range(start, stop):
        number = np.float32((2.0 * uniform(key, cell) - 1.0) * scale)
        keep(values, cell, number, key)


@parallel_kernel
def low_rank_fill(values: NDArray[Any], key: int, scale: float) -> None:
    """Fill a table with numbers uniform on [-scale, scale), each a pure function of its cell."""
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), len(values))
        _fill(values, np.uint64(key), np.float32(scale), start, stop)
