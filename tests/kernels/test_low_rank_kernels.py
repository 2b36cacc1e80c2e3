"""What the low-rank layout's kernels do by themselves: filling, pooling, dropout, sorting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small import dense_matrix, make_candidates, make_dataset, whole_batch

from sstrain import kernels

Float32 = NDArray[np.float32]
N, D, R = 90, 20, 7


def fill(count: int, key: int, scale: float = 0.5) -> Float32:
    values = np.zeros(count, np.float32)
    kernels.low_rank_fill(values, key, scale)
    return values


def test_filling_is_a_function_of_key_and_cell() -> None:
    values = fill(100, 1)
    assert np.array_equal(values[:40], fill(40, 1))
    assert not np.isin(values, fill(100, 2)).any()
    assert len(np.unique(values)) == 100


def test_filling_is_uniform() -> None:
    from scipy.stats import kstest

    values = fill(50_000, -7, 0.25)
    assert np.abs(values).max() <= 0.25
    assert kstest(values, "uniform", (-0.25, 0.5)).pvalue > 1e-3


def pool(
    factors: Float32, mean: bool = False, dropout: float = 0.0, key: int = 3, first: int = 0
) -> Float32:
    """Return the pooled vectors of a problem's examples, of which the ids start at ``first``."""
    batch = whole_batch(make_dataset(N, 9, D), D)
    table = kernels.DenseTable(factors.reshape(-1), factors.shape[1], np.uint64(0))
    pooling = kernels.Pooling(mean, np.float32(dropout), np.uint64(key))
    pooled = np.full((N, factors.shape[1]), np.nan, np.float32)
    ids = np.arange(first, first + N)
    kernels.low_rank_pool(table, kernels.NotAveraged(), pooling, batch.arrays, ids, pooled)
    return pooled


@pytest.mark.parametrize("mean", [False, True])
def test_equations_42_43_pooled_vectors(mean: bool) -> None:
    factors = fill(D * R, 5).reshape(D, R)
    dataset = make_dataset(N, 9, D)
    expected = dense_matrix(dataset, D) @ factors.astype(float)
    if mean:
        expected /= np.maximum(np.diff(dataset.indptr), 1)[:, np.newaxis]
    np.testing.assert_allclose(pool(factors, mean), expected, rtol=1e-5, atol=1e-6)
    assert not pool(factors, mean)[0].any()  # a row without features


def mask(dropout: float, key: int = 3, first: int = 0, rank: int = 200) -> Float32:
    """Return what dropout multiplies with, of the rows that are not empty."""
    factors = np.ones((D, rank), np.float32)
    whole = pool(factors)
    filled = np.flatnonzero(np.diff(make_dataset(N, 9, D).indptr))
    return pool(factors, dropout=dropout, key=key, first=first)[filled] / whole[filled]


@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.9])
def test_equation_43_dropout_leaves_out_its_share_and_scales_the_rest(dropout: float) -> None:
    found = mask(dropout)
    assert np.allclose(found[found != 0], 1 / (1 - dropout), rtol=1e-5)
    share = np.mean(found == 0)
    assert abs(share - dropout) < 5 * np.sqrt(dropout * (1 - dropout) / found.size)
    # Neither examples nor dimensions go together.
    assert abs(np.mean(found[:-1] * found[1:]) - 1) < 0.1 / (1 - dropout)
    assert abs(np.mean(found[:, :-1] * found[:, 1:]) - 1) < 0.1 / (1 - dropout)


def test_dropout_is_a_function_of_key_example_and_dimension() -> None:
    assert np.array_equal(mask(0.5), mask(0.5))
    assert np.array_equal(mask(0.5)[:, :50], mask(0.5, rank=50))
    assert np.mean(mask(0.5) == mask(0.5, key=4)) < 0.6
    assert np.mean(mask(0.5) == mask(0.5, first=1000)) < 0.6


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 6), max_size=40))
def test_score_gradients_are_sorted_by_place_and_keep_their_order(given_places: list[int]) -> None:
    places = np.array(given_places, np.int32)
    examples = np.arange(len(places), dtype=np.int32)
    values = (examples / 2).astype(np.float32)
    out = kernels.ClassColumns(
        np.full(8, -1, np.int32), np.empty_like(examples), np.empty_like(values)
    )
    kernels.class_columns(places, examples, values, out)
    order = np.argsort(places, kind="stable")
    assert np.array_equal(out.examples, examples[order])
    assert np.array_equal(out.values, values[order])
    assert np.array_equal(np.diff(out.indptr), np.bincount(places, minlength=7))
    assert out.indptr[0] == 0


def test_classes_of_candidates_and_targets_are_listed_once() -> None:
    rng = np.random.default_rng(0)
    counts = np.array([3, 1, 4], np.int32)
    classes = np.sort(rng.permuted(np.tile(np.arange(9, dtype=np.int32), (3, 1)), axis=1)[:, :4])
    candidates = make_candidates(
        classes, np.ones((3, 4), np.float32), np.zeros((3, 4), np.float32), counts
    )
    targets = np.array([8, classes[0, 0], 8], np.int32)
    d_targets, d_scores = rng.random(3).astype(np.float32), rng.random((3, 4)).astype(np.float32)
    marks = np.full(9, -1, np.int32)
    listed, places, examples = (np.full(15, -1, np.int32) for _ in range(3))
    values = np.full(15, np.nan, np.float32)
    number, entries = kernels.place_candidates(
        candidates, targets, d_targets, d_scores, marks, listed, places, examples, values
    )
    assert entries == counts.sum() + 3
    assert (marks == -1).all()
    found = np.zeros((3, 9))
    np.add.at(found, (examples[:entries], listed[places[:entries]]), values[:entries])
    expected = np.zeros((3, 9))
    for i in range(3):
        np.add.at(expected[i], classes[i, : counts[i]], d_scores[i, : counts[i]])
        expected[i, targets[i]] += d_targets[i]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert len(set(listed[:number].tolist())) == number == np.count_nonzero(expected.any(axis=0))
