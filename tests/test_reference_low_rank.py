"""The reference of the low-rank layout against central differences."""

import numpy as np
import pytest
from reference.low_rank import Factors, gradients, pooling_factors, scores
from reference.numeric import central_differences, relative_error
from reference.softmax import exact_d_scores, exact_loss

B, D, V, R = 4, 6, 5, 3
TARGETS = [1, 4, 0, 1]


def problem() -> tuple[np.ndarray, Factors, np.ndarray]:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(B, D)) * (rng.random((B, D)) < 0.6)
    factors = Factors(rng.normal(size=(D, R)), rng.normal(size=(V, R)), rng.normal(size=V))
    entries = np.count_nonzero(rows, axis=1)
    return rows, factors, pooling_factors(entries, True, rng.random((B, R)) < 0.5, 0.5)


def loss(rows: np.ndarray, factors: Factors, pooling: np.ndarray) -> float:
    found = scores(rows, factors, pooling)
    return float(np.mean([exact_loss(z, c) for z, c in zip(found, TARGETS, strict=True)]))


def test_equations_42_43_of_one_feature_are_products_of_vectors() -> None:
    _, factors, _ = problem()
    ones = pooling_factors(np.ones(D, np.int64), False, np.ones((D, R), bool), 0.0)
    expected = np.einsum("fk,ik->fi", factors.features, factors.classes) + factors.bias
    np.testing.assert_allclose(scores(np.eye(D), factors, ones), expected)


def test_equation_43_leaves_the_mean_as_it_is() -> None:
    kept = np.random.default_rng(1).random((20_000, R)) < 0.7
    found = pooling_factors(np.full(20_000, 4), True, kept, 0.3)
    assert set(np.unique(found)) == {0.0, 1 / 0.7 / 4}
    assert found.mean(axis=0) == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize("name", ["features", "classes", "bias"])
def test_equations_44_45_46_gradients(name: str) -> None:
    rows, factors, pooling = problem()
    found = scores(rows, factors, pooling)
    d_scores = np.array([exact_d_scores(z, c) for z, c in zip(found, TARGETS, strict=True)]) / B
    expected = central_differences(
        lambda point: loss(rows, factors._replace(**{name: point}), pooling),
        getattr(factors, name),
    )
    gradient = getattr(gradients(rows, factors, pooling, d_scores), name)
    assert relative_error(gradient, expected) < 1e-9
