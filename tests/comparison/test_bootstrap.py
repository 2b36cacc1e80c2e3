"""The bootstrap over lines: against a formula, paired, and the same however it is cut up."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sstrain.comparison import bootstrap
from sstrain.comparison.bootstrap import bootstrap_log_losses


def lines(num_lines: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    counts = generator.integers(1, 30, num_lines)
    rates = generator.normal(4, 1, (2, num_lines)) + 0.03 * counts
    return rates * counts, counts


def test_the_error_is_that_of_a_ratio_of_sums() -> None:
    losses, counts = lines(500, seed=1)
    ratio = losses.sum(axis=1) / counts.sum()
    replicates = bootstrap_log_losses(losses, counts, replicates=20_000)
    residuals = losses - ratio[:, np.newaxis] * counts
    by_formula = np.sqrt((residuals**2).sum(axis=1)) / counts.sum()
    assert replicates.shape == (20_000, 2)
    # The standard error of a standard deviation from 20,000 replicates is 0.5% of it.
    np.testing.assert_allclose(replicates.std(axis=0), by_formula, rtol=0.025)
    np.testing.assert_allclose(replicates.mean(axis=0), ratio, atol=0.1 * by_formula.max())


def test_all_arms_see_the_same_lines() -> None:
    losses, counts = lines(100, seed=2)
    losses[1] = losses[0] + 0.25 * counts
    replicates = bootstrap_log_losses(losses, counts)
    assert replicates[:, 0].std() > 0.01
    np.testing.assert_allclose(replicates[:, 1] - replicates[:, 0], 0.25, rtol=1e-10)


def test_long_lines_weigh_more() -> None:
    counts = np.array([1000, 1, 1])
    replicates = bootstrap_log_losses(np.array([[1000.0, 5.0, 5.0]]), counts)
    without_it = np.isclose(replicates[:, 0], 5.0)
    assert without_it.mean() == pytest.approx((2 / 3) ** 3, abs=0.04)
    assert replicates[~without_it].max() < 1.01


def test_it_is_the_same_each_time_and_however_it_is_cut_up(monkeypatch: pytest.MonkeyPatch) -> None:
    losses, counts = lines(50, seed=3)
    whole = bootstrap_log_losses(losses, counts, replicates=101)
    np.testing.assert_array_equal(whole, bootstrap_log_losses(losses, counts, replicates=101))
    for at_once in (1, 350, 1000):
        monkeypatch.setattr(bootstrap, "_DRAWN", at_once)
        in_parts = bootstrap_log_losses(losses, counts, replicates=101)
        np.testing.assert_allclose(in_parts, whole, rtol=1e-12)
    assert not np.array_equal(whole, bootstrap_log_losses(losses, counts, replicates=101, seed=1))
