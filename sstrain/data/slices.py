"""A dataset in slices of bounded size, for what reads it once from the beginning to the end."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.data.dataset import Dataset

__all__ = ["RowSlice", "row_slices"]

#: What a slice has at most; a single row may have more entries.
_ROWS = 1 << 16
_ENTRIES = 1 << 20


class RowSlice(NamedTuple):
    """Some neighbouring rows, with the labels of each."""

    indptr: NDArray[np.int64]  # [R + 1], from 0
    indices: NDArray[np.int32]  # [nnz]
    values: NDArray[np.float32]  # [nnz]
    label_indptr: NDArray[np.int64]  # [R + 1], from 0
    labels: NDArray[np.int32]  # [N], class ids
    weights: NDArray[np.float32]  # [N], those of the examples

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.indptr) - 1


def row_slices(dataset: Dataset) -> Iterator[RowSlice]:
    """Yield all rows of a dataset, which may lie on the disk, some at a time."""
    start = 0
    while start < dataset.num_rows:
        window = np.asarray(dataset.indptr[start : start + _ROWS + 1])
        fitting = int(np.searchsorted(window, window[0] + _ENTRIES, side="right")) - 1
        num_rows = max(fitting, 1)
        yield _row_slice(dataset, start, window[: num_rows + 1])
        start += num_rows


def _row_slice(dataset: Dataset, start: int, indptr: NDArray[np.int64]) -> RowSlice:
    entries = slice(indptr[0], indptr[-1])
    # Where each row's labels begin: those of row r are examples bounds[r] to bounds[r + 1].
    bounds = np.arange(start, start + len(indptr))
    if dataset.rows is not None:
        bounds = np.searchsorted(dataset.rows, bounds)
    examples = slice(bounds[0], bounds[-1])
    return RowSlice(
        indptr - indptr[0],
        np.asarray(dataset.indices[entries]),
        np.asarray(dataset.values[entries]),
        bounds - bounds[0],
        np.asarray(dataset.targets[examples]),
        np.asarray(dataset.weights[examples]),
    )
