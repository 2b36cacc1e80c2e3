"""The dense table of weights under the exact gradient and in evaluation: all classes, in blocks.

Blocks of classes are what threads take. A block's scores for the batch are computed, turned
into exponentials and, once the log-partition is known, into gradients while the block's weights
are in cache. Nothing depends on which thread takes which block.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed
from sstrain.kernels.averaging import NotAveraged, averaged
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.exponential import exp32
from sstrain.kernels.storage import stored
from sstrain.kernels.tables import DenseTable, change_cell
from sstrain.kernels.update_rule import row_rate, sums_rows

__all__ = [
    "BLOCK",
    "Partials",
    "dense_forward",
    "dense_probabilities_to_gradients",
    "dense_row_rates",
    "dense_score_all",
    "dense_update_all",
]

#: Classes in a block: 1 KiB of a row of weights.
BLOCK = 256
_ZERO, _ONE = np.float32(0), np.float32(1)


class Partials(NamedTuple):
    """What each block of classes contributes to each example's log-partition."""

    highest: NDArray[np.float32]  # [blocks, B], the largest score
    total: NDArray[np.float64]  # [blocks, B], sum of exp(score - highest)


@inline
def _score_block(
    table: DenseTable,
    bias: NDArray[np.float32],
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    i: int,
    start: int,
    scores: NDArray[np.float32],
) -> None:
    """Write example i's scores of the classes from ``start`` (equation 1)."""
    for k in range(len(scores)):
        scores[k] = averaged(bias_average, bias[start + k], start + k)
    for entry in range(batch.indptr[i], batch.indptr[i + 1]):
        first = batch.features[batch.slots[entry]] * table.width + start
        x = batch.values[entry]
        for k in range(len(scores)):
            weight = stored(table.values, first + k)
            scores[k] += x * averaged(average, weight, first + k)


