"""Expectations in closed form (33 to 39), against an enumeration of every draw."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from reference.examples import make_q, make_scores
from reference.importance import importance, log_counts_resample, log_counts_with_replacement
from reference.importance_moments import (
    Law,
    distinct_classes,
    law,
    log_moments,
    moments,
    transform,
)
from reference.softmax import log_partition

Floats = NDArray[np.float64]

HITS = ("drop", "keep", "resample")
CASES = [(hits, k, target) for hits in HITS for k in (1, 2, 3) for target in (0, 2)]


def case(hits: str, num_samples: int, target: int) -> tuple[Law, Floats, Floats, Floats]:
    """Return the law and every draw's probability [O], gradient [O, V] and log(Z~ / Z) [O]."""
    scores, q = make_scores(4), make_q(4)
    draws = law(scores, target, q, num_samples, hits)
    probability, gradient, logs = [], [], []
    for draw in product(np.flatnonzero(draws.q), repeat=num_samples):
        ids = np.array(draw)
        if hits == "resample":
            log_counts = log_counts_resample(q, ids, target)
        else:
            log_counts = log_counts_with_replacement(q, ids)
        found = importance(scores, target, ids, log_counts, hits)
        probability.append(np.prod(draws.q[ids]))
        gradient.append(found.d_scores)
        logs.append(found.loss + scores[target] - log_partition(scores))
    return draws, np.array(probability), np.array(gradient), np.array(logs)


@pytest.mark.parametrize(("hits", "num_samples", "target"), CASES)
def test_equation_33_transform_of_the_estimate(hits: str, num_samples: int, target: int) -> None:
    draws, probability, _, logs = case(hits, num_samples, target)
    for t in (0.1, 1.0, 10.0):
        expected = probability @ np.exp(-t * np.exp(logs))
        assert transform(t, draws, num_samples) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("hits", "num_samples", "target"), CASES)
def test_equations_34_35_36_moments_of_the_gradient(
    hits: str, num_samples: int, target: int
) -> None:
    draws, probability, gradient, _ = case(hits, num_samples, target)
    found, mean = moments(draws), probability @ gradient
    np.testing.assert_allclose(found.mean, mean, rtol=1e-9, atol=1e-11)
    variance = probability @ (gradient - mean) ** 2
    np.testing.assert_allclose(found.variance, variance, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("hits", "num_samples", "target"), CASES)
def test_equations_37_38_moments_of_the_log(hits: str, num_samples: int, target: int) -> None:
    draws, probability, _, logs = case(hits, num_samples, target)
    mean = probability @ logs
    variance = probability @ (logs - mean) ** 2
    assert log_moments(draws) == pytest.approx((mean, variance), rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("num_samples", [1, 2, 4])
def test_equation_39_distinct_classes(num_samples: int) -> None:
    q = make_q(4)
    expected = sum(
        np.prod(q[list(draw)]) * len(set(draw)) for draw in product(range(4), repeat=num_samples)
    )
    assert distinct_classes(q, num_samples) == pytest.approx(float(expected), rel=1e-12)
