"""Drawn classes, for the batch at once or for each example."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import kernel

__all__ = ["NO_CLASS", "Candidates", "find_hits"]

NO_CLASS = -1


class Candidates(NamedTuple):
    """Drawn classes: G groups of at most K distinct ones, G = 1 where the batch shares them."""

    classes: NDArray[np.int32]  # [G, K], rising; entries from `counts` on are not set
    multiplicity: NDArray[np.float32]  # [G, K], how often each was drawn
    log_expected_count: NDArray[np.float32]  # [G, K], log(K q_j) for iid draws
    counts: NDArray[np.int32]  # [G], distinct classes
    target_log_expected_count: NDArray[np.float32]  # [B], of each target, drawn or not


@kernel
def find_hits(candidates: Candidates, targets: NDArray[np.int32], hits: NDArray[np.int32]) -> None:
    """Write each target's position among its candidates, or -1 (binary search in the classes)."""
    for i in range(len(targets)):
        group = 0 if len(candidates.counts) == 1 else i
        low, high = 0, candidates.counts[group]
        while low < high:
            middle = (low + high) // 2
            if candidates.classes[group, middle] < targets[i]:
                low = middle + 1
            else:
                high = middle
        found = low < candidates.counts[group] and candidates.classes[group, low] == targets[i]
        hits[i] = low if found else NO_CLASS
