"""U-max's implicit step against the objective that it minimises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference.numeric import central_differences
from reference.umax import implicit_objective, umax_loss
from small import make_config
from umax_calls import NO_HIT, gradient, one

from sstrain.config.checks import conflicts
from sstrain.objectives.umax import Umax


@pytest.mark.parametrize("u", [-np.inf, 0.0, 2.5, 9.0])
@pytest.mark.parametrize("rate", [1e-3, 0.7, 50.0])
def test_an_implicit_step_minimises_the_proximal_objective(u: float, rate: float) -> None:
    from scipy.optimize import minimize

    terms = np.array([2.0, -1.0, 4.5, 0.5], np.float32).astype(np.float64)
    squared_norm = 2.5
    step_size = rate * (squared_norm + 1)
    objective = Umax(implicit=True, delta=None, u_rate=0.35)
    found = one(objective, u, terms, squared_norm=squared_norm, rate=rate)
    estimate = float(np.log1p(np.sum(np.exp(terms))))
    used = estimate if u == -np.inf else u

    # In units in which the proximal part is half the square of the distance.
    unit = np.sqrt(step_size)

    def value(point: NDArray[np.float64]) -> float:
        return implicit_objective(point * unit, used, terms, step_size)

    def slope(point: NDArray[np.float64]) -> NDArray[np.float64]:
        shares = np.exp(terms - used - point[:-1] * unit - point[-1] * unit)
        return np.asarray(point - unit * np.append(shares, shares.sum()))

    np.testing.assert_allclose(slope(np.ones(5)), central_differences(value, np.ones(5)), rtol=1e-6)
    best = minimize(value, np.zeros(5), jac=slope, tol=1e-10)
    written = unit * np.append(found.d_scores[0], -found.d_targets[0]).astype(np.float64)
    np.testing.assert_allclose(written, best.x, atol=2e-6 * np.max(np.abs(best.x)))
    assert np.max(np.abs(slope(written))) < 1e-5 * (1 + np.max(written))
    assert found.losses[0] == pytest.approx(umax_loss(used, np.expm1(estimate)), rel=1e-5)


def test_an_implicit_step_tends_to_the_explicit_one() -> None:
    terms = [1.0, -0.5, 2.0]
    explicit = one(Umax(delta=None), 1.5, terms)
    for rate, tolerance in ((0.0, 1e-6), (1e-6, 2e-5)):
        implicit = one(Umax(implicit=True, delta=None), 1.5, terms, rate=rate)
        np.testing.assert_allclose(implicit.d_scores, explicit.d_scores, rtol=tolerance)
        np.testing.assert_allclose(implicit.d_targets, explicit.d_targets, rtol=tolerance)
        np.testing.assert_array_equal(implicit.u, explicit.u)


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=8),
    st.floats(0, 100),
    st.floats(1e-6, 1e6),
)
@settings(max_examples=300, deadline=None)
def test_an_implicit_step_never_overshoots(terms: list[float], u: float, rate: float) -> None:
    """Along the step the loss falls all the way, and the slope at its end is the one used."""
    found = one(Umax(implicit=True, delta=None), u, terms, rate=rate)
    before, used = np.asarray(terms, np.float32).astype(np.float64), float(np.float32(u))
    slopes = found.d_scores[0].astype(np.float64)
    after = before + 2 * rate * (float(found.d_targets[0]) - slopes)
    assert (after <= before).all()
    scale = 2 * rate * float(np.max(slopes)) + np.max(np.abs(before)) + used
    there = np.exp(after - used)
    np.testing.assert_allclose(there, slopes, rtol=1e-5 * (1 + scale), atol=1e-30)


def test_implicit_steps_of_a_batch_that_shares_features_may_overshoot() -> None:
    """Each example's part is implicit by itself: those of copies add up to an explicit step."""
    terms, u, rate = np.array([6.0, 3.0]), 6.0, 40.0
    before = implicit_objective(np.zeros(3), u, terms, 2 * rate)
    after = []
    for copies in (1, 4000):
        found = gradient(
            Umax(implicit=True),
            [u] * copies,
            [0.0] * copies,
            [terms] * copies,
            np.ones((copies, 2)),
            np.zeros((copies, 2)),
            [NO_HIT] * copies,
            rate=rate,
        )
        falls = 2 * rate * found.d_scores.sum(axis=0, dtype=np.float64)
        rise = -2 * rate * found.d_targets.sum(dtype=np.float64)
        after.append(implicit_objective(np.append(falls, rise), u, terms, 2 * rate))
    assert after[0] < before < after[1]


@pytest.mark.parametrize(
    ("optimizer", "model"), [("sgd", "dense"), ("adagrad", "dense"), ("sgd", "low_rank")]
)
def test_an_implicit_step_is_for_plain_sgd_on_dense_weights(optimizer: str, model: str) -> None:
    config = make_config(
        objective={"type": "umax", "implicit": True},
        optimizer={"type": optimizer},
        model={"type": model},
    )
    found = [conflict for conflict in conflicts(config) if conflict.key[-1] == "implicit"]
    assert len(found) == (0 if (optimizer, model) == ("sgd", "dense") else 1)