@parallel_kernel
def dense_score_all(
    table: DenseTable,
    bias: NDArray[np.float32],
    average: Any,
    bias_average: Any,
    batch: BatchArrays,
    scores: NDArray[np.float32],
) -> None:
    """Write the scores of all classes, float32 [B, V], by the averaged weights if there are any."""
    num_classes = len(bias)
    for block in prange((num_classes + BLOCK - 1) // BLOCK):
        start = signed(block) * BLOCK
        stop = min(start + BLOCK, num_classes)
        for i in range(len(scores)):
            _score_block(table, bias, average, bias_average, batch, i, start, scores[i, start:stop])


@inline
def to_exponentials(scores: NDArray[np.float32]) -> tuple[np.float32, np.float32]:
    """Turn one example's scores of a block into exponentials; return the highest and their sum."""
    highest = scores[0]
    for k in range(len(scores)):
        highest = max(highest, scores[k])
    total = _ZERO
    for k in range(len(scores)):
        scores[k] = exp32(scores[k] - highest)
        total += scores[k]
    return highest, total


@parallel_kernel
def dense_forward(
    table: DenseTable,
    bias: NDArray[np.float32],
    batch: BatchArrays,
    targets: NDArray[np.int32],
    exponentials: NDArray[np.float32],
    target_scores: NDArray[np.float32],
    partials: Partials,
) -> None:
    """Score all classes, and keep of each block ``exp(score - highest)`` and its partials.

    ``exponentials`` is float32 [B, V], ``target_scores`` float32 [B]; both are written.
    """
    num_classes = len(bias)
    live = NotAveraged()
    # Taken out of the tuple: numba drops a write to an array that a parallel loop reaches
    # through a tuple's field.
    block_highest, block_total = partials.highest, partials.total
    for block in prange((num_classes + BLOCK - 1) // BLOCK):
        start = signed(block) * BLOCK
        stop = min(start + BLOCK, num_classes)
        for i in range(len(targets)):
            scores = exponentials[i, start:stop]
            _score_block(table, bias, live, live, batch, i, start, scores)
            if start <= targets[i] < stop:
                target_scores[i] = scores[targets[i] - start]
            block_highest[block, i], block_total[block, i] = to_exponentials(scores)


@parallel_kernel
def dense_probabilities_to_gradients(
    exponentials: NDArray[np.float32],
    targets: NDArray[np.int32],
    weights: NDArray[np.float32],
    log_partitions: NDArray[np.float64],
    partials: Partials,
) -> None:
    """Turn a block's exponentials into the gradients of the weighted mean loss (3, 4, 24)."""
    num_classes = exponentials.shape[1]
    for block in prange((num_classes + BLOCK - 1) // BLOCK):
        start = signed(block) * BLOCK
        stop = min(start + BLOCK, num_classes)
        for i in range(len(targets)):
            gradient = exponentials[i, start:stop]
            share = weights[i] / np.float32(len(targets))
            factor = share * np.float32(np.exp(partials.highest[block, i] - log_partitions[i]))
            for k in range(len(gradient)):
                gradient[k] *= factor
            if start <= targets[i] < stop:
                gradient[targets[i] - start] -= share


@inline
def row_gradient(
    batch: BatchArrays,
    slot: int,
    d_scores: NDArray[np.float32],
    start: int,
    gradient: NDArray[np.float32],
) -> None:
    """Write the gradient of one feature's weights of a block of classes (equations 5, 6, 25)."""
    gradient[:] = _ZERO
    for entry in range(batch.column_indptr[slot], batch.column_indptr[slot + 1]):
        x = batch.column_values[entry]
        row = d_scores[batch.column_rows[entry], start : start + len(gradient)]
        for k in range(len(gradient)):
            gradient[k] += x * row[k]


@inline
def bias_gradient(d_scores: NDArray[np.float32], start: int, gradient: NDArray[np.float32]) -> None:
    gradient[:] = _ZERO
    for i in range(len(d_scores)):
        for k in range(len(gradient)):
            gradient[k] += d_scores[i, start + k]


@parallel_kernel
def dense_row_rates(
    rule: Any,
    bias_rule: Any,
    batch: BatchArrays,
    num_features: int,
    d_scores: NDArray[np.float32],
    rates: NDArray[np.float32],
) -> None:
    """Write the rate of each of the batch's rows, the bias last: float32 [F + 1].

    A rule that needs the sum of a whole row's squared gradients has them summed over the blocks
    here, before any cell changes.
    """
    num_classes = d_scores.shape[1]
    num_blocks = (num_classes + BLOCK - 1) // BLOCK
    if not sums_rows(rule):
        for slot in range(num_features):
            rates[slot] = row_rate(rule, batch.features[slot], _ZERO)
        rates[num_features] = row_rate(bias_rule, 0, _ZERO)
        return
    squares = np.zeros((num_blocks, num_features + 1), np.float32)
    for block in prange(num_blocks):
        start = signed(block) * BLOCK
        gradient = np.empty(min(BLOCK, num_classes - start), np.float32)
        for slot in range(num_features + 1):
            if slot < num_features:
                row_gradient(batch, slot, d_scores, start, gradient)
            else:
                bias_gradient(d_scores, start, gradient)
            for k in range(len(gradient)):
                squares[block, slot] += gradient[k] * gradient[k]
    for slot in range(num_features + 1):
        total = 0.0
        for block in range(num_blocks):
            total += squares[block, slot]
        if slot < num_features:
            rates[slot] = row_rate(rule, batch.features[slot], np.float32(total))
        else:
            rates[slot] = row_rate(bias_rule, 0, np.float32(total))


@inline
def apply_block(
    table: DenseTable,
    rule: Any,
    average: Any,
    row: int,
    start: int,
    gradient: NDArray[np.float32],
    rate: np.float32,
) -> np.float32:
    """Update one row's weights of a block; return 0, or NaN if one is no longer finite."""
    probe = _ZERO
    first = row * table.width + start
    for k in range(len(gradient)):
        probe += change_cell(table.values, table.key, rule, average, first + k, gradient[k], rate)
    return probe


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
    d_scores: NDArray[np.float32],
    rates: NDArray[np.float32],
) -> int:
    """Apply the exact gradient, block by block; return the number of bad blocks of rows.

    ``d_scores`` is float32 [B, V]; ``rates`` as `dense_row_rates`
    wrote them.
    """
    num_classes = len(bias)
    bias_table = DenseTable(bias, num_classes, np.uint64(0))
    bad = 0
    for block in prange((num_classes + BLOCK - 1) // BLOCK):
        start = signed(block) * BLOCK
        gradient = np.empty(min(BLOCK, num_classes - start), np.float32)
        for slot in range(num_features):
            row_gradient(batch, slot, d_scores, start, gradient)
            probe = apply_block(
                table, rule, average, batch.features[slot], start, gradient, rates[slot]
            )
            bad += 0 if probe == _ZERO else 1
        bias_gradient(d_scores, start, gradient)
        probe = apply_block(
            bias_table, bias_rule, bias_average, 0, start, gradient, rates[num_features]
        )
        bad += 0 if probe == _ZERO else 1
    return bad
