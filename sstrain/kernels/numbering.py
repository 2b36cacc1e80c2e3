"""Dense ids for sparse 64-bit keys, by a hash table in plain arrays."""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel

__all__ = ["number_keys", "renumber"]

_ONE = np.uint64(1)


@inline
def _hash(seed: int, table: NDArray[np.int32]) -> tuple[np.uint64, np.uint64]:
    """Return what keys are multiplied by, and by how many bits the product is shifted to a slot.

    Multiply-shift: two keys meet in one of C slots with a probability of at most 2 / C, whatever
    they are, if the odd multiplier is random (Dietzfelbinger and others 1997, "A reliable
    randomized algorithm for the closest-pair problem").
    """
    shift = np.uint64(64)
    while _ONE << (np.uint64(64) - shift) < np.uint64(len(table)):
        shift -= _ONE
    return (np.uint64(seed) << _ONE) | _ONE, shift


@inline
def _find(
    keys: NDArray[np.int64],
    table: NDArray[np.int32],
    hashing: tuple[np.uint64, np.uint64],
    key: int,
) -> int:
    """Return the slot of the table that holds the key's id, or the free one where it belongs."""
    mask = len(table) - 1
    multiplier, shift = hashing
    slot = int(np.int64((np.uint64(key) * multiplier) >> shift))
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
    seed: int,
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
    seed : int
        Of the hash: if it is secret, no keys can be made up that all fall into one place.
    ids : int32 array of shape [N]
        Filled in place.

    Returns
    -------
    position, num_keys : int
        The first key that has no id yet (N at the end), and how many distinct ones there are.
    """
    hashing = _hash(seed, table)
    for position in range(start, len(new_keys)):
        key = new_keys[position]
        slot = _find(keys, table, hashing, key)
        if table[slot] < 0:
            if num_keys == len(keys):
                return position, num_keys
            keys[num_keys] = key
            table[slot] = num_keys
            num_keys += 1
        ids[position] = table[slot]
    return len(new_keys), num_keys


@kernel
def renumber(keys: NDArray[np.int64], num_keys: int, table: NDArray[np.int32], seed: int) -> None:
    """Fill an empty table, all -1, with the ids of distinct keys."""
    hashing = _hash(seed, table)
    for number in range(num_keys):
        table[_find(keys, table, hashing, keys[number])] = number
