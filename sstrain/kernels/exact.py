"""Softmax over all classes: the log-partition as a reduction over blocks, and the losses."""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import finite, kernel

__all__ = ["exact_losses", "merge_log_partition"]


@kernel
def merge_log_partition(
    highest: NDArray[np.float32], total: NDArray[np.float64], out: NDArray[np.float64]
) -> None:
    """Merge the partial sums of blocks (or shards) of classes into each example's log-partition.

    Parameters
    ----------
    highest : float32 array of shape [blocks, B]
        The largest score of each block.
    total : float64 array of shape [blocks, B]
        ``sum exp(score - highest)`` over the block.
    out : float64 array of shape [B]
        ``log sum exp(score)`` over all classes (equations 2 and 23); written.
    """
    for i in range(len(out)):
        overall = np.float32(-np.inf)
        for block in range(len(highest)):
            if not highest[block, i] <= overall:  # also lets a NaN through
                overall = highest[block, i]
        summed = 0.0
        for block in range(len(highest)):
            summed += total[block, i] * np.exp(float(highest[block, i]) - float(overall))
        out[i] = float(overall) + np.log(summed)


@kernel
def exact_losses(
    target_scores: NDArray[np.float32],
    log_partitions: NDArray[np.float64],
    losses: NDArray[np.float64],
) -> int:
    """Write ``log Z - z_c`` of each example (equation 2); return how many are not finite."""
    bad = 0
    for i in range(len(losses)):
        losses[i] = log_partitions[i] - target_scores[i]
        if not finite(losses[i]):
            bad += 1
    return bad
