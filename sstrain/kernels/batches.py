"""Taking a batch out of a CSR matrix, by rows and by columns."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel
from sstrain.kernels.lanes import LANES, fetch

__all__ = ["BatchArrays", "squared_norms", "take_batch"]


class BatchArrays(NamedTuple):
    """B examples as rows (CSR over slots) and as columns (CSC), for kernels.

    A slot numbers the batch's distinct features in the order in which they first occur. Arrays
    may be longer than what is filled; ``indptr`` and ``num_features`` say how far that is.
    """

    indptr: NDArray[np.int64]  # [B + 1]
    slots: NDArray[np.int32]  # [nnz], the feature's slot
    values: NDArray[np.float32]  # [nnz]
    features: NDArray[np.int32]  # [F], each slot's feature id
    column_indptr: NDArray[np.int64]  # [F + 1]
    column_rows: NDArray[np.int32]  # [nnz]
    column_values: NDArray[np.float32]  # [nnz]


@inline
def _fill_columns(size: int, num_slots: int, out: BatchArrays) -> None:
    """Transpose the rows; ``column_indptr[slot + 1]`` holds how many entries the slot has."""
    out.column_indptr[0] = 0
    for slot in range(num_slots):
        out.column_indptr[slot + 1] += out.column_indptr[slot]
    # Filling advances each column's start to its end; shifting by one restores the starts.
    for row in range(size):
        for entry in range(out.indptr[row], out.indptr[row + 1]):
            slot = out.slots[entry]
            place = out.column_indptr[slot]
            out.column_rows[place] = row
            out.column_values[place] = out.values[entry]
            out.column_indptr[slot] = place + 1
    for slot in range(num_slots, 0, -1):
        out.column_indptr[slot] = out.column_indptr[slot - 1]
    out.column_indptr[0] = 0


@kernel
def take_batch(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    example_ids: NDArray[np.int64],
    slot_of_feature: NDArray[np.int32],
    out: BatchArrays,
) -> int:
    """Copy rows of a CSR matrix into a batch and transpose it.

    Parameters
    ----------
    indptr, indices, values : arrays
        The CSR matrix.
    example_ids : int64 array of shape [B]
    slot_of_feature : int32 array of shape [D]
        All -1, on entry and on return.
    out : BatchArrays
        Filled in place; long enough for so many rows.

    Returns
    -------
    int
        F, the number of distinct features; where ``out`` is too short, the rows' number of
        non-zeros, less than 0, and nothing is done.
    """
    entries = np.int64(0)
    for row in range(len(example_ids)):
        start, end = indptr[example_ids[row]], indptr[example_ids[row] + 1]
        entries += end - start
        # Rows lie anywhere in the data: memory is asked for all of them before any is read.
        for entry in range(start, end, LANES):
            fetch(indices, entry)
            fetch(values, entry)
        fetch(indices, end - 1)
        fetch(values, end - 1)
    if entries > len(out.slots):
        return -int(entries)
    num_slots = 0
    position = np.int64(0)
    out.indptr[0] = 0
    for row in range(len(example_ids)):
        for entry in range(indptr[example_ids[row]], indptr[example_ids[row] + 1]):
            feature = indices[entry]
            slot = slot_of_feature[feature]
            if slot < 0:
                slot = np.int32(num_slots)
                slot_of_feature[feature] = slot
                out.features[num_slots] = feature
                out.column_indptr[num_slots + 1] = 0
                num_slots += 1
            out.slots[position] = slot
            out.values[position] = values[entry]
            out.column_indptr[slot + 1] += 1
            position += 1
        out.indptr[row + 1] = position
    for slot in range(num_slots):
        slot_of_feature[out.features[slot]] = -1
    _fill_columns(len(example_ids), num_slots, out)
    return num_slots


@kernel
def squared_norms(batch: BatchArrays, out: NDArray[np.float32]) -> None:
    """Write the sum of squares of each example's features, float32 [B]."""
    for i in range(len(out)):
        total = 0.0
        for entry in range(batch.indptr[i], batch.indptr[i + 1]):
            total += float(batch.values[entry]) ** 2
        out[i] = total
