"""A low-rank model under a sampled gradient whose candidates the batch shares: matrix products."""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed
from sstrain.kernels.averaging import NotAveraged
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.linear_shared import Touched
from sstrain.kernels.low_rank import Pooling, read_rows, scale_pooled
from sstrain.kernels.products import multiply, multiply_panels, pack_panel
from sstrain.kernels.tables import DenseTable
from sstrain.kernels.tiles import TILES, part_bounds, tile_bounds, tiles_of

__all__ = ["low_rank_backward_shared", "low_rank_score_shared"]

#: Examples in a tile of a matrix product, at least.
_EXAMPLES = 16
_ZERO = np.float32(0)


@inline
def _dot(a: NDArray[np.float32], b: NDArray[np.float32]) -> np.float32:
    total = _ZERO
    for d in range(len(a)):
        total += a[d] * b[d]
    return total


@inline
def _score_tile(
    pooled: NDArray[np.float32],
    rows: NDArray[np.float32],
    panels: NDArray[np.float32],
    bias: NDArray[np.float32],
    touched: Touched,
    start: int,
    target_scores: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    count = scores.shape[1]
    multiply_panels(pooled, panels, scores)
    for i in range(len(scores)):
        for k in range(count):
            scores[i, k] += bias[k]
        place = touched.target_places[start + i]
        if place < count:
            target_scores[i] = scores[i, place]
        else:
            target_scores[i] = _dot(pooled[i], rows[place]) + bias[place]


@parallel_kernel
def low_rank_score_shared(
    table: DenseTable,
    bias: NDArray[np.float32],
    pooled: NDArray[np.float32],
    touched: Touched,
    rows: NDArray[np.float32],
    panels: NDArray[np.float32],
    target_scores: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Write the scores of targets and of the ``scores.shape[1]`` shared candidates (equation 42).

    ``rows``, float32 [P, r], are written: the vectors of the touched classes, candidates before
    other targets. ``panels`` is scratch of `panels_shape` for the candidates.
    """
    live = NotAveraged()
    biases = np.empty(len(rows), np.float32)
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), len(rows))
        for place in range(start, stop):
            read_rows(table, live, touched.classes[place], rows[place : place + 1])
            biases[place] = bias[touched.classes[place]]
    for panel in prange(len(panels)):
        pack_panel(rows[: scores.shape[1]], signed(panel), panels)
    num_tiles = tiles_of(len(scores), _EXAMPLES)
    for tile in prange(num_tiles):
        start, stop = part_bounds(signed(tile), num_tiles, len(scores))
        _score_tile(
            pooled[start:stop],
            rows,
            panels,
            biases,
            touched,
            start,
            target_scores[start:stop],
            scores[start:stop],
        )


@inline
def _backward_tile(
    rows: NDArray[np.float32],
    target_places: NDArray[np.int32],
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    d_pooled: NDArray[np.float32],
) -> None:
    multiply(d_scores, rows[: d_scores.shape[1]], d_pooled)
    for i in range(len(d_scores)):
        row = rows[target_places[i]]
        for d in range(len(row)):
            d_pooled[i, d] += d_targets[i] * row[d]


@parallel_kernel
def low_rank_backward_shared(
    pooling: Pooling,
    batch: BatchArrays,
    example_ids: NDArray[np.int64],
    rows: NDArray[np.float32],
    target_places: NDArray[np.int32],
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    d_pooled: NDArray[np.float32],
) -> None:
    """Write the gradient of each example's sum of features, float32 [B, r] (equation 44)."""
    num_tiles = tiles_of(len(d_scores), _EXAMPLES)
    for tile in prange(num_tiles):
        start, stop = part_bounds(signed(tile), num_tiles, len(d_scores))
        _backward_tile(
            rows,
            target_places[start:stop],
            d_targets[start:stop],
            d_scores[start:stop],
            d_pooled[start:stop],
        )
        for i in range(start, stop):
            scale_pooled(pooling, batch, i, example_ids[i], d_pooled[i])
