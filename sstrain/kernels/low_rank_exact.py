"""A low-rank model under the exact gradient: blocks of classes.

Exponentials are kept as [V, B], so that those of a block of classes are one piece of memory, and
become gradients in place. Tiles of blocks are what threads take.
"""

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed
from sstrain.kernels.averaging import NotAveraged
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.exponential import exp32
from sstrain.kernels.linear_exact import BLOCK, Partials, blocks_of
from sstrain.kernels.low_rank import Pooling, rows_of, scale_pooled
from sstrain.kernels.low_rank_update import apply_bias, apply_row
from sstrain.kernels.products import (
    multiply,
    multiply_panels,
    multiply_transposed,
    pack_panel,
)
from sstrain.kernels.tables import DenseTable
from sstrain.kernels.tiles import TILES, tile_bounds

__all__ = [
    "low_rank_backward_all",
    "low_rank_forward",
    "low_rank_update_all",
]

_ZERO = np.float32(0)


@inline
def _exponentials(
    scores: NDArray[np.float32],
    bias: NDArray[np.float32],
    highest: NDArray[np.float32],
    total: NDArray[np.float64],
) -> None:
    """Turn a block's products [classes, B] into exponentials relative to the highest score."""
    sums = np.zeros(len(highest), np.float32)
    highest[:] = np.float32(-np.inf)
    for k in range(len(scores)):
        for i in range(len(highest)):
            scores[k, i] += bias[k]
            highest[i] = max(highest[i], scores[k, i])
    for k in range(len(scores)):
        for i in range(len(highest)):
            scores[k, i] = exp32(scores[k, i] - highest[i])
            sums[i] += scores[k, i]
    total[:] = sums


@inline
def _forward_block(
    table: DenseTable,
    bias: NDArray[np.float32],
    panels: NDArray[np.float32],
    targets: NDArray[np.int32],
    block: int,
    rows: NDArray[np.float32],
    exponentials: NDArray[np.float32],
    target_scores: NDArray[np.float32],
    partials: Partials,
) -> None:
    start = block * BLOCK
    stop = min(start + BLOCK, len(bias))
    vectors = rows_of(NotAveraged(), table, start, rows[: stop - start])
    scores = exponentials[start:stop]
    multiply_panels(vectors, panels, scores)
    for i in range(len(targets)):
        if start <= targets[i] < stop:
            target_scores[i] = scores[targets[i] - start, i] + bias[targets[i]]
    _exponentials(scores, bias[start:stop], partials.highest[block], partials.total[block])


@parallel_kernel
def low_rank_forward(
    table: DenseTable,
    bias: NDArray[np.float32],
    pooled: NDArray[np.float32],
    targets: NDArray[np.int32],
    exponentials: NDArray[np.float32],
    target_scores: NDArray[np.float32],
    partials: Partials,
    panels: NDArray[np.float32],
    rows: NDArray[np.float32],
) -> None:
    """Score all classes, and keep of each block ``exp(score - highest)`` and its partials.

    ``exponentials`` is float32 [V, B], ``target_scores`` float32 [B]; both are written. ``panels``,
    of `panels_shape` for B vectors, and ``rows``, float32 [TILES, BLOCK, r], are scratch.
    """
    for panel in range(len(panels)):
        pack_panel(pooled, panel, panels)
    for tile in prange(TILES):
        first, last = tile_bounds(signed(tile), blocks_of(len(bias)))
        for block in range(first, last):
            _forward_block(
                table,
                bias,
                panels,
                targets,
                block,
                rows[tile],
                exponentials,
                target_scores,
                partials,
            )


@inline
def _gradient_block(
    exponentials: NDArray[np.float32],
    targets: NDArray[np.int32],
    weights: NDArray[np.float32],
    log_partitions: NDArray[np.float64],
    highest: NDArray[np.float32],
    start: int,
    bias_gradient: NDArray[np.float32],
) -> None:
    """Turn a block's exponentials into gradients of the weighted mean loss (3, 4, 24)."""
    factors = np.empty(len(targets), np.float32)
    for i in range(len(targets)):
        share = weights[i] / np.float32(len(targets))
        factors[i] = share * np.float32(np.exp(highest[i] - log_partitions[i]))
    for k in range(len(exponentials)):
        for i in range(len(targets)):
            exponentials[k, i] *= factors[i]
    for i in range(len(targets)):
        if start <= targets[i] < start + len(exponentials):
            exponentials[targets[i] - start, i] -= weights[i] / np.float32(len(targets))
    for k in range(len(exponentials)):
        total = _ZERO
        for i in range(len(targets)):
            total += exponentials[k, i]
        bias_gradient[k] = total


