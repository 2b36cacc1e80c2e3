"""Drawn classes, for the batch at once or for each example."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel, unsigned

__all__ = ["NO_CLASS", "Candidates", "find_hits"]

NO_CLASS = -1


class Candidates(NamedTuple):
    """Drawn classes: G groups of at most K distinct ones, G = 1 where the batch shares them."""

    classes: NDArray[np.int32]  # [G, K], rising; entries from `counts` on are not set
    multiplicity: NDArray[np.float32]  # [G, K], how often each was drawn
    log_expected_count: NDArray[np.float32]  # [G, K], log(K q_j) for iid draws
    counts: NDArray[np.int32]  # [G], distinct classes
    target_log_expected_count: NDArray[np.float32]  # [B], of each target, drawn or not


@inline
def _place(classes: NDArray[np.int32], count: int, wanted: np.int32) -> int:
    """Return a class's position among rising ones, or -1."""
    low, size = 0, count
    while size > 1:
        half = size // 2
        # No branch, which would be guessed wrong every other time.
        low += half * int(classes[unsigned(low + half - 1)] < wanted)
        size -= half
    return low if count and classes[unsigned(low)] == wanted else NO_CLASS


@kernel
def find_hits(candidates: Candidates, targets: NDArray[np.int32], hits: NDArray[np.int32]) -> None:
    """Write each target's position among its candidates, or -1, by a binary search."""
    if len(candidates.counts) == 1:
        shared, count = candidates.classes[0], candidates.counts[0]
        for i in range(len(targets)):
            hits[i] = _place(shared, count, targets[i])
        return
    for i in range(len(targets)):
        hits[i] = _place(candidates.classes[i], candidates.counts[i], targets[i])
