"""Estimates from groups, on normal noise whose mean is known."""

import numpy as np
import pytest
from scipy import stats

from sstrain.diagnostics.intervals import (
    GROUPS,
    QUANTILE,
    examples_error,
    mean_estimate,
    off_diagonal_mean,
    positive_interval,
    squared_norm_estimate,
    standard_error_of_mean,
)


def test_the_quantile_is_that_of_the_groups() -> None:
    np.testing.assert_allclose(QUANTILE, stats.t.ppf(0.975, GROUPS - 1), rtol=1e-12)


@pytest.mark.parametrize("size", [0.0, 0.3, 1.0, 10.0])
@pytest.mark.parametrize("dimensions", [1, 3, 200])
def test_squared_norms_are_unbiased_and_covered(size: float, dimensions: int) -> None:
    rng, repetitions = np.random.default_rng(3), 2000
    scales = np.linspace(0.5, 1.5, dimensions)
    mean = np.full(dimensions, size / np.sqrt(dimensions))
    values, covered = np.empty(repetitions), 0
    for r in range(repetitions):
        vectors = mean + scales * rng.normal(size=(GROUPS, dimensions))
        estimate = squared_norm_estimate(vectors @ vectors.T)
        values[r] = estimate.value
        # What a figure shows: a square, so that a negative end is 0.
        covered += max(estimate.low, 0.0) <= size**2 <= max(estimate.high, 0.0)
    assert abs(values.mean() - size**2) < 4 * values.std() / np.sqrt(repetitions)
    assert 0.915 < covered / repetitions < 0.98


def test_the_mean_off_the_diagonal() -> None:
    grams = np.random.default_rng(4).normal(size=(3, 5, 5))
    expected = [gram[~np.eye(5, dtype=bool)].mean() for gram in grams]
    np.testing.assert_allclose(off_diagonal_mean(grams), expected, rtol=1e-12)


def test_groups_without_noise_give_a_point() -> None:
    assert squared_norm_estimate(np.full((GROUPS, GROUPS), 4.0)) == (4.0, 4.0, 4.0)
    assert mean_estimate(np.zeros(GROUPS), positive=True) == (0.0, 0.0, 0.0)


def test_an_interval_on_the_log_scale_agrees_with_the_plain_one_where_it_is_narrow() -> None:
    low, high = positive_interval(5.0, 0.001)[1:]
    np.testing.assert_allclose([low, high], 5 + 0.001 * QUANTILE * np.array([-1, 1]), rtol=1e-6)
    assert 0 < positive_interval(1.0, 10.0).low < 1e-6


def test_the_jackknife_of_a_mean_is_its_standard_error_and_of_a_ratio_the_delta_method() -> None:
    rng = np.random.default_rng(5)
    above, below = rng.normal(2, 1, 400), rng.normal(9, 1, 400)
    error = examples_error(lambda mean: mean, above)
    assert error is not None
    np.testing.assert_allclose(error, standard_error_of_mean(above), rtol=1e-12)
    ratio = above.mean() / below.mean()
    expected = standard_error_of_mean((above - ratio * below) / below.mean())
    found = examples_error(lambda a, b: a / b, above, below)
    assert found is not None
    np.testing.assert_allclose(found, expected, rtol=0.01)
    assert examples_error(lambda mean: mean, above[:1]) is None
