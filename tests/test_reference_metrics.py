"""Evaluation figures of cases small enough to work out by hand."""

import math

import numpy as np
import pytest
from reference import metrics


def test_rank_of_ties_and_unknown_labels() -> None:
    scores = np.array([1.0, 3.0, 3.0, 2.0, 3.0])
    assert [metrics.rank(scores, c) for c in range(5)] == [5, 1, 2, 4, 3]
    assert metrics.rank(scores, -1) == math.inf
    for c in range(5):
        order = sorted(range(5), key=lambda j: (-scores[j], j))
        assert order.index(c) + 1 == metrics.rank(scores, c)


def test_metrics_of_a_small_case() -> None:
    scores = np.log(np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.2, 0.1, 0.7], [0.8, 0.1, 0.1]]))
    found = metrics.evaluate(scores, np.array([0, 2, 1, -1]), (1, 2))
    assert found["log_loss"] == pytest.approx(-math.log(0.5 * 0.1 * 0.1) / 3)
    assert found["perplexity"] == pytest.approx((0.5 * 0.1 * 0.1) ** (-1 / 3))
    assert found["top_1"] == 0.25
    assert found["top_2"] == 0.25
    assert found["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 3 + 0) / 4)
    # Four examples fall into bins of their own: gaps .5, .6, .7 and .8.
    assert found["ece"] == pytest.approx((0.5 + 0.6 + 0.7 + 0.8) / 4)


def test_calibration_error_of_full_bins() -> None:
    """30 examples, two a bin: in each bin one is right, so that the gap is |p - 1/2|."""
    top = np.repeat(np.linspace(0.5, 0.99, 15), 2)
    scores = np.log(np.stack([top, 1 - top], axis=1))
    targets = np.tile([0, 1], 15)
    assert metrics.expected_calibration_error(scores, targets) == pytest.approx(
        float(np.mean(top - 0.5))
    )


def test_bands() -> None:
    assert metrics.bands(np.array([50, 40, 10])) == ["head", "torso", "tail"]
    assert metrics.bands(np.array([10, 40, 50])) == ["tail", "torso", "head"]
    assert metrics.bands(np.array([49, 41, 6, 4])) == ["head", "head", "tail", "tail"]
    assert metrics.bands(np.array([1, 1])) == ["head", "torso"]
