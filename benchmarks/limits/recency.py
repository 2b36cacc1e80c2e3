"""Which rows, or lines of rows, the caches may still hold from batches before."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Recency"]


class Recency:
    """A cache that keeps what was used last, followed batch by batch.

    An item that comes again counts as kept if all that was used in later batches fits into the
    cache, whatever else of its own batch there was: no cache that keeps what was used last does
    better.

    Parameters
    ----------
    num_items : int
    capacity : float
        Items that the cache holds.
    """

    def __init__(self, num_items: int, capacity: float) -> None:
        self._capacity = capacity
        self._last = np.full(num_items, -1, np.int32)
        #: By batch: the items that were last used in it.
        self._counts = np.zeros(0, np.int64)

    def missing(self, items: NDArray[np.int64]) -> int:
        """Take in a batch of distinct items; return how many of them cannot have been kept."""
        last = self._last[items]
        missing = int(np.count_nonzero(last < self._oldest()))
        before = np.bincount(last[last >= 0], minlength=len(self._counts))
        self._last[items] = len(self._counts)
        self._counts = np.append(self._counts - before, len(items))
        return missing

    def _oldest(self) -> int:
        """Return the oldest batch of which something may have been kept."""
        newer = np.cumsum(self._counts[::-1]) - self._counts[::-1]
        fitting = int(np.count_nonzero(newer < self._capacity))
        return len(self._counts) - fitting
