"""Which scores each objective's expected loss is least at, for a context's own probabilities p."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from objective_cases import all_draws
from reference.objectives import SAMPLED_LOSSES
from scipy.optimize import minimize

Floats = NDArray[np.float64]

P = np.array([0.5, 0.3, 0.15, 0.05])
Q = np.array([0.1, 0.2, 0.3, 0.4])
K = 2


def best_scores(name: str, **plain: Any) -> Floats:
    """Return the scores that make the mean over targets of p and K draws of q least."""
    outcomes, log_counts = all_draws(Q, K), np.log(K * Q)

    def mean_loss(scores: Floats) -> float:
        return float(
            sum(
                p * chance * SAMPLED_LOSSES[name](scores, target, times, log_counts, **plain)
                for target, p in enumerate(P)
                for chance, times in outcomes
            )
        )

    found = minimize(mean_loss, np.zeros(4), method="BFGS", options={"gtol": 1e-7})
    return np.asarray(found.x)


def without_level(scores: Floats) -> Floats:
    return np.asarray(scores - scores.mean())


def test_nce_finds_the_log_probabilities_themselves() -> None:
    np.testing.assert_allclose(best_scores("nce"), np.log(P), atol=1e-4)


def test_nce_and_negative_sampling_without_hits_would_find_the_odds() -> None:
    odds = np.log(P / (1 - P))
    np.testing.assert_allclose(best_scores("nce", keep=False), odds, atol=1e-4)
    shifted = best_scores("negative_sampling", keep=False) + np.log(K * Q)
    np.testing.assert_allclose(shifted, odds, atol=1e-4)


def test_negative_sampling_is_shifted_by_the_log_of_the_expected_count() -> None:
    found = best_scores("negative_sampling")
    np.testing.assert_allclose(found, np.log(P) - np.log(K * Q), atol=1e-4)


def test_one_vs_each_finds_the_log_probabilities_up_to_a_level() -> None:
    found = best_scores("one_vs_each")
    np.testing.assert_allclose(without_level(found), without_level(np.log(P)), atol=1e-4)


@pytest.mark.parametrize("name", ["importance", "sampled_softmax", "blackout"])
def test_softmaxes_of_few_draws_are_biased(name: str) -> None:
    # What reports say of them: their best scores are the log-probabilities for many draws only.
    found = without_level(best_scores(name))
    assert np.abs(found - without_level(np.log(P))).max() > 0.05
