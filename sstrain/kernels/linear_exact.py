"""The exact gradient of a linear model: what every layout's kernels share.

Blocks of classes are what threads take; nothing depends on which thread takes which block. Where
a layout keeps scores as [B, V], this turns them into exponentials and gradients.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed, unsigned
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.exponential import to_exponentials
from sstrain.kernels.lanes import highest
from sstrain.kernels.tables import DenseTable, change_cell
from sstrain.kernels.update_rule import row_rate, sums_rows

__all__ = [
    "BLOCK",
    "Partials",
    "apply_block",
    "bias_gradient",
    "blocks_of",
    "linear_row_rates",
    "probabilities_to_gradients",
    "relative_exponentials",
    "row_gradient",
    "write_rates",
]

#: Classes in a block: 1 KiB of a row of weights.
BLOCK = 256
_ZERO = np.float32(0)


class Partials(NamedTuple):
    """What each block of classes contributes to each example's log-partition."""

    highest: NDArray[np.float32]  # [blocks, B], the largest score
    total: NDArray[np.float64]  # [blocks, B], sum of exp(score - highest)


@inline
def blocks_of(num_classes: int) -> int:
    """Return the number of blocks of so many classes."""
    return (num_classes + BLOCK - 1) // BLOCK


@inline
def relative_exponentials(scores: NDArray[np.float32]) -> tuple[np.float32, float]:
    """Turn one example's scores of a block into exponentials; return the highest and their sum."""
    top = highest(scores)
    return top, to_exponentials(scores, top)


@parallel_kernel
def probabilities_to_gradients(
    exponentials: NDArray[np.float32],
    targets: NDArray[np.int32],
    weights: NDArray[np.float32],
    log_partitions: NDArray[np.float64],
    partials: Partials,
) -> None:
    """Turn exponentials [B, V] into the gradients of the weighted mean loss (3, 4, 24)."""
    num_classes = exponentials.shape[1]
    for block in prange(blocks_of(num_classes)):
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
    """Write the gradient of a block of the bias."""
    gradient[:] = _ZERO
    for i in range(len(d_scores)):
        for k in range(len(gradient)):
            gradient[k] += d_scores[i, start + k]


@inline
def write_rates(
    rule: Any,
    bias_rule: Any,
    batch: BatchArrays,
    num_features: int,
    squares: NDArray[np.float32],
    rates: NDArray[np.float32],
) -> None:
    """Write the rate of each of the batch's rows, the bias last: float32 [F + 1].

    ``squares`` are the sums of squared gradients by block and row, [blocks, F + 1], or [0, F + 1].
    """
    for slot in range(num_features + 1):
        total = 0.0
        for block in range(len(squares)):
            total += squares[block, slot]
        if slot < num_features:
            rates[slot] = row_rate(rule, batch.features[slot], np.float32(total))
        else:
            rates[slot] = row_rate(bias_rule, 0, np.float32(total))


@parallel_kernel
def linear_row_rates(
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
    num_classes, summed = d_scores.shape[1], sums_rows(rule)
    num_blocks = blocks_of(num_classes) if summed else 0
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
    write_rates(rule, bias_rule, batch, num_features, squares, rates)


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
        cell = unsigned(first + k)
        probe += change_cell(table.values, table.key, rule, average, cell, gradient[k], rate)
    return probe
