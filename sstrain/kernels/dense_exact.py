"""The exact gradient of the dense table of weights, a block of classes at a time.

Scores are kept as exponentials. Once the log-partition is known a second pass over the blocks
turns them into gradients, sums a row's gradient in registers, a tile of classes at a time, and
updates the row at once, so that a step reads each weight twice and writes it once.
"""

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed
from sstrain.kernels.averaging import NotAveraged
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.dense_scores import AHEAD, gather_bias, gather_rows, score_example
from sstrain.kernels.lanes import LANES, TILE, add_to_tile, fetch, load_tile, store_tile
from sstrain.kernels.linear_exact import (
    BLOCK,
    Partials,
    apply_block,
    blocks_of,
    relative_exponentials,
    write_rates,
)
from sstrain.kernels.tables import DenseTable
from sstrain.kernels.threads import thread_number
from sstrain.kernels.update_rule import fetch_state, sums_rows

__all__ = ["dense_forward", "dense_update_all"]

_ZERO, _ONE = np.float32(0), np.float32(1)


@parallel_kernel
def dense_forward(
    table: DenseTable,
    bias: NDArray[np.float32],
    batch: BatchArrays,
    num_features: int,
    targets: NDArray[np.int32],
    gathered: NDArray[np.float32],
    exponentials: NDArray[np.float32],
    target_scores: NDArray[np.float32],
    partials: Partials,
) -> None:
    """Score all classes, and keep of each block ``exp(score - highest)`` and its partials.

    ``exponentials``, float32 [blocks, B * BLOCK], and ``target_scores``, float32 [B],
    are written; past the last class exponentials are 0. ``gathered`` as in `dense_score_all`.
    """
    num_classes, size = len(bias), len(targets)
    live = NotAveraged()
    # Taken out of the tuple: numba drops a write to an array that a parallel loop reaches
    # through a tuple's field.
    block_highest, block_total = partials.highest, partials.total
    for block in prange(blocks_of(num_classes)):
        start = signed(block) * BLOCK
        width = min(BLOCK, num_classes - start)
        rows, scores = gathered[thread_number()], exponentials[block]
        block_bias = np.empty(BLOCK, np.float32)
        gather_rows(table, live, batch, num_features, start, width, rows)
        gather_bias(bias, live, start, width, block_bias)
        for i in range(size):
            found = scores[i * BLOCK : i * BLOCK + BLOCK]
            score_example(rows, block_bias, batch, i, found)
            if start <= targets[i] < start + width:
                target_scores[i] = found[targets[i] - start]
            block_highest[block, i], block_total[block, i] = relative_exponentials(found)


@inline
def _to_gradients(
    exponentials: NDArray[np.float32],
    start: int,
    targets: NDArray[np.int32],
    weights: NDArray[np.float32],
    log_partitions: NDArray[np.float64],
    block_highest: NDArray[np.float32],
) -> None:
    """Turn a block's exponentials into gradients of the weighted mean loss (3, 4, 24)."""
    size = len(targets)
    for i in range(size):
        share = weights[i] / np.float32(size)
        factor = share * np.float32(np.exp(block_highest[i] - log_partitions[i]))
        row = exponentials[i * BLOCK : i * BLOCK + BLOCK]
        for k in range(BLOCK):
            row[k] *= factor
        if start <= targets[i] < start + BLOCK:
            row[targets[i] - start] -= share


@inline
def _row_gradient(
    batch: BatchArrays,
    slot: int,
    num_features: int,
    d_scores: NDArray[np.float32],
    zeros: NDArray[np.float32],
    gradient: NDArray[np.float32],
) -> None:
    """Write a row's gradient of a block of classes, float32 [BLOCK] (equations 5, 6, 25).

    The row past the features is the bias, which every example holds with x = 1.
    """
    for tile in range(0, BLOCK, TILE):
        sums = load_tile(zeros, 0)
        if slot < num_features:
            for entry in range(batch.column_indptr[slot], batch.column_indptr[slot + 1]):
                row = signed(batch.column_rows[entry]) * BLOCK
                sums = add_to_tile(sums, batch.column_values[entry], d_scores, row + tile)
        else:
            for row in range(0, len(d_scores), BLOCK):
                sums = add_to_tile(sums, _ONE, d_scores, row + tile)
        store_tile(gradient, tile, sums)


