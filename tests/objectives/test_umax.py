"""U-max against its float64 reference."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference.examples import make_q, make_scores
from reference.numeric import central_differences
from reference.softmax import log_partition
from reference.umax import sampled_sum, umax, umax_loss
from umax_calls import NO_HIT, gradient, one

from sstrain.objectives.umax import Umax


@pytest.mark.parametrize("delta", [0.5, None])
def test_losses_gradients_and_u_equal_the_reference(delta: float | None) -> None:
    rng = np.random.default_rng(3)
    size, num_samples = 40, 7
    scores = rng.normal(0, 2, (size, num_samples)).astype(np.float32).astype(np.float64)
    targets = rng.normal(0, 2, size).astype(np.float32).astype(np.float64)
    hits = rng.integers(-1, num_samples, size)
    held = hits >= 0
    targets[held] = scores[held, hits[held]]
    u = rng.uniform(0, 4, size).astype(np.float32).astype(np.float64)
    u[::5] = -np.inf
    multiplicity = rng.integers(1, 4, scores.shape).astype(np.float64)
    log_counts = rng.normal(0, 1, scores.shape).astype(np.float32).astype(np.float64)
    weights = rng.uniform(0.5, 2, size).astype(np.float32)
    objective = Umax(delta=delta, u_rate=0.4)
    found = gradient(objective, u, targets, scores, multiplicity, log_counts, hits, weights)
    assert found.bad == 0
    raised = 0
    for i in range(size):
        # The target is class K where it was not drawn.
        all_scores = np.append(scores[i], targets[i])
        target = hits[i] if held[i] else num_samples
        drawn = np.arange(num_samples)
        draw = drawn, multiplicity[i], log_counts[i]
        limit = np.inf if delta is None else delta
        expected = umax(all_scores, target, *draw, u[i], 0.4, limit)
        raised += expected.loss != umax(all_scores, target, *draw, u[i], 0.4, np.inf).loss
        written = np.append(found.d_scores[i], 0.0)
        written[target] += found.d_targets[i]
        np.testing.assert_allclose(found.losses[i], expected.loss, rtol=2e-6, atol=2e-6)
        np.testing.assert_allclose(found.u[i], expected.u, rtol=2e-6, atol=2e-6)
        share = weights[i] / size
        np.testing.assert_allclose(written, share * expected.d_scores, rtol=5e-6, atol=1e-7)
    assert (raised > 0) == (delta is not None)


def test_the_gradient_is_the_derivative_of_the_loss() -> None:
    terms = np.array([0.3, -1.2, 0.9])
    found = one(Umax(delta=None), 1.4, terms)

    def loss(point: NDArray[np.float64]) -> float:
        return umax_loss(1.4, float(np.sum(np.exp(point[:-1] - point[-1]))))

    expected = central_differences(loss, np.append(terms, 0.0))
    written = np.append(found.d_scores[0], found.d_targets[0])
    np.testing.assert_allclose(written, expected, rtol=2e-6)


@pytest.mark.parametrize("excess", [0.0, 0.7, -0.7])
def test_enumerating_all_draws_gives_the_exact_gradient_times_a_factor(excess: float) -> None:
    num_classes, target = 4, 1
    scores = make_scores(num_classes).astype(np.float32).astype(np.float64)
    q, best = make_q(num_classes), log_partition(scores) - scores[target]
    total, mean_loss = np.zeros(num_classes), 0.0
    for draw in product(range(num_classes), repeat=2):
        chance = float(np.prod(q[list(draw)]))
        drawn, multiplicity = np.unique(draw, return_counts=True)
        padded = np.zeros((1, 2))
        classes, counts, log_counts = padded.copy(), padded.copy(), padded.copy()
        used = len(drawn)
        classes[0, :used], counts[0, :used] = drawn, multiplicity
        log_counts[0, :used] = np.log(2 * q[drawn])
        place = np.flatnonzero(drawn == target)
        hits = [int(place[0]) if len(place) else NO_HIT]
        found = gradient(
            # The best u is never raised, whatever was drawn.
            Umax(delta=None if excess else 1e-6),
            [best + excess],
            [scores[target]],
            scores[classes[:, :used].astype(int)],
            counts[:, :used],
            log_counts[:, :used],
            hits,
        )
        total[target] += chance * float(found.d_targets[0])
        np.add.at(total, drawn, chance * found.d_scores[0].astype(np.float64))
        mean_loss += chance * float(found.losses[0])
    exact = np.exp(scores - log_partition(scores))
    exact[target] -= 1
    np.testing.assert_allclose(total, np.exp(-excess) * exact, atol=1e-6)
    expected = best + excess + np.expm1(-excess)
    assert mean_loss == pytest.approx(expected, abs=1e-6)
    assert mean_loss >= best - 1e-6


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=6), st.floats(0, 20), st.floats(0, 5))
@settings(max_examples=200, deadline=None)
def test_raising_u_lowers_the_mean_loss(others: list[float], u: float, rest: float) -> None:
    # The classes that were not drawn add `rest` to the sum; m_j = 1 and nothing moves u else.
    objective = Umax(delta=1.0, u_rate=1e-9)
    raised = float(one(objective, u, others).u[0])
    whole = float(np.sum(np.exp(np.asarray(others, np.float32), dtype=np.float64))) + rest
    best = np.log1p(whole)
    assert raised >= np.float32(u) - 1e-6
    if raised > u + 1e-3:
        assert u < best - 1
        assert raised <= best + 1e-4
        assert umax_loss(raised, whole) < umax_loss(u, whole)


def test_huge_scores_and_tiny_counts_stay_finite() -> None:
    for objective in (Umax(), Umax(implicit=True)):
        found = gradient(
            objective,
            [-np.inf, 3.0, 3.0, -np.inf],
            [1e4, -1e4, 0.0, 0.0],
            [[-1e4, 1e4], [1e4, 0], [0, 0], [1, 2]],
            np.ones((4, 2)),
            [[np.log(2e-30), 0]] * 4,
            [NO_HIT] * 4,
            rate=1.0,
        )
        assert found.bad == 0
        for array in (found.losses, found.d_targets, found.d_scores, found.u):
            assert np.isfinite(array).all()


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_what_is_not_finite_is_counted_and_leaves_u_alone(implicit: bool, poison: float) -> None:
    found = gradient(
        Umax(implicit=implicit),
        [1.0, 1.0, 1.0],
        [0, 0, poison],
        [[0], [poison], [0]],
        np.ones((3, 1)),
        np.zeros((3, 1)),
        [NO_HIT] * 3,
        rate=1.0,
    )
    assert found.bad == 2
    assert found.u[1:].tolist() == [1.0, 1.0]


def test_reference_sum_leaves_the_target_out() -> None:
    drawn, ones = np.array([0, 1]), np.ones(2)
    assert sampled_sum(np.zeros(3), 1, drawn, ones, np.zeros(2)) == pytest.approx(1)
