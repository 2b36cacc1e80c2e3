"""A low-rank model under a sampled gradient whose examples have their own candidates: gathers."""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed, unsigned
from sstrain.kernels.batches import BatchArrays
from sstrain.kernels.candidates import Candidates
from sstrain.kernels.low_rank import Pooling, scale_pooled
from sstrain.kernels.storage import stored
from sstrain.kernels.tables import DenseTable
from sstrain.kernels.tiles import TILES, tile_bounds

__all__ = ["low_rank_backward_each", "low_rank_score_each"]

_ZERO = np.float32(0)


@inline
def _score(table: DenseTable, row: int, pooled: NDArray[np.float32]) -> np.float32:
    total = _ZERO
    first = row * table.width
    for d in range(len(pooled)):
        total += pooled[d] * stored(table.values, unsigned(first + d))
    return total


@parallel_kernel
def low_rank_score_each(
    table: DenseTable,
    bias: NDArray[np.float32],
    pooled: NDArray[np.float32],
    targets: NDArray[np.int32],
    candidates: Candidates,
    target_scores: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Write the scores of each example's target and of its own candidates (equation 42)."""
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), len(targets))
        for i in range(start, stop):
            for k in range(candidates.counts[i]):
                j = candidates.classes[i, k]
                scores[i, k] = _score(table, j, pooled[i]) + bias[j]
            target_scores[i] = _score(table, targets[i], pooled[i]) + bias[targets[i]]


@inline
def _add_row(table: DenseTable, row: int, x: np.float32, total: NDArray[np.float32]) -> None:
    first = row * table.width
    for d in range(len(total)):
        total[d] += x * stored(table.values, unsigned(first + d))


@parallel_kernel
def low_rank_backward_each(
    table: DenseTable,
    pooling: Pooling,
    batch: BatchArrays,
    example_ids: NDArray[np.int64],
    targets: NDArray[np.int32],
    candidates: Candidates,
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    d_pooled: NDArray[np.float32],
) -> None:
    """Write the gradient of each example's sum of features, float32 [B, r] (equation 44)."""
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), len(targets))
        for i in range(start, stop):
            total = d_pooled[i]
            total[:] = _ZERO
            for k in range(candidates.counts[i]):
                _add_row(table, candidates.classes[i, k], d_scores[i, k], total)
            _add_row(table, targets[i], d_targets[i], total)
            scale_pooled(pooling, batch, i, example_ids[i], total)
