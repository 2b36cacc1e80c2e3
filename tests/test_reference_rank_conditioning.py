"""Draws without replacement (20 to 22), by simulation."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import importance
from reference import rank_conditioning as rank
from reference.examples import make_scores, zipf

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def make_skewed_scores(q: Floats) -> Floats:
    """Return scores that follow q in part, as those of a trained model do."""
    return np.asarray(0.5 * np.log(q) + 0.5 * make_scores(len(q)))


def test_equation_20_counts_of_distinct_classes() -> None:
    rng = np.random.default_rng(3)
    classes, log_counts = rank.draw(zipf(30), 10, rng)
    assert len(set(classes.tolist())) == 10
    assert np.all(log_counts < 0)
    everything, log_ones = rank.draw(zipf(5), 5, rng)
    assert everything.tolist() == [0, 1, 2, 3, 4]
    assert log_ones.tolist() == [0] * 5


@pytest.mark.parametrize("max_tries", [None, 12])
def test_equations_21_22_unbiased_without_replacement(max_tries: int | None) -> None:
    """V = 30, K = 10, q ~ 1/i: below 1%, also when the draws stop after 12 tries."""
    q, rng = zipf(30), np.random.default_rng(4)
    scores, target = make_skewed_scores(q), 2
    estimates = []
    for _ in range(10000):
        classes, log_counts = rank.draw(q, 10, rng, max_tries)
        estimates.append(importance.partition_estimate(scores, target, classes, log_counts))
    partition = float(np.sum(np.exp(scores)))
    deviation = float(np.std(estimates)) / partition / math.sqrt(len(estimates))
    assert deviation < 0.003
    assert abs(np.mean(estimates) / partition - 1) < 0.01


def test_slip_of_the_count_without_replacement() -> None:
    """The chance that K draws with replacement hold a class is not the one that K distinct do."""
    q, rng = zipf(30), np.random.default_rng(5)
    scores, target = make_skewed_scores(q), 2
    slip = np.log(-np.expm1(10 * np.log1p(-q)))
    estimates = []
    for _ in range(2000):
        classes, _ = rank.draw_by_arrival_times(q, 10, rng)
        estimates.append(importance.partition_estimate(scores, target, classes, slip[classes]))
    assert np.mean(estimates) / np.sum(np.exp(scores)) > 1.2


def test_equation_22_has_the_law_of_the_arrival_times() -> None:
    """How often each class comes, and its mean count, as from the arrival times at once."""
    q = zipf(8)

    def means(one: Callable[[np.random.Generator], tuple[Ints, Floats]], seed: int) -> Floats:
        rng = np.random.default_rng(seed)
        sums = np.zeros((2, len(q)))
        for _ in range(4000):
            classes, log_counts = one(rng)
            sums[0, classes] += 1
            sums[1, classes] += np.exp(log_counts)
        return sums / 4000

    stopped = means(lambda rng: rank.draw(q, 4, rng, max_tries=3), 6)
    at_once = means(lambda rng: rank.draw_by_arrival_times(q, 4, rng), 7)
    assert np.max(np.abs(stopped - at_once)) < 0.04


def test_equation_22_ends_for_a_tiny_q() -> None:
    q = np.array([0.5, 0.5 - 2e-30, 1e-30, 1e-30])
    classes, log_counts = rank.draw(q, 3, np.random.default_rng(8))
    assert {0, 1} <= set(classes.tolist())
    assert np.all(np.isfinite(log_counts))
