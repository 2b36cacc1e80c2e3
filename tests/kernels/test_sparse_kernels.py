"""The kernels of the sparse table against plain numpy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small import dense_matrix, make_dataset, whole_batch

from sstrain import kernels
from sstrain.models.averaging import Average, kernel_average
from sstrain.optim.rowwise_adagrad import RowwiseAdaGrad
from sstrain.optim.sgd import Sgd

Floats = NDArray[np.float32]
#: An old table, its width, and where the new rows and columns stood in it.
Source = tuple[Any, int, NDArray[np.int64], NDArray[np.int64]]
#: More than one block of classes, and a last one that is not full.
V, D, N = kernels.BLOCK + 45, 11, 19
_KEY = np.uint64(0)


def sparse_table(dense: Floats, kept: NDArray[np.bool_]) -> Any:
    """Return a table of the kept weights of a dense array."""
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
    return kernels.SparseTable(dense[kept], indptr, np.nonzero(kept)[1].astype(np.int32), _KEY)


def random_table(seed: int) -> tuple[Any, Floats, NDArray[np.bool_]]:
    """Return a table with an empty and a full row, as a dense array too, and which cells it has."""
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(D, V)).astype(np.float32)
    kept = rng.random((D, V)) < 0.2
    kept[3], kept[5] = False, True
    return sparse_table(dense, kept), np.where(kept, dense, np.float32(0)), kept


def as_dense(table: Any, width: int) -> Floats:
    """Return a table's weights as a dense array."""
    rows = len(table.indptr) - 1
    dense = np.zeros((rows, width), np.float32)
    for row in range(rows):
        part = slice(table.indptr[row], table.indptr[row + 1])
        assert np.all(np.diff(table.indices[part]) > 0)
        dense[row, table.indices[part]] = table.values[part]
    return dense


def test_a_weight_is_found_or_0() -> None:
    table, dense, _ = random_table(1)
    rows, columns = np.divmod(np.arange(D * V), V)
    found = np.empty(D * V, np.float32)
    kernels.weights_at(table, rows, columns, found)
    np.testing.assert_array_equal(found.reshape(D, V), dense)


def largest(weights: Floats, count: int) -> NDArray[np.bool_]:
    """Return where the largest weights stand, ties by cell."""
    order = np.argsort(-np.abs(weights.ravel()), kind="stable")
    kept = np.zeros(weights.size, np.bool_)
    kept[order[:count]] = True
    return kept.reshape(weights.shape)


def threshold_of(source: Source, count: int) -> tuple[int, int]:
    """Return the bits of the least magnitude that is kept, and the number of ties, by counts."""
    prefix, found = -1, 0
    for _ in range(2):
        counts = np.zeros((kernels.TILES, 1 << 16), np.int64)
        kernels.count_magnitudes(*source, prefix, counts)
        totals = counts.sum(axis=0)
        place = len(totals) - 1
        while totals[place] < count:
            count -= int(totals[place])
            place -= 1
        prefix, found = place, found * (1 << 16) + place
    return found, count


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 9)),
    share=st.floats(0, 1),
    levels=st.sampled_from([1, 2, 1000]),
    from_sparse=st.booleans(),
)
def test_the_largest_weights_are_kept(
    seed: int, shape: tuple[int, int], share: float, levels: int, from_sparse: bool
) -> None:
    rng = np.random.default_rng(seed)
    old = (rng.integers(-levels, levels + 1, shape) / np.float32(levels)).astype(np.float32)
    if from_sparse:
        kept = rng.random(shape) < 0.5
        table, old = sparse_table(old, kept), np.where(kept, old, np.float32(0))
    else:
        table = kernels.DenseTable(old.ravel(), shape[1], _KEY)
    rows = rng.permutation(np.arange(-1, shape[0]))
    columns = rng.permutation(np.arange(-1, shape[1]))
    matching = np.ix_(rows >= 0, columns >= 0)
    weights = np.zeros((len(rows), len(columns)), np.float32)
    weights[matching] = old[np.ix_(rows[rows >= 0], columns[columns >= 0])]

    count = max(1, round(share * weights.size))
    source: Source = (table, shape[1], rows, columns)
    new = kernels.SparseTable(
        np.full(count, np.nan, np.float32),
        np.empty(len(rows) + 1, np.int64),
        np.full(count, -1, np.int32),
        _KEY,
    )
    kernels.keep_largest(*source, *threshold_of(source, count), new.indptr, new.indices, new.values)
    expected = sparse_table(weights, largest(weights, count))
    for found, right in zip(new[:3], expected[:3], strict=True):
        np.testing.assert_array_equal(found, right)


