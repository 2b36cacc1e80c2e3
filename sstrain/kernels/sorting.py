"""Sorting the entries of a row, and classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline

__all__ = ["sort_classes", "sort_entries"]


@inline
def sort_entries(
    indices: NDArray[np.signedinteger[Any]], values: NDArray[np.float32], start: int, end: int
) -> None:
    """Sort entries ``start`` to ``end`` by index, in place, by Shell's method.

    With the gaps 1, 4, 13, 40, ... (Knuth 1973), about n^1.3 steps for any row seen in practice,
    and n for one that is sorted already; numba's own sorts take seconds to compile.
    """
    gap = 1
    while 3 * gap + 1 < end - start:
        gap = 3 * gap + 1
    while gap > 0:
        for entry in range(start + gap, end):
            index, value, place = indices[entry], values[entry], entry
            while place - gap >= start and indices[place - gap] > index:
                indices[place], values[place] = indices[place - gap], values[place - gap]
                place -= gap
            indices[place], values[place] = index, value
        gap //= 3


@inline
def sort_classes(classes: NDArray[np.int32], count: int) -> None:
    """Sort the first classes, in place, as `sort_entries` does."""
    gap = 1
    while 3 * gap + 1 < count:
        gap = 3 * gap + 1
    while gap > 0:
        for first in range(gap, count):
            j, place = classes[first], first
            while place >= gap and classes[place - gap] > j:
                classes[place] = classes[place - gap]
                place -= gap
            classes[place] = j
        gap //= 3
