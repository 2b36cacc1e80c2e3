"""Draws by searching sums of weights."""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline

__all__ = ["first_above"]


@inline
def first_above(cumulative: NDArray[np.float64], point: float) -> int:
    """Return the first place of rising sums whose value is above the point, or the last place."""
    low, high = 0, len(cumulative) - 1
    while low < high:
        middle = (low + high) // 2
        if cumulative[middle] <= point:
            low = middle + 1
        else:
            high = middle
    return low