def test_scores_are_those_of_the_weights_and_of_their_average() -> None:
    table, dense, kept = random_table(2)
    rng = np.random.default_rng(3)
    dataset = make_dataset(N, V, D, seed=4)
    batch, x = whole_batch(dataset, D), dense_matrix(dataset, D)
    bias = rng.normal(size=V).astype(np.float32)
    found = np.empty((N, V), np.float32)
    none = kernels.NotAveraged()
    kernels.sparse_score_all(table, bias, none, none, batch.arrays, found)
    np.testing.assert_allclose(found, x @ dense.astype(float) + bias, rtol=1e-5, atol=1e-5)

    weight, shift = Average(table.values.shape), Average((V,))
    for average in (weight, shift):
        average.steps = 4
        average.u[:] = rng.normal(size=average.u.shape)
    averages = kernel_average(weight), kernel_average(shift)
    kernels.sparse_score_all(table, bias, *averages, batch.arrays, found)
    mean = dense.astype(float)
    mean[kept] -= weight.u / 4
    np.testing.assert_allclose(found, x @ mean + bias - shift.u / 4, rtol=1e-5, atol=1e-5)


def test_the_forward_pass_has_every_blocks_exponentials() -> None:
    table, dense, _ = random_table(5)
    dataset = make_dataset(N, V, D, seed=6)
    batch = whole_batch(dataset, D)
    bias = np.random.default_rng(7).normal(scale=20, size=V).astype(np.float32)
    exponentials, targets = np.empty((N, V), np.float32), np.empty(N, np.float32)
    num_blocks = -(-V // kernels.BLOCK)
    partials = kernels.Partials(np.empty((num_blocks, N), np.float32), np.empty((num_blocks, N)))
    kernels.sparse_forward(
        table, bias, batch.arrays, batch.targets, exponentials, targets, partials
    )
    scores = dense_matrix(dataset, D) @ dense.astype(float) + bias
    np.testing.assert_allclose(targets, scores[np.arange(N), batch.targets], rtol=1e-5, atol=1e-5)
    for block in range(num_blocks):
        part = scores[:, block * kernels.BLOCK : (block + 1) * kernels.BLOCK]
        np.testing.assert_allclose(partials.highest[block], part.max(axis=1), rtol=1e-5)
        total = np.exp(part - part.max(axis=1, keepdims=True)).sum(axis=1)
        np.testing.assert_allclose(partials.total[block], total, rtol=1e-4)
    log_partitions = np.empty(N)
    kernels.merge_log_partition(partials.highest, partials.total, log_partitions)
    expected = np.logaddexp.reduce(scores, axis=1)
    np.testing.assert_allclose(log_partitions, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rule", [Sgd(), RowwiseAdaGrad(initial_accumulator=0.5)], ids=str)
def test_an_update_changes_kept_weights_by_their_own_gradient(rule: Any) -> None:
    table, dense, kept = random_table(8)
    rng = np.random.default_rng(9)
    dataset = make_dataset(N, V, D, seed=10)
    batch, x = whole_batch(dataset, D), dense_matrix(dataset, D)
    bias = rng.normal(size=V).astype(np.float32)
    d_scores = rng.normal(size=(N, V)).astype(np.float32)
    gradient, d_bias = np.where(kept, x.T @ d_scores, 0), d_scores.sum(axis=0, dtype=float)
    rates = 0.1 * np.ones((D, 1)), np.float64(0.1)
    if isinstance(rule, RowwiseAdaGrad):
        rates = (
            0.1 / np.sqrt((gradient**2).sum(axis=1, keepdims=True) + 0.5),
            0.1 / np.sqrt((d_bias**2).sum() + 0.5),
        )
    expected, expected_bias = dense - rates[0] * gradient, bias - rates[1] * d_bias
    states = rule.allocate(D, table.values.shape), rule.allocate(1, (V,))
    rules = tuple(rule.kernel_state(state, 0.1) for state in states)
    scratch = np.full((kernels.TILES, V), np.nan, np.float32)
    none = kernels.NotAveraged()
    bad = kernels.sparse_update_all(
        table,
        bias,
        rules[0],
        rules[1],
        none,
        none,
        batch.arrays,
        batch.num_features,
        d_scores,
        scratch,
    )
    assert bad == 0
    np.testing.assert_allclose(as_dense(table, V), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(bias, expected_bias, rtol=1e-4, atol=1e-5)


def test_rows_that_go_bad_are_counted() -> None:
    table, _, _ = random_table(11)
    batch = whole_batch(make_dataset(N, V, D, seed=12), D)
    table.values[table.indptr[5]], bias = np.inf, np.zeros(V, np.float32)
    none, rule = kernels.NotAveraged(), Sgd().kernel_state({}, 0.1)
    scratch = np.empty((kernels.TILES, V), np.float32)
    common = rule, rule, none, none, batch.arrays, batch.num_features
    zeros = np.zeros((N, V), np.float32)
    assert kernels.sparse_update_all(table, bias, *common, zeros, scratch) == 1
    bias[0] = np.nan
    assert kernels.sparse_update_all(table, bias, *common, zeros, scratch) == 2
