"""The references' gradients against central differences.

Each test names the equations of docs/derivation.md that it checks.
"""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import gradients, importance, softmax
from reference.examples import make_q, make_scores
from reference.numeric import central_differences, relative_error

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NUM_CLASSES = 7
#: Places of a draw: class 4 twice, class 2 (the target of most tests) twice.
DRAWN = np.array([4, 2, 0, 4, 5, 2])
TARGET = 2
TOLERANCE = 1e-8


def make_draw(hits: str) -> tuple[Ints, Floats]:
    if hits == "resample":
        drawn = DRAWN[DRAWN != TARGET]
        return drawn, importance.log_counts_resample(make_q(NUM_CLASSES), drawn, TARGET)
    return DRAWN, importance.log_counts_with_replacement(make_q(NUM_CLASSES), DRAWN)


# The exact softmax


@pytest.mark.parametrize("target", range(NUM_CLASSES))
def test_equations_3_4_exact_score_gradient(target: int) -> None:
    scores = make_scores(NUM_CLASSES)
    expected = central_differences(lambda z: softmax.exact_loss(z, target), scores)
    found = softmax.exact_d_scores(scores, target)
    assert relative_error(found, expected) < TOLERANCE
    assert found[target] < 0
    assert np.all(np.delete(found, target) > 0)


def test_equation_2_survives_large_scores() -> None:
    scores = np.array([1e4, 1e4 - 1, -1e4])
    assert softmax.exact_loss(scores, 1) == pytest.approx(1 + math.log1p(math.exp(-1)))
    assert softmax.exact_loss(scores, 2) == pytest.approx(2e4 + math.log1p(math.exp(-1)))


# The importance-sampled softmax


@pytest.mark.parametrize("hits", ["drop", "keep", "resample"])
@pytest.mark.parametrize("target", [TARGET, 3])
def test_equations_9_10_15_16_sampled_score_gradient(hits: str, target: int) -> None:
    """With a class drawn twice; the target drawn twice (2) or never (3)."""
    drawn, log_counts = make_draw(hits)
    scores = make_scores(NUM_CLASSES)

    def loss(z: Floats) -> float:
        return importance.importance(z, target, drawn, log_counts, hits).loss

    found = importance.importance(scores, target, drawn, log_counts, hits).d_scores
    assert relative_error(found, central_differences(loss, scores)) < TOLERANCE
    assert np.all(np.delete(found, target) >= 0)
    untouched = [j for j in range(NUM_CLASSES) if j != target and j not in drawn]
    assert np.all(found[untouched] == 0)


def test_equation_10_counts_a_class_drawn_twice_twice() -> None:
    drawn, log_counts = make_draw("drop")
    scores, q = make_scores(NUM_CLASSES), make_q(NUM_CLASSES)
    sampled = importance.importance(scores, TARGET, drawn, log_counts)
    estimate = importance.partition_estimate(scores, TARGET, drawn, log_counts)
    expected = 2 * np.exp(scores[4]) / (len(drawn) * q[4]) / estimate
    assert sampled.d_scores[4] == pytest.approx(expected, rel=1e-12)


def test_equation_15_keeps_the_hits_share() -> None:
    drawn, log_counts = make_draw("keep")
    scores, q = make_scores(NUM_CLASSES), make_q(NUM_CLASSES)
    sampled = importance.importance(scores, TARGET, drawn, log_counts, "keep")
    estimate = importance.partition_estimate(scores, TARGET, drawn, log_counts, "keep")
    share = np.exp(scores[TARGET]) / estimate
    expected = share - 1 + 2 / (len(drawn) * q[TARGET]) * share
    assert sampled.d_scores[TARGET] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("hits", ["drop", "keep", "resample"])
def test_equations_7_8_loss_is_the_log_of_the_estimate(hits: str) -> None:
    drawn, log_counts = make_draw(hits)
    scores = make_scores(NUM_CLASSES)
    estimate = importance.partition_estimate(scores, TARGET, drawn, log_counts, hits)
    sampled = importance.importance(scores, TARGET, drawn, log_counts, hits)
    assert sampled.loss == pytest.approx(math.log(estimate) - scores[TARGET], rel=1e-12)


def test_equation_23_survives_tiny_q_and_large_scores() -> None:
    scores = np.array([1e4, -1e4, 0.0, 5.0])
    drawn = np.array([1, 3, 3])
    log_counts = np.log(3) + np.array([math.log(1e-30), math.log(0.4), math.log(0.4)])
    for target in range(4):
        sampled = importance.importance(scores, target, drawn, log_counts)
        assert math.isfinite(sampled.loss)
        assert np.all(np.isfinite(sampled.d_scores))
    # The class of probability 1e-30 alone: log(exp(-1e4) / 3e-30) = -1e4 + 30 log 10 - log 3.
    alone = importance.importance(scores[[1, 1]], 0, np.array([1]), log_counts[:1])
    assert alone.loss == pytest.approx(np.logaddexp(0, 30 * math.log(10) - math.log(3)))


def test_slip_of_the_sign() -> None:
    """For i != c the gradient is positive; the derivation's first draft had a minus."""
    drawn, log_counts = make_draw("drop")
    scores = make_scores(NUM_CLASSES)
    expected = central_differences(
        lambda z: importance.importance(z, TARGET, drawn, log_counts).loss, scores
    )
    assert expected[4] > 0
    exact = central_differences(lambda z: softmax.exact_loss(z, TARGET), scores)
    assert np.all(np.delete(exact, TARGET) > 0)


# Batches


def make_batch() -> tuple[Floats, Floats, Floats, Ints, Floats]:
    rng = np.random.default_rng(9)
    indptr = np.array([0, 2, 2, 5])
    indices = np.array([0, 3, 1, 2, 3])
    values = rng.normal(size=5)
    rows = gradients.dense_rows(indptr, indices, values, 4)
    weight = rng.normal(size=(4, NUM_CLASSES))
    bias = rng.normal(size=NUM_CLASSES)
    return rows, weight, bias, np.array([2, 5, 1]), np.array([1.0, 0.5, 3.0])


@pytest.mark.parametrize("hits", ["exact", "drop", "keep"])
def test_equations_1_5_6_11_12_24_25_batch_gradients(hits: str) -> None:
    """A batch with shared candidates, an empty row, weights; targets drawn and not drawn."""
    rows, weight, bias, targets, example_weights = make_batch()
    drawn, log_counts = make_draw("drop")

    def example(scores: Floats, target: int) -> tuple[float, Floats]:
        if hits == "exact":
            return softmax.exact_loss(scores, target), softmax.exact_d_scores(scores, target)
        sampled = importance.importance(scores, target, drawn, log_counts, hits)
        return sampled.loss, sampled.d_scores

    def loss(weight: Floats, bias: Floats) -> float:
        scores = gradients.batch_scores(rows, weight, bias)
        losses = [example(z, c)[0] for z, c in zip(scores, targets, strict=True)]
        return gradients.batch_loss(np.array(losses), example_weights)

    scores = gradients.batch_scores(rows, weight, bias)
    d_scores = np.stack([example(z, c)[1] for z, c in zip(scores, targets, strict=True)])
    d_weight, d_bias = gradients.dense_gradients(rows, d_scores, example_weights)
    expected_weight = central_differences(lambda w: loss(w, bias), weight)
    expected_bias = central_differences(lambda b: loss(weight, b), bias)
    assert relative_error(d_weight, expected_weight) < TOLERANCE
    assert relative_error(d_bias, expected_bias) < TOLERANCE
    if hits != "exact":
        assert np.all(d_weight[:, [3, 6]] == 0)  # neither drawn nor a target
