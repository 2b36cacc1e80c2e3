"""Score gradients by class, where a step lists them by example."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import kernel
from sstrain.kernels.candidates import Candidates

__all__ = ["ClassColumns", "class_columns", "place_candidates"]


class ClassColumns(NamedTuple):
    """Score gradients by class: those of the classes' places, one after the other."""

    indptr: NDArray[np.int32]  # [P + 1]
    examples: NDArray[np.int32]  # [entries]
    values: NDArray[np.float32]  # [entries]


@kernel
def place_candidates(
    candidates: Candidates,
    targets: NDArray[np.int32],
    d_targets: NDArray[np.float32],
    d_scores: NDArray[np.float32],
    place_of_class: NDArray[np.int32],
    classes: NDArray[np.int32],
    places: NDArray[np.int32],
    examples: NDArray[np.int32],
    values: NDArray[np.float32],
) -> tuple[int, int]:
    """List the score gradients of targets and of each example's own candidates.

    Parameters
    ----------
    candidates : Candidates
        G = B.
    targets, d_targets, d_scores : arrays of shape [B], [B] and [B, K]
    place_of_class : int32 array of shape [V]
        All -1, on entry and on return.
    classes : int32 array
        Each class once, in the order in which they come; written.
    places, examples, values : int32, int32 and float32 arrays of shape [B (K + 1)]
        Of each gradient; written.

    Returns
    -------
    tuple of int
        How many classes there are, and how many gradients.
    """
    number = entry = 0
    for i in range(len(targets)):
        count = candidates.counts[i]
        for k in range(count + 1):
            j = candidates.classes[i, k] if k < count else targets[i]
            if place_of_class[j] < 0:
                place_of_class[j] = np.int32(number)
                classes[number] = j
                number += 1
            places[entry] = place_of_class[j]
            examples[entry] = i
            values[entry] = d_scores[i, k] if k < count else d_targets[i]
            entry += 1
    for place in range(number):
        place_of_class[classes[place]] = -1
    return number, entry


@kernel
def class_columns(
    places: NDArray[np.int32],
    examples: NDArray[np.int32],
    values: NDArray[np.float32],
    out: ClassColumns,
) -> None:
    """Sort score gradients by place, in the order of the examples (a counting sort)."""
    number = len(out.indptr) - 1
    out.indptr[:] = 0
    for place in places:
        out.indptr[place + 1] += 1
    for place in range(number):
        out.indptr[place + 1] += out.indptr[place]
    # Filling advances each column's start to its end; shifting by one restores the starts.
    for entry in range(len(places)):
        position = out.indptr[places[entry]]
        out.examples[position] = examples[entry]
        out.values[position] = values[entry]
        out.indptr[places[entry]] = position + 1
    for place in range(number, 0, -1):
        out.indptr[place] = out.indptr[place - 1]
    out.indptr[0] = 0