@inline
def _update_block(
    table: DenseTable,
    rule: Any,
    average: Any,
    pooled: NDArray[np.float32],
    gradients: NDArray[np.float32],
    start: int,
    rows: NDArray[np.float32],
    product: NDArray[np.float32],
    d_pooled: NDArray[np.float32],
) -> int:
    """Add a block's share to the gradient of h, then update its rows; return the bad ones."""
    vectors = rows_of(NotAveraged(), table, start, rows)
    multiply_transposed(gradients, vectors, product)
    for i in range(len(product)):
        for d in range(table.width):
            d_pooled[i, d] += product[i, d]
    # The vectors have been used: the scratch rows, where they may lie, take the gradient.
    multiply(gradients, pooled, rows)
    bad = 0
    for k in range(len(rows)):
        bad += apply_row(table, rule, average, start + k, rows[k])
    return bad


@parallel_kernel
def low_rank_update_all(
    table: DenseTable,
    bias: NDArray[np.float32],
    rule: Any,
    bias_rule: Any,
    average: Any,
    bias_average: Any,
    pooled: NDArray[np.float32],
    targets: NDArray[np.int32],
    weights: NDArray[np.float32],
    exponentials: NDArray[np.float32],
    log_partitions: NDArray[np.float64],
    highest: NDArray[np.float32],
    rows: NDArray[np.float32],
    products: NDArray[np.float32],
    d_pooled: NDArray[np.float32],
    bias_gradient: NDArray[np.float32],
) -> int:
    """Apply the exact gradient to all classes' vectors and biases; return the bad rows.

    Parameters
    ----------
    table, bias, rule, bias_rule, average, bias_average
        Of the class factors and of the bias.
    pooled, targets, weights : arrays of shape [B, r], [B] and [B]
    exponentials, highest : float32 arrays of shape [V, B] and [blocks, B]
        As `low_rank_forward` wrote them; the former become gradients.
    log_partitions : float64 array of shape [B]
    rows, products : float32 arrays of shape [TILES, BLOCK, r] and [TILES, B, r]
        Scratch.
    d_pooled : float32 array of shape [TILES, B, r]
        Each tile's share of the gradient of h; written.
    bias_gradient : float32 array of shape [V]
        Written.
    """
    bad = 0
    for tile in prange(TILES):
        first, last = tile_bounds(signed(tile), blocks_of(len(bias)))
        d_pooled[tile] = _ZERO
        for block in range(first, last):
            start = block * BLOCK
            stop = min(start + BLOCK, len(bias))
            gradients = exponentials[start:stop]
            _gradient_block(
                gradients,
                targets,
                weights,
                log_partitions,
                highest[block],
                start,
                bias_gradient[start:stop],
            )
            bad += _update_block(
                table,
                rule,
                average,
                pooled,
                gradients,
                start,
                rows[tile, : stop - start],
                products[tile],
                d_pooled[tile],
            )
    classes = np.arange(len(bias)).astype(np.int32)
    return bad + apply_bias(bias, bias_rule, bias_average, classes, bias_gradient)


@parallel_kernel
def low_rank_backward_all(
    pooling: Pooling,
    batch: BatchArrays,
    example_ids: NDArray[np.int64],
    parts: NDArray[np.float32],
) -> None:
    """Sum the tiles' shares of the gradient of h into the first, and take it to the features.

    ``parts`` is float32 [TILES, B, r], as `low_rank_update_all` wrote it (equation 44).
    """
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), parts.shape[1])
        for i in range(start, stop):
            for other in range(1, len(parts)):
                for d in range(parts.shape[2]):
                    parts[0, i, d] += parts[other, i, d]
            scale_pooled(pooling, batch, i, example_ids[i], parts[0, i])