@inline
def _fetch_row(table: DenseTable, rule: Any, row: int, start: int) -> None:
    """Ask for the memory of a block of a row's weights and of their state."""
    for k in range(0, BLOCK, LANES):
        cell = row * table.width + start + k
        fetch(table.values, cell)
        fetch_state(rule, cell)


@inline
def _sum_squares(
    batch: BatchArrays,
    num_features: int,
    d_scores: NDArray[np.float32],
    squares: NDArray[np.float32],
) -> None:
    """Write the sum of the squared gradients of each row of a block, the bias last: [F + 1]."""
    zeros, gradient = np.zeros(TILE, np.float32), np.empty(BLOCK, np.float32)
    for slot in range(num_features + 1):
        _row_gradient(batch, slot, num_features, d_scores, zeros, gradient)
        total = _ZERO
        for k in range(BLOCK):
            total += gradient[k] * gradient[k]
        squares[slot] = total


@inline
def _update_block(
    table: DenseTable,
    bias: NDArray[np.float32],
    rule: Any,
    bias_rule: Any,
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    num_features: int,
    start: int,
    d_scores: NDArray[np.float32],
    rates: NDArray[np.float32],
) -> int:
    """Apply the gradient of a block of classes; return the number of bad rows."""
    zeros, gradient = np.zeros(TILE, np.float32), np.empty(BLOCK, np.float32)
    kept = gradient[: min(BLOCK, len(bias) - start)]
    bad = 0
    for slot in range(num_features):
        following = batch.features[min(slot + AHEAD, num_features - 1)]
        _fetch_row(table, rule, following, start)
        _row_gradient(batch, slot, num_features, d_scores, zeros, gradient)
        row = batch.features[slot]
        probe = apply_block(table, rule, average, row, start, kept, rates[slot])
        bad += 0 if probe == _ZERO else 1
    _row_gradient(batch, num_features, num_features, d_scores, zeros, gradient)
    bias_table = DenseTable(bias, len(bias), np.uint64(0))
    probe = apply_block(bias_table, bias_rule, bias_average, 0, start, kept, rates[num_features])
    return bad + (0 if probe == _ZERO else 1)


@parallel_kernel
def dense_update_all(
    table: DenseTable,
    bias: NDArray[np.float32],
    rule: Any,
    bias_rule: Any,
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    num_features: int,
    targets: NDArray[np.int32],
    weights: NDArray[np.float32],
    log_partitions: NDArray[np.float64],
    partials: Partials,
    exponentials: NDArray[np.float32],
    rates: NDArray[np.float32],
) -> int:
    """Apply the exact gradient, block by block; return the number of bad blocks of rows.

    ``exponentials`` are as `dense_forward` wrote them, and used up; ``rates`` is scratch, float32
    [F + 1]. A rule that needs the sum of a whole row's squared gradients has them summed over all
    blocks before any cell changes.
    """
    block_highest, summed = partials.highest, sums_rows(rule)
    num_blocks, bad = len(exponentials), 0
    squares = np.zeros((num_blocks if summed else 0, num_features + 1), np.float32)
    if summed:
        for block in prange(num_blocks):
            start, scores = signed(block) * BLOCK, exponentials[block]
            _to_gradients(scores, start, targets, weights, log_partitions, block_highest[block])
            _sum_squares(batch, num_features, scores, squares[block])
    write_rates(rule, bias_rule, batch, num_features, squares, rates)
    for block in prange(num_blocks):
        start, scores = signed(block) * BLOCK, exponentials[block]
        if not summed:
            _to_gradients(scores, start, targets, weights, log_partitions, block_highest[block])
        bad += _update_block(
            table,
            bias,
            rule,
            bias_rule,
            average,
            bias_average,
            batch,
            num_features,
            start,
            scores,
            rates,
        )
    return bad
