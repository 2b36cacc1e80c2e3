"""The contract of every sampled objective in the registry: its gradients are those of its loss."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from objective_cases import CASES, Case, all_draws, call
from reference.examples import make_q, make_scores
from reference.numeric import central_differences
from reference.softmax import probabilities

from sstrain import kernels

Floats = NDArray[np.float64]

V, K, B = 9, 6, 24

every_objective = pytest.mark.parametrize("case", CASES, ids=str)


def draws(groups: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return K draws for each group, repetitions among them, and log expected counts."""
    rng = np.random.default_rng(seed)
    q = rng.dirichlet(np.ones(V), groups)
    times = np.array([rng.multinomial(K, row) for row in q])
    return times, np.log(K * q).astype(np.float32)


@every_objective
@pytest.mark.parametrize("groups", [1, B])
def test_losses_and_gradients_are_those_of_the_plain_loss(case: Case, groups: int) -> None:
    rng = np.random.default_rng(5)
    scores = (2 * rng.normal(size=(B, V))).astype(np.float32)
    targets = rng.integers(0, V, B).astype(np.int32)
    weights = rng.uniform(0.5, 2, B).astype(np.float32)
    times, log_counts = draws(groups, seed=6)
    assert times.max() > 1
    found = call(case, scores, targets, times, log_counts, weights)
    assert found.bad == 0
    hits = 0
    for i in range(B):
        g = 0 if groups == 1 else i
        target = int(targets[i])
        hits += int(times[g, target] > 0)
        draw = target, times[g].astype(float), log_counts[g].astype(float)
        point = scores[i].astype(float)
        assert found.losses[i] == pytest.approx(case.loss(point, *draw), rel=3e-6)
        expected = central_differences(lambda z, draw=draw: case.loss(z, *draw), point)  # type: ignore[misc]
        np.testing.assert_allclose(
            found.d_scores[i],
            weights[i] / B * expected,
            rtol=5e-5,
            atol=2e-6 * np.abs(expected).max(),
        )
    assert 0 < hits < B


@every_objective
def test_the_expected_gradient_over_all_draws_is_that_of_the_expected_loss(case: Case) -> None:
    scores, q, target = make_scores(4), make_q(4), 2
    log_counts = np.log(2 * q)
    outcomes = all_draws(q, 2)
    chances = np.array([chance for chance, _ in outcomes])
    assert len(outcomes) == 16

    def expected_loss(z: Floats) -> float:
        losses = [case.loss(z, target, times.astype(float), log_counts) for _, times in outcomes]
        return float(chances @ np.array(losses))

    found = call(
        case,
        np.tile(scores, (16, 1)).astype(np.float32),
        np.full(16, target, np.int32),
        np.array([times for _, times in outcomes]),
        np.tile(log_counts, (16, 1)).astype(np.float32),
    )
    assert chances @ found.losses == pytest.approx(expected_loss(scores), rel=1e-5)
    mean = 16 * chances @ found.d_scores
    np.testing.assert_allclose(
        mean, central_differences(expected_loss, scores), rtol=1e-5, atol=2e-6
    )


