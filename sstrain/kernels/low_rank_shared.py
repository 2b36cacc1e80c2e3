"""A low-rank model under a sampled gradient whose candidates the batch shares: matrix products."""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel, parallel_kernel, signed
from sstrain.kernels.averaging import NotAveraged
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.linear_shared import Touched
from sstrain.kernels.low_rank import Pooling, read_rows, scale_pooled
from sstrain.kernels.tables import DenseTable
from sstrain.kernels.tiles import TILES, tile_bounds

__all__ = [
    "low_rank_backward_shared",
    "low_rank_gather",
    "low_rank_score_shared",
    "low_rank_tiles",
]

#: Examples in a tile of a matrix product, at least; so few that small batches still have two.
_EXAMPLES = 64
_ZERO = np.float32(0)


@kernel
def low_rank_tiles(batch_size: int) -> int:
    """Return into how many tiles a batch's matrix products are cut."""
    return max(1, min(batch_size // _EXAMPLES, TILES))


@inline
def _bounds(tile: int, num_tiles: int, count: int) -> tuple[int, int]:
    return tile * count // num_tiles, (tile + 1) * count // num_tiles


@parallel_kernel
def low_rank_gather(
    table: DenseTable, classes: NDArray[np.int32], rows: NDArray[np.float32]
) -> None:
    """Copy the rows of the given classes, float32 [P, r]."""
    live = NotAveraged()
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), len(rows))
        for place in range(start, stop):
            read_rows(table, live, classes[place], rows[place : place + 1])


@inline
def dot(a: NDArray[np.float32], b: NDArray[np.float32]) -> np.float32:
    """Return the inner product of two vectors."""
    total = _ZERO
    for d in range(len(a)):
        total += a[d] * b[d]
    return total


@inline
def _score_tile(
    pooled: NDArray[np.float32],
    rows: NDArray[np.float32],
    bias: NDArray[np.float32],
    touched: Touched,
    start: int,
    target_scores: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    count = scores.shape[1]
    np.dot(pooled, rows[:count].T, scores)
    for i in range(len(scores)):
        for k in range(count):
            scores[i, k] += bias[touched.classes[k]]
        place = touched.target_places[start + i]
        if place < count:
            target_scores[i] = scores[i, place]
        else:
            target_scores[i] = dot(pooled[i], rows[place]) + bias[touched.classes[place]]


@parallel_kernel
def low_rank_score_shared(
    pooled: NDArray[np.float32],
    rows: NDArray[np.float32],
    bias: NDArray[np.float32],
    touched: Touched,
    target_scores: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Write the scores of targets and of the ``scores.shape[1]`` shared candidates (equation 42).

    ``rows`` are those of the touched classes, float32 [P, r]: candidates, then other targets.
    """
    num_tiles = low_rank_tiles(len(scores))
    for tile in prange(num_tiles):
        start, stop = _bounds(signed(tile), num_tiles, len(scores))
        _score_tile(
            pooled[start:stop],
            rows,
            bias,
            touched,
            start,
            target_scores[start:stop],
            scores[start:stop],
        )


@inline
def _backward_tile(
    pooled: NDArray[np.float32],
    rows: NDArray[np.float32],
    target_places: NDArray[np.int32],
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    d_pooled: NDArray[np.float32],
    product: NDArray[np.float32],
    column_sums: NDArray[np.float32],
) -> None:
    """Compute what a tile of examples adds to the gradients of (44) and (45)."""
    np.dot(d_scores, rows[: d_scores.shape[1]], d_pooled)
    np.dot(d_scores.T, pooled, product)
    column_sums[:] = _ZERO
    for i in range(len(d_scores)):
        row = rows[target_places[i]]
        for d in range(len(row)):
            d_pooled[i, d] += d_targets[i] * row[d]
        for k in range(len(column_sums)):
            column_sums[k] += d_scores[i, k]


@parallel_kernel
def low_rank_backward_shared(
    pooling: Pooling,
    batch: BatchArrays,
    example_ids: NDArray[np.int64],
    pooled: NDArray[np.float32],
    rows: NDArray[np.float32],
    target_places: NDArray[np.int32],
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    d_pooled: NDArray[np.float32],
    products: NDArray[np.float32],
    column_sums: NDArray[np.float32],
) -> None:
    """Write the gradient of each example's sum of features, and each tile's of the candidates.

    ``d_pooled`` is float32 [B, r] (equation 44); ``products``, float32 [tiles, K, r], and
    ``column_sums``, float32 [tiles, K], are the parts of (45) and of the bias's gradient that come
    from candidates.
    """
    num_tiles = len(products)
    for tile in prange(num_tiles):
        start, stop = _bounds(signed(tile), num_tiles, len(d_scores))
        _backward_tile(
            pooled[start:stop],
            rows,
            target_places[start:stop],
            d_targets[start:stop],
            d_scores[start:stop],
            d_pooled[start:stop],
            products[tile],
            column_sums[tile],
        )
        for i in range(start, stop):
            scale_pooled(pooling, batch, i, example_ids[i], d_pooled[i])
