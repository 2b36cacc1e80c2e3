"""Means, variances and biases of the sampled softmax (13 to 19), by enumeration of every draw."""

import math
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import importance, softmax
from reference.examples import make_q, make_scores
from reference.numeric import relative_error

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def enumerate_draws(q: Floats, num_samples: int) -> Iterator[tuple[float, Ints]]:
    for drawn in product(np.flatnonzero(q > 0), repeat=num_samples):
        ids = np.array(drawn)
        yield float(np.prod(q[ids])), ids


def expectation(
    q: Floats, num_samples: int, value: Callable[[Ints], float | Floats]
) -> float | Floats:
    total: float | Floats = 0.0
    for probability, drawn in enumerate_draws(q, num_samples):
        total = total + probability * value(drawn)
    return total


def estimate_of(
    scores: Floats, target: int, q: Floats, hits: str = "drop"
) -> Callable[[Ints], float]:
    def value(drawn: Ints) -> float:
        log_counts = importance.log_counts_with_replacement(q, drawn)
        return importance.partition_estimate(scores, target, drawn, log_counts, hits)

    return value


def restricted(q: Floats, target: int) -> Floats:
    others = q.copy()
    others[target] = 0
    return np.asarray(others / np.sum(others))


def test_equations_13_14_mean_of_the_estimate() -> None:
    scores, q = make_scores(4), make_q(4)
    partition = float(np.sum(np.exp(scores)))
    for target in range(4):
        dropped = expectation(q, 2, estimate_of(scores, target, q))
        assert dropped == pytest.approx(partition, rel=1e-12)
        kept = expectation(q, 2, estimate_of(scores, target, q, "keep"))
        assert kept == pytest.approx(partition + math.exp(scores[target]), rel=1e-12)


def test_equation_16_mean_of_the_estimate() -> None:
    scores, q = make_scores(4), make_q(4)
    partition = float(np.sum(np.exp(scores)))
    for target in range(4):

        def value(drawn: Ints, target: int = target) -> float:
            log_counts = importance.log_counts_resample(q, drawn, target)
            return importance.partition_estimate(scores, target, drawn, log_counts, "resample")

        mean = expectation(restricted(q, target), 2, value)
        assert mean == pytest.approx(partition, rel=1e-12)


@pytest.mark.parametrize("slip", ["q * exp(z)", "exp(z / q)", "no correction"])
def test_slips_of_the_sum_are_biased(slip: str) -> None:
    scores, q, target = make_scores(4), make_q(4), 1
    terms = {
        "q * exp(z)": q * np.exp(scores),
        "exp(z / q)": np.exp(scores / q),
        "no correction": np.exp(scores),
    }[slip]

    def value(drawn: Ints) -> float:
        others = np.sum(terms[drawn[drawn != target]])
        return math.exp(scores[target]) + float(others) / len(drawn)

    partition = float(np.sum(np.exp(scores)))
    assert expectation(q, 2, value) != pytest.approx(partition, rel=0.1)


@pytest.mark.parametrize("num_samples", [1, 2, 4])
def test_equation_17_variance_of_the_estimate(num_samples: int) -> None:
    scores, q, target = make_scores(4), make_q(4), 2
    estimate = estimate_of(scores, target, q)
    mean = expectation(q, num_samples, estimate)
    variance = expectation(q, num_samples, lambda drawn: (estimate(drawn) - mean) ** 2)
    closed = importance.partition_variance(scores, target, q, num_samples)
    assert variance == pytest.approx(closed, rel=1e-10)


def test_equation_17_variance_with_resampling() -> None:
    scores, target = make_scores(4), 2
    q = restricted(make_q(4), target)
    estimate = estimate_of(scores, target, q)
    mean = expectation(q, 3, estimate)
    variance = expectation(q, 3, lambda drawn: (estimate(drawn) - mean) ** 2)
    closed = importance.partition_variance(scores, target, q, 3)
    assert variance == pytest.approx(closed, rel=1e-10)


def enumerate_counts(q: Floats, num_samples: int) -> Iterator[tuple[float, Ints]]:
    """Yield every multiset of ``num_samples`` draws with its multinomial probability."""

    def split(total: int, parts: int) -> Iterator[tuple[int, ...]]:
        if parts == 1:
            yield (total,)
            return
        for first in range(total + 1):
            for rest in split(total - first, parts - 1):
                yield (first, *rest)

    for counts in split(num_samples, len(q)):
        log_probability = math.lgamma(num_samples + 1)
        for count, probability in zip(counts, q, strict=True):
            log_probability += count * math.log(probability) - math.lgamma(count + 1)
        yield math.exp(log_probability), np.repeat(np.arange(len(q)), counts)


def sampled_biases(
    scores: Floats, target: int, q: Floats, num_samples: int
) -> tuple[float, Floats]:
    """Return ``E[log Z~] - log Z`` and ``E[dl~/dz] - dl/dz``."""
    log_mean = 0.0
    gradient_mean = np.zeros_like(scores)
    for probability, drawn in enumerate_counts(q, num_samples):
        log_counts = importance.log_counts_with_replacement(q, drawn)
        sampled = importance.importance(scores, target, drawn, log_counts)
        log_mean += probability * (sampled.loss + scores[target])
        gradient_mean += probability * sampled.d_scores
    exact = softmax.exact_d_scores(scores, target)
    return log_mean - softmax.log_partition(scores), gradient_mean - exact


def test_equations_18_19_bias_to_first_order() -> None:
    """The bias is of order 1/K, and its limit is the closed form."""
    scores, q, target = make_scores(4), make_q(4), 0
    log_errors, gradient_errors = [], []
    for num_samples in (8, 32):
        log_bias, gradient_bias = sampled_biases(scores, target, q, num_samples)
        assert log_bias < 0
        expected_log = importance.expected_log_bias(scores, target, q, num_samples)
        expected = importance.expected_gradient_bias(scores, target, q, num_samples)
        log_errors.append(abs(log_bias / expected_log - 1))
        gradient_errors.append(relative_error(gradient_bias, expected))
    for errors in (log_errors, gradient_errors):
        assert errors[1] < 0.1
        assert errors[1] < errors[0] / 2.5
