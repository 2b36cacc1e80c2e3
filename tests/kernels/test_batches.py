"""A batch by rows and by columns against a dense matrix."""

import numpy as np
from small import dense_matrix, make_dataset

from sstrain.data.batches import Batch, BatchReader


def as_dense(batch: Batch, num_features: int) -> tuple[np.ndarray, np.ndarray]:
    arrays = batch.arrays
    rows = np.zeros((batch.size, num_features))
    columns = np.zeros((batch.size, num_features))
    for i in range(batch.size):
        for entry in range(arrays.indptr[i], arrays.indptr[i + 1]):
            rows[i, arrays.features[arrays.slots[entry]]] += arrays.values[entry]
    for slot in range(batch.num_features):
        for entry in range(arrays.column_indptr[slot], arrays.column_indptr[slot + 1]):
            row = arrays.column_rows[entry]
            columns[row, arrays.features[slot]] += arrays.column_values[entry]
    return rows, columns


def test_rows_and_their_transpose() -> None:
    dataset = make_dataset(50, 7, 20)
    reader = BatchReader(dataset, 20)
    dense = dense_matrix(dataset, 20)
    rng = np.random.default_rng(1)
    for size in (1, 5, 17, 3):
        ids = rng.choice(50, size, replace=False)
        batch = reader.take(ids)
        rows, columns = as_dense(batch, 20)
        np.testing.assert_array_equal(rows, dense[ids])
        np.testing.assert_array_equal(columns, dense[ids])
        assert np.array_equal(batch.targets, dataset.targets[ids])
        assert len(set(batch.arrays.features[: batch.num_features])) == batch.num_features


def test_a_batch_of_empty_rows() -> None:
    batch = BatchReader(make_dataset(5, 3, 4), 4).take(np.array([0]))
    assert batch.num_features == 0
    assert batch.arrays.indptr[1] == 0
