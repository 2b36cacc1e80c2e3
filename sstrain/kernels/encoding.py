"""Encoding CSR rows with the ids of a vocabulary."""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import kernel
from sstrain.kernels.sorting import sort_entries

__all__ = ["add_moments", "count_features", "encode_rows", "sum_repeats", "transform_rows"]


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


@kernel
def sum_repeats(
    indptr: NDArray[np.int64], features: NDArray[np.int32], values: NDArray[np.float32]
) -> int:
    """Sort each row by feature and add up the values of a feature that stands there repeatedly.

    Parameters
    ----------
    indptr : int64 array of shape [R + 1]
    features, values : int32 and float32 arrays
        All three are written over in place; rows move up to fill the gaps.

    Returns
    -------
    int
        How many entries are left.
    """
    done, start = 0, indptr[0]
    for row in range(len(indptr) - 1):
        end = indptr[row + 1]
        sort_entries(features, values, start, end)
        first = done
        for entry in range(start, end):
            if done > first and features[done - 1] == features[entry]:
                values[done - 1] += values[entry]
            else:
                features[done], values[done] = features[entry], values[entry]
                done += 1
        indptr[row], start = first, end
    indptr[len(indptr) - 1] = done
    return done


@kernel
def add_moments(
    indptr: NDArray[np.int64],
    features: NDArray[np.int32],
    values: NDArray[np.float32],
    rows: NDArray[np.int64],
    place: NDArray[np.int64],
    moments: NDArray[np.float64],
) -> None:
    """Take the values of some features into their moments, by Welford's recurrence.

    Parameters
    ----------
    indptr, features, values : arrays
        CSR rows.
    rows : int64 array
        Those that count.
    place : int64 array
        The row of ``moments`` of each feature, -1 for none.
    moments : float64 array of shape [F, 4]
        How many values there are, their mean, the sum of their squared distances from it, and the
        largest absolute value.
    """
    for row in rows:
        for entry in range(indptr[row], indptr[row + 1]):
            i = place[features[entry]]
            if i < 0:
                continue
            value = np.float64(values[entry])
            moments[i, 0] += 1
            distance = value - moments[i, 1]
            moments[i, 1] += distance / moments[i, 0]
            moments[i, 2] += distance * (value - moments[i, 1])
            moments[i, 3] = max(moments[i, 3], abs(value))


@kernel
def transform_rows(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.float32],
    shift: NDArray[np.float64],
    scale: NDArray[np.float64],
    to_unit_norm: bool,
) -> None:
    """Turn each value v into ``(v - shift) * scale``; then divide rows by their norm, if asked.

    Parameters
    ----------
    indptr, indices, values : arrays
        CSR rows; the values are written over.
    shift, scale : float64 arrays of shape [D]
    to_unit_norm : bool
        A row of zeros stays as it is.
    """
    for row in range(len(indptr) - 1):
        squares = 0.0
        for entry in range(indptr[row], indptr[row + 1]):
            feature = indices[entry]
            squares += ((values[entry] - shift[feature]) * scale[feature]) ** 2
        factor = 1 / np.sqrt(squares) if to_unit_norm and squares > 0 else 1.0
        for entry in range(indptr[row], indptr[row + 1]):
            feature = indices[entry]
            values[entry] = (values[entry] - shift[feature]) * scale[feature] * factor
