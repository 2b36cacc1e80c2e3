"""Ranks and log-partitions of score rows."""

import numpy as np
import pytest
from reference.metrics import rank
from reference.softmax import log_partition

from sstrain import kernels


def test_rows_against_the_references() -> None:
    rng = np.random.default_rng(3)
    scores = rng.integers(-3, 4, (40, 700)).astype(np.float32)
    targets = rng.integers(-1, 700, 40).astype(np.int32)
    logs, ranks, highest = np.empty(40), np.empty(40, np.int64), np.empty(40, np.float32)
    kernels.evaluate_rows(scores, targets, logs, ranks, highest)
    for i, row in enumerate(scores.astype(float)):
        expected = rank(row, int(targets[i]))
        assert ranks[i] == (701 if np.isinf(expected) else expected)
        np.testing.assert_allclose(logs[i], log_partition(row), rtol=1e-6)
        assert highest[i] == row.max()


def test_scores_that_are_not_finite_are_misses() -> None:
    scores = np.array([[0, np.nan, 1], [np.inf, 0, 0]], np.float32)
    ranks = np.empty(2, np.int64)
    targets = np.array([2, 0], np.int32)
    kernels.evaluate_rows(scores, targets, np.empty(2), ranks, np.empty(2, np.float32))
    assert ranks.tolist() == [4, 4]


def test_any_number_of_targets_of_a_row() -> None:
    rng = np.random.default_rng(4)
    scores = rng.integers(-3, 4, (9, 70)).astype(np.float32)
    rows = np.sort(rng.integers(0, 9, 300))
    targets = rng.integers(-1, 70, 300).astype(np.int32)
    ranks = np.empty(300, np.int64)
    kernels.rank_targets(scores, rows, targets, np.zeros(9), ranks)
    expected = [rank(scores[r].astype(float), int(c)) for r, c in zip(rows, targets, strict=True)]
    assert ranks.tolist() == [71 if np.isinf(place) else place for place in expected]


def test_the_targets_of_a_row_that_is_not_finite_are_misses() -> None:
    scores, ranks = np.array([[0, 1, 2], [0, np.nan, 1]], np.float32), np.empty(4, np.int64)
    rows, targets = np.array([0, 0, 1, 1]), np.array([2, 0, 0, 1], np.int32)
    kernels.rank_targets(scores, rows, targets, np.array([2.4, np.nan]), ranks)
    assert ranks.tolist() == [1, 3, 4, 4]


def test_the_log_partition_of_a_million_classes() -> None:
    scores = np.random.default_rng(0).normal(size=(1, 10**6)).astype(np.float32)
    logs = np.empty(1)
    no_target = np.array([-1], np.int32)
    kernels.evaluate_rows(scores, no_target, logs, np.empty(1, np.int64), np.empty(1, np.float32))
    expected = log_partition(scores[0].astype(float))
    assert abs(np.expm1(logs[0] - expected)) < 1e-6


@pytest.mark.parametrize("k", [1, 2, 5, 64, 299, 300])
@pytest.mark.parametrize("values", [2, 7, 10**6])
def test_the_best_classes_come_in_order(k: int, values: int) -> None:
    """Of equal scores, which most are where there are few values, the smaller id comes first."""
    scores = np.random.default_rng(k).integers(0, values, (20, 300)).astype(np.float32)
    scores[0] = np.arange(300)
    scores[1] = -scores[0]
    scores[2, ::3] = -np.inf
    classes, logs = np.empty((20, k), np.int32), np.empty((20, k))
    kernels.top_rows(scores, classes, logs)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(classes, expected)
    for row, best, found in zip(scores.astype(float), expected, logs, strict=True):
        np.testing.assert_allclose(found, row[best] - log_partition(row), rtol=1e-5, atol=1e-6)


def test_a_row_that_is_not_finite_has_best_classes_all_the_same() -> None:
    scores = np.full((1, 50), np.nan, np.float32)
    classes = np.empty((1, 7), np.int32)
    kernels.top_rows(scores, classes, np.empty((1, 7)))
    assert len(set(classes[0].tolist())) == 7
    assert 0 <= classes.min() <= classes.max() < 50
