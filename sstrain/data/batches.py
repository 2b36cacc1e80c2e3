"""An epoch's order of examples, and its batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.dataset import Dataset

if TYPE_CHECKING:
    from sstrain.kernels import BatchArrays

__all__ = ["Batch", "BatchReader", "epoch_order"]

#: The purpose of the random stream that orders an epoch.
_ORDER = 1
_BLOCKS_PER_WINDOW = 256


@dataclass(frozen=True)
class Batch:
    """B examples: CSR rows with their transpose, targets, weights and ids."""

    arrays: "BatchArrays"
    num_features: int
    targets: NDArray[np.int32]
    weights: NDArray[np.float32]
    example_ids: NDArray[np.int64]

    @property
    def size(self) -> int:
        """B."""
        return len(self.targets)


def epoch_order(
    seed: int, epoch: int, num_examples: int, start: int, stop: int, block: int = 1
) -> NDArray[np.int64]:
    """Return a slice of the epoch's permutation of the examples, a pure function.

    With blocks of more than one example (``Dataset.shuffle_block``) the examples of any 256
    consecutive blocks of the order lie in at most 512 places of the file.
    """
    order = np.empty(stop - start, np.int64)
    key = kernels.stream_key(seed, _ORDER, epoch, 0)
    if block == 1:
        kernels.permuted(key, num_examples, start, stop, order)
    else:
        shape = (block, _BLOCKS_PER_WINDOW)
        kernels.permuted_in_blocks(key, num_examples, shape, start, stop, order)
    return order


class BatchReader:
    """Takes batches out of a data set, into buffers that are used again.

    Parameters
    ----------
    dataset : Dataset
    num_features : int
        D.
    """

    def __init__(self, dataset: Dataset, num_features: int) -> None:
        self.dataset = dataset
        self._slot_of_feature = np.full(num_features, -1, np.int32)
        self._arrays: BatchArrays | None = None
        self._capacity = (-1, -1)

    def take(self, example_ids: NDArray[np.int64]) -> Batch:
        """Return the examples of the given ids; valid until the next call."""
        data = self.dataset
        rows = example_ids if data.rows is None else data.rows[example_ids]
        arrays, num_features = self._take_rows(rows)
        targets, weights = data.targets[example_ids], data.weights[example_ids]
        return Batch(arrays, num_features, targets, weights, example_ids)

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """Yield all examples in batches, in the order of the file."""
        for start in range(0, self.dataset.num_examples, batch_size):
            stop = min(start + batch_size, self.dataset.num_examples)
            yield self.take(np.arange(start, stop))

    def rows_in_order(self, batch_size: int) -> Iterator[tuple[Batch, NDArray[np.int64]]]:
        """Yield all rows in batches without targets, and the ids of the examples that they make.

        Where each row is an example this is `in_order`, with its targets.
        """
        data = self.dataset
        if data.rows is None:
            for batch in self.in_order(batch_size):
                yield batch, batch.example_ids
            return
        for start in range(0, data.num_rows, batch_size):
            rows = np.arange(start, min(start + batch_size, data.num_rows))
            first, end = np.searchsorted(data.rows, [rows[0], rows[-1] + 1])
            arrays, num_features = self._take_rows(rows)
            targets, weights = np.full(len(rows), -1, np.int32), np.ones(len(rows), np.float32)
            yield Batch(arrays, num_features, targets, weights, rows), np.arange(first, end)

    def _take_rows(self, rows: NDArray[np.int64]) -> "tuple[BatchArrays, int]":
        """Return rows with their transpose, and how many distinct features they hold."""
        data = self.dataset
        arrays = self._buffers(len(rows))
        source = data.indptr, data.indices, data.values, rows, self._slot_of_feature
        num_features = kernels.take_batch(*source, arrays)
        if num_features < 0:
            arrays = self._buffers(len(rows), -num_features)
            num_features = kernels.take_batch(*source, arrays)
        return arrays, num_features

    def _buffers(self, size: int, entries: int = 0) -> "BatchArrays":
        """Return arrays for so many rows and non-zeros, with room to spare if they are new."""
        if self._arrays is None or size > self._capacity[0] or entries > self._capacity[1]:
            size, entries = max(size, self._capacity[0]), max(2 * entries, self._capacity[1])
            self._capacity = (size, entries)
            self._arrays = kernels.BatchArrays(
                indptr=np.empty(size + 1, np.int64),
                slots=np.empty(entries, np.int32),
                values=np.empty(entries, np.float32),
                features=np.empty(entries, np.int32),
                column_indptr=np.empty(entries + 1, np.int64),
                column_rows=np.empty(entries, np.int32),
                column_values=np.empty(entries, np.float32),
            )
        return self._arrays
