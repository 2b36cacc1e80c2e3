"""Exact evaluation of score rows: log-partition, the target's rank, the top class."""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import finite, inline, parallel_kernel
from sstrain.kernels.exponential import sum_of_exponentials
from sstrain.kernels.lanes import highest

__all__ = ["evaluate_rows", "rank_targets", "top_rows"]


@inline
def _log_partition(row: NDArray[np.float32]) -> tuple[np.float32, float]:
    """Return a row's largest score and ``log sum exp(score)``."""
    top = highest(row)
    return top, float(top) + np.log(sum_of_exponentials(row, top))


@inline
def _count_at_least(numbers: NDArray[np.float32], least: np.float32) -> int:
    count = 0
    for j in range(len(numbers)):
        count += 1 if numbers[j] >= least else 0
    return count


@inline
def _count_above(numbers: NDArray[np.float32], limit: np.float32) -> int:
    count = 0
    for j in range(len(numbers)):
        count += 1 if numbers[j] > limit else 0
    return count


@inline
def _rank(row: NDArray[np.float32], target: int) -> int:
    """Return a class's rank, from 1; of equal scores the smaller class id comes first."""
    score = row[target]
    return 1 + _count_at_least(row[:target], score) + _count_above(row[target + 1 :], score)


@parallel_kernel
def evaluate_rows(
    scores: NDArray[np.float32],
    targets: NDArray[np.int32],
    log_partitions: NDArray[np.float64],
    ranks: NDArray[np.int64],
    highest: NDArray[np.float32],
) -> None:
    """Write each row's log-partition, the rank of its target and its largest score.

    Parameters
    ----------
    scores : float32 array of shape [B, V]
    targets : int32 array of shape [B]
        -1 for an unknown label, whose rank is V + 1, as it is where a score is not finite.
    log_partitions : float64 array of shape [B]
    ranks : int64 array of shape [B]
        1 for the largest score; of equal scores the smaller class id comes first.
    highest : float32 array of shape [B]
    """
    num_classes = scores.shape[1]
    for i in prange(len(scores)):
        row, target = scores[i], targets[i]
        rank = num_classes + 1
        highest[i], log_partitions[i] = _log_partition(row)
        if target >= 0 and finite(log_partitions[i]):
            rank = _rank(row, target)
        ranks[i] = rank


@parallel_kernel
def rank_targets(
    scores: NDArray[np.float32],
    rows: NDArray[np.int64],
    targets: NDArray[np.int32],
    log_partitions: NDArray[np.float64],
    ranks: NDArray[np.int64],
) -> None:
    """Write the ranks of targets of which a row may have any number.

    Parameters
    ----------
    scores : float32 array of shape [R, V]
    rows : int64 array of shape [B]
        The row of each target.
    targets : int32 array of shape [B]
        As in `evaluate_rows`.
    log_partitions : float64 array of shape [R]
        That of each row.
    ranks : int64 array of shape [B]
        As in `evaluate_rows`.
    """
    for i in prange(len(targets)):
        row, target = rows[i], targets[i]
        if target >= 0 and finite(log_partitions[row]):
            ranks[i] = _rank(scores[row], target)
        else:
            ranks[i] = scores.shape[1] + 1


@inline
def _worse(row: NDArray[np.float32], first: int, second: int) -> bool:
    """Whether a class comes after another: a smaller score, or the same and a larger id."""
    if row[first] == row[second]:
        return first > second
    return bool(row[first] < row[second])


@inline
def _sift_down(row: NDArray[np.float32], heap: NDArray[np.int32], size: int) -> None:
    """Let a heap's first class sink until none below it is worse."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            return
        if child + 1 < size and _worse(row, heap[child + 1], heap[child]):
            child += 1
        if not _worse(row, heap[child], heap[place]):
            return
        heap[place], heap[child] = heap[child], heap[place]
        place = child


@inline
def _sift_up(row: NDArray[np.float32], heap: NDArray[np.int32], place: int) -> None:
    """Let a class rise until the one above it is worse."""
    while place > 0:
        parent = (place - 1) // 2
        if not _worse(row, heap[place], heap[parent]):
            return
        heap[place], heap[parent] = heap[parent], heap[place]
        place = parent


@inline
def _best_classes(row: NDArray[np.float32], best: NDArray[np.int32]) -> None:
    """Write the best classes, best first: a heap with the worst of them on top, then sorted."""
    k = len(best)
    for j in range(k):
        best[j] = j
        _sift_up(row, best, j)
    for j in range(k, len(row)):
        # Rising ids: a class that scores the same as the worst comes after it.
        if row[j] > row[best[0]]:
            best[0] = j
            _sift_down(row, best, k)
    for size in range(k - 1, 0, -1):
        best[0], best[size] = best[size], best[0]
        _sift_down(row, best, size)


@parallel_kernel
def top_rows(
    scores: NDArray[np.float32],
    classes: NDArray[np.int32],
    log_probabilities: NDArray[np.float64],
) -> None:
    """Write each row's k best classes, best first, and the logs of their probabilities.

    Takes O(V log k) steps a row.

    Parameters
    ----------
    scores : float32 array of shape [B, V]
    classes : int32 array of shape [B, k]
        k at most V. Of equal scores the smaller class id comes first.
    log_probabilities : float64 array of shape [B, k]
    """
    for i in prange(len(scores)):
        row, best = scores[i], classes[i]
        _best_classes(row, best)
        _, log_partition = _log_partition(row)
        for place in range(classes.shape[1]):
            log_probabilities[i, place] = float(row[best[place]]) - log_partition
