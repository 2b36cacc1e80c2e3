"""Dense ids for sparse 64-bit keys, by a hash table in plain arrays."""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel

__all__ = ["number_keys", "renumber"]

# 2^64 divided by the golden ratio: multiplying by it spreads runs of neighbours (Knuth).
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_32 = np.uint64(32)


@inline
def _find(keys: NDArray[np.int64], table: NDArray[np.int32], key: int) -> int:
    """Return the slot of the table that holds the key's id, or the free one where it belongs."""
    mask = len(table) - 1
    slot = int(np.int64((np.uint64(key) * _SPREAD) >> _32) & mask)
    while table[slot] >= 0 and keys[table[slot]] != key:
        slot = (slot + 1) & mask
    return slot


@kernel
def number_keys(
    new_keys: NDArray[np.int64],
    start: int,
    keys: NDArray[np.int64],
    num_keys: int,
    table: NDArray[np.int32],
    ids: NDArray[np.int32],
) -> tuple[int, int]:
    """Give each key an id, in the order of first sight, until the table is half full.

    Parameters
    ----------
    new_keys : int64 array of shape [N]
    start : int
        The first of them to be numbered.
    keys : int64 array of shape [C / 2]
        The key of each id so far; new ones are appended.
    num_keys : int
        How many there are.
    table : int32 array of shape [C]
        Ids by the hash of their keys, -1 where free; C is a power of two, at most 2^32.
    ids : int32 array of shape [N]
        Filled in place.

    Returns
    -------
    position, num_keys : int
        The first key that has no id yet (N at the end), and how many distinct ones there are.
    """
    for position in range(start, len(new_keys)):
        key = new_keys[position]
        slot = _find(keys, table, key)
        if table[slot] < 0:
            if num_keys == len(keys):
                return position, num_keys
            keys[num_keys] = key
            table[slot] = num_keys
            num_keys += 1
        ids[position] = table[slot]
    return len(new_keys), num_keys


@kernel
def renumber(keys: NDArray[np.int64], num_keys: int, table: NDArray[np.int32]) -> None:
    """Fill an empty table, all -1, with the ids of distinct keys."""
    for number in range(num_keys):
        table[_find(keys, table, keys[number])] = number
