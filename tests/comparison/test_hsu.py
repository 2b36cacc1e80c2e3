"""Dunnett's critical values, the two-way fit, and that the intervals hold all at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from sstrain.comparison.hsu import (
    best_intervals,
    could_be_best,
    critical_value,
    fit_seeds,
    fit_two_way,
    pair_errors,
)

Float64 = NDArray[np.float64]

#: The upper 5% points of Dunnett (1955, table 1a), by degrees of freedom, for 1 to 9 comparisons.
ONE_SIDED = {
    5: (2.02, 2.44, 2.68, 2.85, 2.98, 3.08, 3.16, 3.24, 3.30),
    10: (1.81, 2.15, 2.34, 2.47, 2.56, 2.64, 2.70, 2.76, 2.81),
    20: (1.72, 2.03, 2.19, 2.30, 2.39, 2.46, 2.51, 2.56, 2.60),
    np.inf: (1.64, 1.92, 2.06, 2.16, 2.23, 2.29, 2.34, 2.38, 2.42),
}
#: Two-sided 5% points (Dunnett 1964) for 1 to 5 comparisons.
TWO_SIDED = {
    10: (2.23, 2.57, 2.76, 2.89, 2.99),
    20: (2.09, 2.38, 2.54, 2.65, 2.73),
    np.inf: (1.96, 2.21, 2.35, 2.44, 2.51),
}


@pytest.mark.parametrize("df", ONE_SIDED)
def test_critical_values_are_dunnetts(df: float) -> None:
    found = [critical_value(count, df) for count in range(1, 10)]
    # The table rounds to two places, some of them up.
    assert np.abs(np.subtract(found, ONE_SIDED[df])).max() <= 0.0055


@pytest.mark.parametrize("df", TWO_SIDED)
def test_two_sided_critical_values_are_dunnetts(df: float) -> None:
    found = [critical_value(count, df, two_sided=True) for count in range(1, 6)]
    assert np.abs(np.subtract(found, TWO_SIDED[df])).max() <= 0.0055


@pytest.mark.parametrize("df", [1, 2, 7, 200])
def test_one_comparison_is_a_t_test(df: int) -> None:
    assert critical_value(1, df) == pytest.approx(stats.t.ppf(0.95, df), abs=3e-6)
    two_sided = critical_value(1, df, level=0.9, two_sided=True)
    assert two_sided == pytest.approx(stats.t.ppf(0.95, df), abs=3e-6)


@pytest.mark.parametrize(("count", "df"), [(3, 7), (6, 2), (8, 30)])
def test_critical_values_agree_with_scipys_multivariate_t(count: int, df: int) -> None:
    shape = np.full((count, count), 0.5) + np.eye(count) / 2
    law = stats.multivariate_t(shape=shape, df=df, seed=1)
    below = float(law.cdf(np.full(count, critical_value(count, df)), maxpts=200_000))
    assert below == pytest.approx(0.95, abs=3e-4)


def grid(num_arms: int, num_seeds: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    arms, seeds = np.indices((num_arms, num_seeds))
    return arms.ravel(), seeds.ravel()


def test_a_complete_fit_has_plain_means_and_the_interaction_as_residual() -> None:
    table = np.random.default_rng(1).normal(4, 1, (4, 3))
    fit = fit_two_way(*grid(4, 3), table.ravel())
    centred = table - table.mean(axis=1, keepdims=True)
    interaction = centred - centred.mean(axis=0)
    assert fit.df == 6
    np.testing.assert_allclose(fit.means, table.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(fit.residuals, interaction.ravel(), atol=1e-12)
    np.testing.assert_allclose(fit.covariance, np.eye(4) / 3, atol=1e-12)
    assert fit.variance == pytest.approx((interaction**2).sum() / 6)


def test_missing_cells_are_fitted_by_differences() -> None:
    effects, seeds = np.array([4.0, 4.1, 4.3]), np.array([-0.2, 0.0, 0.2])
    table = effects[:, np.newaxis] + seeds
    present = np.array([[True] * 3, [True, True, False], [False, False, True]])
    arms, places = np.nonzero(present)
    fit = fit_two_way(arms, places, table[present])
    assert fit.connected
    assert fit.df == 1
    np.testing.assert_allclose(fit.means, effects, atol=1e-12)
    np.testing.assert_allclose(fit.weights @ table[present], fit.means, atol=1e-12)


def test_variances_of_a_fit_with_missing_cells_agree_with_simulation() -> None:
    generator = np.random.default_rng(2)
    present = np.array([[True] * 3, [True, True, False], [False, True, True]])
    arms, places = np.nonzero(present)
    variances = np.array([1.0, 4.0, 0.25])
    fit = fit_two_way(arms, places, np.zeros(7), variances)
    noise = generator.normal(0, np.sqrt(variances)[arms], (40_000, 7))
    np.testing.assert_allclose(
        np.cov(noise @ fit.weights.T, rowvar=False), fit.covariance, atol=0.06
    )


def test_arms_that_no_seed_links_are_fitted_without_seeds() -> None:
    fit = fit_two_way(np.array([0, 0, 1]), np.array([0, 1, 2]), np.array([1.0, 3.0, 5.0]))
    assert not fit.connected
    np.testing.assert_allclose(fit.means, [2.0, 5.0])


def test_sigma_is_the_contenders() -> None:
    generator = np.random.default_rng(3)
    near, far = generator.normal(4, 0.001, (5, 3)), generator.normal(5, 0.3, (2, 3))
    table = np.vstack([near, far])
    fit = fit_seeds(*grid(7, 3), table.ravel())
    alone = fit_two_way(*grid(5, 3), near.ravel())
    assert fit.contenders.tolist() == [True] * 5 + [False] * 2
    assert fit.df == 8
    assert fit.sigma == pytest.approx(alone.variance**0.5)
    assert fit.sigma_all is not None
    assert fit.covariance is not None
    assert fit.sigma_all > 10 * alone.variance**0.5
    np.testing.assert_allclose(np.diag(fit.covariance)[:5], alone.variance / 3)
    assert (np.diag(fit.covariance)[5:] >= table[5:].var(axis=1, ddof=1) / 3 - 1e-12).all()
    np.testing.assert_allclose(fit.means, table.mean(axis=1))


def test_a_lone_contender_is_pooled_with_all() -> None:
    table = np.random.default_rng(4).normal([[4.0], [5.0], [5.1]], 0.01, (3, 3))
    fit = fit_seeds(*grid(3, 3), table.ravel())
    assert fit.contenders.all()
    assert fit.df == 4


def test_one_seed_has_no_error() -> None:
    fit = fit_seeds(*grid(3, 1), np.array([4.0, 4.1, 4.2]))
    assert fit.covariance is None
    assert fit.sigma is None
    np.testing.assert_allclose(fit.means, [4.0, 4.1, 4.2])


def test_intervals_of_a_known_case() -> None:
    errors = np.full((3, 3), 1.0)
    low, high = best_intervals(np.array([1.0, 2.0, 9.0]), errors, 2.0)
    # The third is certainly not the best, so that no one is held against it.
    np.testing.assert_allclose(low, [-3.0, -1.0, 0.0])
    np.testing.assert_allclose(high, [1.0, 3.0, 10.0])
    assert could_be_best(np.array([1.0, 2.0, 9.0]), errors, 2.0).tolist() == [True, True, False]


def test_a_clear_best_has_an_interval_that_ends_at_0() -> None:
    low, high = best_intervals(np.array([1.0, 9.0]), np.ones((2, 2)), 2.0)
    np.testing.assert_allclose(low, [-10.0, 0.0])
    np.testing.assert_allclose(high, [0.0, 10.0])


def test_equal_arms_without_error_are_all_best() -> None:
    means, errors = np.array([1.0, 1.0, 2.0]), np.zeros((3, 3))
    assert could_be_best(means, errors, 2.0).tolist() == [True, True, False]
    assert [end.tolist() for end in best_intervals(means, errors, 2.0)] == [[0, 0, 0], [0, 0, 1]]


def covered(truth: Float64, sigmas: Float64, repetitions: int, seed: int) -> float:
    """Return how often all of the intervals held, for three seeds."""
    generator = np.random.default_rng(seed)
    num_arms = len(truth)
    apart = truth[:, np.newaxis] - truth + np.diag(np.full(num_arms, -np.inf))
    held = 0
    for _ in range(repetitions):
        effects = generator.normal(0, 0.05, 3)
        table = generator.normal(truth[:, np.newaxis] + effects, sigmas[:, np.newaxis])
        fit = fit_seeds(*grid(num_arms, 3), table.ravel())
        assert fit.covariance is not None
        d = critical_value(num_arms - 1, fit.df)
        low, high = best_intervals(fit.means, pair_errors(fit.covariance), d)
        held += bool(np.all((low <= apart.max(axis=1)) & (apart.max(axis=1) <= high)))
    return held / repetitions


def test_intervals_hold_at_once_as_often_as_said_where_the_best_is_clear() -> None:
    # Then Hsu's intervals are Dunnett's, whose level is exact.
    share = covered(np.array([4.0, 4.1, 4.1, 4.11, 4.12]), np.full(5, 0.01), 2000, seed=5)
    assert share == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 2000))


def test_intervals_hold_where_some_are_near_the_best() -> None:
    share = covered(np.array([4.0, 4.003, 4.01, 4.02, 4.1]), np.full(5, 0.01), 2000, seed=6)
    assert share >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 2000)


@pytest.mark.parametrize("sigma", [0.03, 0.3])
def test_intervals_hold_beside_an_arm_that_varies_more(sigma: float) -> None:
    sigmas = np.array([0.01] * 5 + [sigma])
    share = covered(np.array([4.0, 4.05, 4.1, 4.1, 4.12, 5.5]), sigmas, 2000, seed=7)
    assert share >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 2000)


@given(
    st.lists(st.floats(-5, 5), min_size=2, max_size=6),
    st.floats(-100, 100),
    st.floats(0.01, 3),
)
def test_intervals_know_differences_alone(values: list[float], constant: float, d: float) -> None:
    means = np.round(values, 3)
    errors = np.full((len(means), len(means)), 0.1003)
    low, high = best_intervals(means, errors, d)
    apart = means[:, np.newaxis] - means + np.diag(np.full(len(means), -np.inf))
    assert (low <= np.minimum(apart.max(axis=1), 0)).all()
    assert (high >= np.maximum(apart.max(axis=1), 0)).all()
    shifted = best_intervals(means + constant, errors, d)
    # A bound that is nearly 0 may change its side, and who may be the best with it.
    bounds = means[:, np.newaxis] - means - d * errors
    if np.abs(bounds[~np.eye(len(means), dtype=bool)]).min() > 1e-9:
        np.testing.assert_allclose(shifted, (low, high), atol=1e-9)
