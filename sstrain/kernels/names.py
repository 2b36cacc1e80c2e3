"""Dense ids for names, stretches of bytes, by a hash table in plain arrays."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel
from sstrain.kernels.counter import mix

__all__ = ["NameArrays", "hash_names", "hash_numbers", "number_names", "renumber_names"]

_OFFSET = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)


class NameArrays(NamedTuple):
    """The names so far, and where to find them: room for P names of C bytes together."""

    text: NDArray[np.uint8]  # [C], one name behind the other
    ends: NDArray[np.int64]  # [P + 1], where each ends; ends[0] = 0
    hashes: NDArray[np.uint64]  # [P]
    table: NDArray[np.int32]  # [2 P], ids by hash, -1 where free; a power of two
    seed: int  # of the hashes: if it is secret, no names can be made up that fall into one place


@inline
def hash_bytes(text: NDArray[np.uint8], start: int, end: int, seed: np.uint64) -> np.uint64:
    """Return 64 bits for a stretch of bytes, a pure function of them and the seed.

    FNV-1a (Fowler, Noll and Vo) with the finaliser of SplitMix64, which spreads its low bits.
    """
    bits = _OFFSET ^ seed
    for position in range(start, end):
        bits = (bits ^ np.uint64(text[position])) * _PRIME
    return mix(bits)


@inline
def _find(names: NameArrays, text: NDArray[np.uint8], start: int, end: int, bits: np.uint64) -> int:
    """Return the slot of the table that holds the name's id, or the free one where it belongs."""
    mask = len(names.table) - 1
    slot = int(np.int64(bits) & mask)
    while True:
        number = names.table[slot]
        if number < 0:
            return slot
        if names.hashes[number] == bits:
            first = names.ends[number]
            if names.ends[number + 1] - first == end - start:
                offset = 0
                while offset < end - start and text[start + offset] == names.text[first + offset]:
                    offset += 1
                if offset == end - start:
                    return slot
        slot = (slot + 1) & mask


@kernel
def number_names(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    position: int,
    names: NameArrays,
    num_names: int,
    ids: NDArray[np.int32],
) -> tuple[int, int]:
    """Give each name an id, in the order of first sight, until there is no room for a new one.

    Parameters
    ----------
    text : uint8 array
    starts, ends : int64 arrays of shape [N]
        Where in the text each name stands.
    position : int
        The first of them to be numbered.
    names : NameArrays
        New names are appended.
    num_names : int
        How many there are.
    ids : int32 array of shape [N]
        Filled in place.

    Returns
    -------
    position, num_names : int
        The first name that has no id yet (N at the end), and how many distinct ones there are.
    """
    for i in range(position, len(starts)):
        start, end = starts[i], ends[i]
        bits = hash_bytes(text, start, end, np.uint64(names.seed))
        slot = _find(names, text, start, end, bits)
        if names.table[slot] < 0:
            first = names.ends[num_names]
            if num_names == len(names.hashes) or first + end - start > len(names.text):
                return i, num_names
            for offset in range(end - start):
                names.text[first + offset] = text[start + offset]
            names.ends[num_names + 1] = first + end - start
            names.hashes[num_names] = bits
            names.table[slot] = num_names
            num_names += 1
        ids[i] = names.table[slot]
    return len(starts), num_names


@kernel
def renumber_names(hashes: NDArray[np.uint64], num_names: int, table: NDArray[np.int32]) -> None:
    """Fill an empty table, all -1, with the ids of distinct names."""
    mask = len(table) - 1
    for number in range(num_names):
        slot = int(np.int64(hashes[number]) & mask)
        while table[slot] >= 0:
            slot = (slot + 1) & mask
        table[slot] = number


@kernel
def hash_names(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    bits: int,
    buckets: NDArray[np.int64],
) -> None:
    """Write for each stretch of bytes the highest ``bits`` bits of its hash."""
    for i in range(len(starts)):
        hashed = hash_bytes(text, starts[i], ends[i], np.uint64(0))
        buckets[i] = np.int64(hashed >> np.uint64(64 - bits))


@kernel
def hash_numbers(numbers: NDArray[np.int64], bits: int, buckets: NDArray[np.int64]) -> None:
    """Write for each number the highest ``bits`` bits of its hash."""
    for i in range(len(numbers)):
        hashed = mix((np.uint64(numbers[i]) ^ _OFFSET) * _PRIME)
        buckets[i] = np.int64(hashed >> np.uint64(64 - bits))
