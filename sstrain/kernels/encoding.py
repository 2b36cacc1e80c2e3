"""Encoding CSR rows with the ids of a vocabulary."""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import kernel
from sstrain.kernels.sorting import sort_entries

__all__ = ["count_features", "encode_rows"]


@kernel
def count_features(
    indptr: NDArray[np.int64],
    features: NDArray[np.int32],
    rows: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Add to each feature's count the rows, among the given ones, that hold it."""
    for row in rows:
        for entry in range(indptr[row], indptr[row + 1]):
            counts[features[entry]] += 1


@kernel
def encode_rows(
    raw: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]],
    rows: NDArray[np.int64],
    feature_ids: NDArray[np.int32],
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
) -> int:
    """Copy rows with their features renumbered, sorted, and those without a number left out.

    Parameters
    ----------
    raw : tuple of arrays
        ``indptr``, ``features`` and ``values`` of the rows that are read.
    rows : int64 array of shape [N]
    feature_ids : int32 array
        The new number of each raw feature, -1 for none.
    indptr : int64 array of shape [N + 1]
        ``indptr[0]`` is where to begin; the others are filled in place.
    indices, values : int32 and float32 arrays
        Long enough for all the rows' entries; filled in place.

    Returns
    -------
    int
        How many entries were left out.
    """
    raw_indptr, raw_features, raw_values = raw
    entry = indptr[0]
    num_unknown = 0
    for number in range(len(rows)):
        row = rows[number]
        for raw_entry in range(raw_indptr[row], raw_indptr[row + 1]):
            feature = feature_ids[raw_features[raw_entry]]
            if feature < 0:
                num_unknown += 1
                continue
            indices[entry] = feature
            values[entry] = raw_values[raw_entry]
            entry += 1
        sort_entries(indices, values, indptr[number], entry)
        indptr[number + 1] = entry
    return num_unknown