def logistic(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def told_from_noise(scores: Floats, shift: Floats, target: int, q: Floats) -> Floats:
    """Return ``K q_j s(z_j - shift_j)`` of every class, less ``1 - s(z_c - shift_c)``."""
    expected = 2 * q * logistic(scores - shift)
    expected[target] -= 1 - logistic(scores - shift)[target]
    return np.asarray(expected)


def one_against_each(scores: Floats, target: int, q: Floats) -> Floats:
    """Return the gradient of the sum of all pairs, whatever q is."""
    expected = logistic(scores - scores[target])
    expected[target] = -(expected.sum() - expected[target])
    return expected


def scaled_exact(scores: Floats, target: int, q: Floats) -> Floats:
    """Return the gradient of the log-loss times ``exp(log Z - z_c - u)``."""
    expected = probabilities(scores)
    scale = np.exp(-scores[target] - 1.3) * np.sum(np.exp(scores))
    expected[target] -= 1
    return np.asarray(scale * expected)


CLOSED_FORMS: dict[str, Callable[[Floats, int, Floats], Floats]] = {
    "nce": lambda scores, target, q: told_from_noise(scores, np.log(2 * q), target, q),
    "negative_sampling": lambda scores, target, q: told_from_noise(scores, 0 * q, target, q),
    "one_vs_each": one_against_each,
    "umax": scaled_exact,
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_expected_gradients_that_have_a_closed_form(name: str) -> None:
    case = next(case for case in CASES if case.type == name)
    scores, q = make_scores(4), make_q(4)
    for target in range(4):
        mean = np.zeros(4)
        for chance, times in all_draws(q, 2):
            point = scores[np.newaxis].astype(np.float32)
            log_counts = np.log(2 * q)[np.newaxis].astype(np.float32)
            found = call(case, point, np.array([target], np.int32), times[np.newaxis], log_counts)
            mean += chance * found.d_scores[0]
        np.testing.assert_allclose(mean, CLOSED_FORMS[name](scores, target, q), atol=2e-6)


@every_objective
def test_threads_and_company_do_not_change_a_bit(case: Case) -> None:
    rng = np.random.default_rng(7)
    scores = rng.normal(size=(B, V)).astype(np.float32)
    targets = rng.integers(0, V, B).astype(np.int32)
    times, log_counts = draws(B, seed=8)
    found = []
    for threads in (1, 2):
        kernels.use_threads(threads)
        found.append(call(case, scores, targets, times, log_counts))
    assert np.array_equal(found[0].losses, found[1].losses)
    assert np.array_equal(found[0].d_scores, found[1].d_scores)
    half = call(case, scores[:12], targets[:12], times[:12], log_counts[:12])
    assert np.array_equal(half.losses, found[0].losses[:12])


@every_objective
def test_huge_scores_and_tiny_probabilities_stay_finite(case: Case) -> None:
    if case.type == "umax":
        case = Case("umax")  # with delta null it is plain SGD, which exp(2e4) has no number for
    scores = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0], [0, 1e4, -1e4], [0, 0, 0]], np.float32)
    for target in range(3):
        for tiny in range(3):
            q = np.full(3, 0.5)
            q[tiny] = 1e-30
            for times in ([1, 1, 1], [2, 1, 0], [0, 0, 3]):
                found = call(
                    case,
                    scores,
                    np.full(4, target, np.int32),
                    np.array([times]),
                    np.log(3 * q)[np.newaxis].astype(np.float32),
                )
                assert found.bad == 0
                assert np.isfinite(found.losses).all()
                assert np.isfinite(found.d_scores).all()
                if case.type != "umax":  # whose loss may be below 0 for a u that is not the best
                    assert (found.losses >= 0).all()


@every_objective
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_counted(case: Case, poison: float) -> None:
    scores = np.zeros((4, 3), np.float32)
    scores[1, 0] = poison  # the target of all
    scores[2, 1] = poison  # drawn
    scores[3, 2] = poison  # neither
    times, log_counts = np.array([[0, 2, 0]]), np.zeros((1, 3), np.float32)
    found = call(case, scores, np.zeros(4, np.int32), times, log_counts)
    # A candidate's score of -inf has weight 0, as one that is left out.
    assert found.bad == (1 if poison == -np.inf else 2)
    assert np.isfinite(found.losses[[0, 3]]).all()


@every_objective
def test_the_forecast_is_what_the_state_takes(case: Case) -> None:
    state = case.objective.state(1000)
    assert case.objective.memory_bytes(1000) == sum(array.nbytes for array in state.values())


@every_objective
def test_the_loss_of_equal_scores_is_near_what_it_is_said_to_be(case: Case) -> None:
    num_classes, num_samples = 50, 5
    objective = case.objective
    said = objective.uniform_loss(num_classes, num_samples)
    level = -np.log(num_classes) if case.type == "nce" else 0.0
    log_counts = np.full((1, num_classes), np.log(num_samples / num_classes), np.float32)
    times = np.bincount(np.arange(1, 6), minlength=num_classes)[np.newaxis]
    scores = np.full((1, num_classes), level, np.float32)
    found = call(case, scores, np.zeros(1, np.int32), times, log_counts)
    # Twice: what the check of diverging runs, which allows ten times as much, can do without.
    assert said / 2 <= found.losses[0] <= 2 * said
