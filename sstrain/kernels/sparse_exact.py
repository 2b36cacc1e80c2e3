"""The sparse table of weights under the exact gradient and in evaluation.

An example's scores are the rows of its features scattered over the classes; a row's gradient is
gathered at the classes that it keeps.
"""

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed
from sstrain.kernels.averaging import NotAveraged, averaged
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.linear_exact import BLOCK, Partials, relative_exponentials
from sstrain.kernels.sparse import SparseTable
from sstrain.kernels.storage import stored
from sstrain.kernels.tables import change_cell
from sstrain.kernels.tiles import TILES, tile_bounds
from sstrain.kernels.update_rule import row_rate, sums_rows

__all__ = ["sparse_forward", "sparse_score_all", "sparse_update_all"]

_ZERO = np.float32(0)


@inline
def _score_example(
    table: SparseTable,
    bias: NDArray[np.float32],
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    i: int,
    scores: NDArray[np.float32],
) -> None:
    """Write example i's scores of all classes (equation 1)."""
    for j in range(len(scores)):
        scores[j] = averaged(bias_average, bias[j], j)
    for entry in range(batch.indptr[i], batch.indptr[i + 1]):
        row, x = batch.features[batch.slots[entry]], batch.values[entry]
        for cell in range(table.indptr[row], table.indptr[row + 1]):
            weight = averaged(average, stored(table.values, cell), cell)
            scores[table.indices[cell]] += x * weight


@parallel_kernel
def sparse_score_all(
    table: SparseTable,
    bias: NDArray[np.float32],
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    scores: NDArray[np.float32],
) -> None:
    """Write the scores of all classes, float32 [B, V], by the averaged weights if there are any."""
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), len(scores))
        for i in range(start, stop):
            _score_example(table, bias, average, bias_average, batch, i, scores[i])


@parallel_kernel
def sparse_forward(
    table: SparseTable,
    bias: NDArray[np.float32],
    batch: BatchArrays,
    targets: NDArray[np.int32],
    exponentials: NDArray[np.float32],
    target_scores: NDArray[np.float32],
    partials: Partials,
) -> None:
    """Score all classes, and keep of each block ``exp(score - highest)`` and its partials.

    What is written is as in `dense_forward`.
    """
    live = NotAveraged()
    # Taken out of the tuple: numba drops a write to an array that a parallel loop reaches
    # through a tuple's field.
    block_highest, block_total = partials.highest, partials.total
    for tile in prange(TILES):
        first, last = tile_bounds(signed(tile), len(targets))
        for i in range(first, last):
            _score_example(table, bias, live, live, batch, i, exponentials[i])
            target_scores[i] = exponentials[i, targets[i]]
            for block in range(len(block_highest)):
                scores = exponentials[i, block * BLOCK : min((block + 1) * BLOCK, len(bias))]
                block_highest[block, i], block_total[block, i] = relative_exponentials(scores)


@inline
def _update_row(
    table: SparseTable,
    rule: Any,
    average: Any,
    batch: BatchArrays,
    slot: int,
    d_scores: NDArray[np.float32],
    gradient: NDArray[np.float32],
) -> int:
    """Update the kept weights of one feature (equations 5, 6, 25); return whether one is bad."""
    row = batch.features[slot]
    first, count = table.indptr[row], table.indptr[row + 1] - table.indptr[row]
    gradient[:count] = _ZERO
    for entry in range(batch.column_indptr[slot], batch.column_indptr[slot + 1]):
        i, x = batch.column_rows[entry], batch.column_values[entry]
        for k in range(count):
            gradient[k] += x * d_scores[i, table.indices[first + k]]
    squares = _ZERO
    if sums_rows(rule):
        for k in range(count):
            squares += gradient[k] * gradient[k]
    rate = row_rate(rule, row, squares)
    probe = _ZERO
    for k in range(count):
        probe += change_cell(table.values, table.key, rule, average, first + k, gradient[k], rate)
    return 0 if probe == _ZERO else 1


@inline
def _update_bias(
    bias: NDArray[np.float32], rule: Any, average: Any, gradient: NDArray[np.float32]
) -> int:
    """Update the bias, a row that every example holds with x = 1; return whether it is bad."""
    squares = _ZERO
    if sums_rows(rule):
        for j in range(len(bias)):
            squares += gradient[j] * gradient[j]
    rate = row_rate(rule, 0, squares)
    probe = _ZERO
    for j in range(len(bias)):
        probe += change_cell(bias, np.uint64(0), rule, average, j, gradient[j], rate)
    return 0 if probe == _ZERO else 1


@parallel_kernel
def sparse_update_all(
    table: SparseTable,
    bias: NDArray[np.float32],
    rule: Any,
    bias_rule: Any,
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    num_features: int,
    d_scores: NDArray[np.float32],
    gradients: NDArray[np.float32],
) -> int:
    """Apply the exact gradient, row by row; return the number of bad rows.

    ``d_scores`` is float32 [B, V]; ``gradients`` is scratch, float32 [TILES, V].
    """
    num_classes = len(bias)
    bad = 0
    for tile in prange(TILES):
        # Slots rise with a feature's first place in the batch, and frequent ones come first.
        for slot in range(signed(tile), num_features, TILES):
            bad += _update_row(table, rule, average, batch, slot, d_scores, gradients[tile])
    bias_gradient = gradients[0]
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), num_classes)
        bias_gradient[start:stop] = _ZERO
        for i in range(len(d_scores)):
            for j in range(start, stop):
                bias_gradient[j] += d_scores[i, j]
    return bad + _update_bias(bias, bias_rule, bias_average, bias_gradient)
