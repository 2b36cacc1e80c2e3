"""All classes' scores by the dense table of weights, a block of classes at a time.

The batch's rows of a block are gathered into an array of their own, which stays in cache while
every example is scored from it, in registers, a tile of classes at a time.
"""

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed, unsigned
from sstrain.kernels.averaging import averaged
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.lanes import LANES, TILE, add_to_tile, fetch, load_tile, store_tile
from sstrain.kernels.linear_exact import BLOCK, blocks_of
from sstrain.kernels.storage import stored
from sstrain.kernels.tables import DenseTable
from sstrain.kernels.threads import thread_number

__all__ = ["AHEAD", "dense_score_all", "gather_bias", "gather_rows", "score_example"]

#: How many rows ahead memory is asked for.
AHEAD = 4
_ZERO, _LOWEST = np.float32(0), np.float32(-np.inf)


@inline
def gather_rows(
    table: DenseTable,
    average: Any,
    batch: BatchArrays,
    num_features: int,
    start: int,
    width: int,
    rows: NDArray[np.float32],
) -> None:
    """Write the rows of a block of weights, float32 [F * BLOCK], each followed by zeros."""
    for slot in range(num_features):
        following = batch.features[min(slot + AHEAD, num_features - 1)]
        for k in range(0, width, LANES):
            fetch(table.values, following * table.width + start + k)
        first = batch.features[slot] * table.width + start
        row = rows[slot * BLOCK : slot * BLOCK + BLOCK]
        for k in range(width):
            cell = unsigned(first + k)
            row[k] = averaged(average, stored(table.values, cell), cell)
        if width < BLOCK:
            row[width:] = _ZERO


@inline
def gather_bias(
    bias: NDArray[np.float32], average: Any, start: int, width: int, out: NDArray[np.float32]
) -> None:
    """Write a block of the bias, followed by the scores of no class."""
    for k in range(width):
        cell = unsigned(start + k)
        out[k] = averaged(average, bias[cell], cell)
    out[width:] = _LOWEST


@inline
def score_example(
    rows: NDArray[np.float32],
    bias: NDArray[np.float32],
    batch: BatchArrays,
    i: int,
    scores: NDArray[np.float32],
) -> None:
    """Write example i's scores of a block of classes, float32 [BLOCK] (equation 1)."""
    for tile in range(0, BLOCK, TILE):
        sums = load_tile(bias, tile)
        for entry in range(batch.indptr[i], batch.indptr[i + 1]):
            row = signed(batch.slots[entry]) * BLOCK
            sums = add_to_tile(sums, batch.values[entry], rows, row + tile)
        store_tile(scores, tile, sums)


@parallel_kernel
def dense_score_all(
    table: DenseTable,
    bias: NDArray[np.float32],
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    num_features: int,
    gathered: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Write the scores of all classes, float32 [B, V], by the averaged weights if there are any.

    ``gathered`` is scratch, float32 [threads, F * BLOCK].
    """
    num_classes = len(bias)
    for block in prange(blocks_of(num_classes)):
        start = signed(block) * BLOCK
        width = min(BLOCK, num_classes - start)
        rows = gathered[thread_number()]
        block_bias, found = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
        gather_rows(table, average, batch, num_features, start, width, rows)
        gather_bias(bias, bias_average, start, width, block_bias)
        for i in range(len(scores)):
            score_example(rows, block_bias, batch, i, found)
            scores[i, start : start + width] = found[:width]
