"""Which cells of a hashed table the pairs of a feature and a target in some data fall on."""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel
from sstrain.kernels.counter import mix
from sstrain.kernels.hashed import HashedTable
from sstrain.kernels.tables import find_cell

__all__ = ["sample_pairs"]

_ONE = np.int64(1)
_FREE = np.int64(-1)


@inline
def _insert(pairs: NDArray[np.int64], pair: int) -> int:
    """Put a pair into an open-addressing set; return its slot, or -1 if it was there."""
    mask = np.uint64(len(pairs) - 1)
    slot = np.int64(mix(np.uint64(pair)) & mask)
    while pairs[slot] != _FREE:
        if pairs[slot] == pair:
            return -1
        slot = (slot + _ONE) & np.int64(mask)
    pairs[slot] = pair
    return slot  # type: ignore[return-value]


@inline
def _keep_part(pairs: NDArray[np.int64], cells: NDArray[np.int64], part: int) -> int:
    """Leave the pairs whose cell is below ``part``; return how many there are."""
    old_pairs, old_cells = pairs.copy(), cells.copy()
    pairs[:] = _FREE
    count = 0
    for slot in range(len(old_pairs)):
        if old_pairs[slot] != _FREE and old_cells[slot] < part:
            cells[_insert(pairs, old_pairs[slot])] = old_cells[slot]
            count += 1
    return count


@kernel
def sample_pairs(
    table: HashedTable,
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    rows: NDArray[np.int64],
    targets: NDArray[np.int32],
    pairs: NDArray[np.int64],
    cells: NDArray[np.int64],
) -> int:
    """Collect the distinct pairs of a part of the table; return how many cells the part has.

    The part starts as the whole table, and is halved whenever the pairs fill half of their
    memory (Flajolet 1990, "On adaptive sampling"). A hash spreads pairs evenly, so that a part of
    the cells stands for all. The least part is a line of 16 cells, whose pairs must fit.

    Parameters
    ----------
    table : HashedTable
    indptr, indices : arrays
        The features of each row.
    rows : int64 array
        Each example's row.
    targets : int32 array
    pairs, cells : int64 arrays
        A power of two long; written: the pairs, with -1 in free places, and their cells.
    """
    part, count = np.int64(len(table.values)), 0
    num_classes = np.int64(len(table.class_keys))
    pairs[:] = _FREE
    for i in range(len(targets)):
        for entry in range(indptr[rows[i]], indptr[rows[i] + 1]):
            row = np.int64(indices[entry])
            cell = find_cell(table, row, targets[i])
            if cell >= part or 2 * count >= len(pairs):
                continue
            slot = _insert(pairs, row * num_classes + targets[i])
            if slot < 0:
                continue
            cells[slot] = cell
            count += 1
            while 2 * count >= len(pairs) and part > 16:
                part >>= _ONE
                count = _keep_part(pairs, cells, part)  # type: ignore[arg-type]
    return part  # type: ignore[return-value]
