"""Dense ids for labels and features, in the order of first sight."""

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels

__all__ = ["NameNumbering", "Numbering"]


class NameNumbering(dict[str, int]):
    """Ids of names: looking up a new one gives it the next."""

    def __missing__(self, name: str) -> int:
        number = self[name] = len(self)
        return number


class Numbering:
    """Ids of 64-bit numbers, in about 24 bytes for each distinct one."""

    def __init__(self) -> None:
        self._keys = np.empty(1 << 10, np.int64)
        self._num_keys = 0
        self._table = np.full(1 << 11, -1, np.int32)

    @property
    def keys(self) -> NDArray[np.int64]:
        """The numbers by their ids, int64 of shape [how many distinct ones]."""
        return self._keys[: self._num_keys]

    def ids(self, keys: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the id of each number, int32 of the same shape; new ones get the next ids."""
        ids = np.empty(len(keys), np.int32)
        position = 0
        while True:
            position, self._num_keys = kernels.number_keys(
                keys, position, self._keys, self._num_keys, self._table, ids
            )
            if position == len(keys):
                return ids
            self._grow()

    def _grow(self) -> None:
        self._keys = np.concatenate([self._keys, np.empty_like(self._keys)])
        self._table = np.full(2 * len(self._table), -1, np.int32)
        kernels.renumber(self._keys, self._num_keys, self._table)
