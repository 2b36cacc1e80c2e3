"""Counting which classes occur with each feature."""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel

__all__ = ["list_pairs", "prune_pairs"]


@kernel
def list_pairs(
    order: NDArray[np.int64],
    rows: NDArray[np.int64],
    targets: NDArray[np.int32],
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    starts: NDArray[np.int64],
    out: NDArray[np.int32],
) -> None:
    """Write each feature's targets; with examples in rising order of class they come sorted.

    ``starts`` (int64, [D]) holds where each feature's list begins, on return where it ends.
    """
    for example in order:
        for entry in range(indptr[rows[example]], indptr[rows[example] + 1]):
            feature = indices[entry]
            out[starts[feature]] = targets[example]
            starts[feature] += 1


@inline
def _cut(counts: NDArray[np.int32], most: int, least: int) -> int:
    """Return the smallest count from ``least`` on that at most so many counts reach."""
    low, high = least, counts.max() + 1
    while low < high:
        middle = (low + high) // 2
        reached = 0
        for count in counts:
            reached += 1 if count >= middle else 0
        if reached <= most:
            high = middle
        else:
            low = middle + 1
    return int(low)


@kernel
def prune_pairs(
    ends: NDArray[np.int64],
    listed: NDArray[np.int32],
    most: int,
    discount: int,
    indptr: NDArray[np.int64],
    classes: NDArray[np.int32],
    counts: NDArray[np.int32],
) -> None:
    """Count the classes of each feature, less the discount; keep at most so many.

    Written in place over arrays as long as the list; ``indptr`` says how far they are filled.
    """
    start, size = np.int64(0), np.int64(0)
    indptr[0] = 0
    for f in range(len(ends)):
        first, last = size, size
        for position in range(start, ends[f]):
            if position == start or listed[position] != listed[position - 1]:
                classes[last], counts[last] = listed[position], 0
                last += 1
            counts[last - 1] += 1
        start = ends[f]
        if last > first:
            cut = _cut(counts[first:last], most, discount + 1)
            ties = most
            for pair in range(first, last):
                ties -= 1 if counts[pair] >= cut else 0
            for pair in range(first, last):
                tied = counts[pair] == cut - 1 and counts[pair] > discount and ties > 0
                if counts[pair] >= cut or tied:
                    ties -= 1 if tied else 0
                    classes[size], counts[size] = classes[pair], counts[pair] - discount
                    size += 1
        indptr[f + 1] = size
