"""Exact expectations: against every draw, the reference's quadrature, simulation and expansions."""

from typing import Literal

import numpy as np
import pytest
from enumeration import Problem, true_figures
from numpy.typing import NDArray
from reference import importance
from reference.examples import make_q, zipf
from reference.importance_moments import distinct_classes, law, log_moments, moments
from reference.softmax import exact_d_scores, probabilities
from small import dense_matrix, make_dataset, whole_batch

from sstrain.diagnostics.closed_forms import closed_forms
from sstrain.diagnostics.exact import exact_gradient
from sstrain.objectives.base import Moments, SampledObjective
from sstrain.objectives.importance import Importance

Floats = NDArray[np.float64]
Hits = Literal["drop", "keep", "resample"]
HITS: list[Hits] = ["drop", "keep", "resample"]

QUANTITIES = (
    "variance",
    "mean_squared_error",
    "log_partition_bias",
    "log_partition_variance",
    "partition_relative_variance",
    "accidental_hit_rate",
    "distinct_classes",
)


def make_scores(size: int, num_classes: int, scale: float = 2.0) -> NDArray[np.float32]:
    """Return scores whose float64 values the references share."""
    rng = np.random.default_rng(11)
    return (scale * rng.normal(size=(size, num_classes))).astype(np.float32)


def found_moments(
    scores: NDArray[np.float32], targets: list[int], q: Floats, num_samples: int, hits: Hits
) -> Moments:
    objective = Importance(accidental_hits=hits)
    log_q = np.log(q).reshape(-1, scores.shape[1])
    return objective.moments(scores, np.array(targets, np.int32), log_q, num_samples)


@pytest.mark.parametrize("num_samples", [1, 2, 3])
@pytest.mark.parametrize(
    ("hits", "share"),
    [
        ("drop", "batch"),
        ("drop", "example"),
        ("keep", "batch"),
        ("keep", "example"),
        ("resample", "example"),
    ],
)
def test_every_figure_equals_the_enumeration(hits: Hits, share: str, num_samples: int) -> None:
    dataset = make_dataset(5, 4, 6, seed=3, weighted=True)
    scores, q, batch = make_scores(5, 4), make_q(4), whole_batch(dataset, 6)
    objective = Importance(accidental_hits=hits)
    log_q = np.log(q)[np.newaxis]
    found = closed_forms(objective, scores, batch, log_q, num_samples, True, share)
    rows, weights = dense_matrix(dataset, 6), dataset.weights.astype(np.float64)
    targets = dataset.targets.astype(np.int64)
    problem = Problem(
        scores.astype(np.float64), rows, targets, weights, q, num_samples, hits, share
    )
    expected = true_figures(problem)
    assert found is not None
    places = {key[1:] for key in expected}
    assert {key[1:] for key in found} <= places
    checked = 0
    for key, value in expected.items():
        known = key in found
        # Where examples share their draws, the variance of the batch's gradient is not known.
        shared = key[1] == "batch" and share == "batch"
        assert known == (key[0] in QUANTITIES and not (shared and key[0] in QUANTITIES[:2])), key
        checked += known
        if known:
            assert found[key] == pytest.approx(value, rel=1e-7, abs=1e-11), key
        if key[0] == "bias_norm":
            assert found["bias_square", *key[1:]] ** 0.5 == pytest.approx(value, rel=1e-7), key
    assert checked == 5 + 2 * (8 if share == "example" else 6)


def test_the_product_with_the_exact_gradient() -> None:
    dataset = make_dataset(5, 4, 6, seed=3, weighted=True)
    scores, q, batch = make_scores(5, 4), make_q(4), whole_batch(dataset, 6)
    found = closed_forms(Importance(), scores, batch, np.log(q)[np.newaxis], 2, True, "batch")
    assert found is not None
    exact = exact_gradient(scores, batch).gradient
    rows = dense_matrix(dataset, 6)
    bias = np.array(
        [
            moments(law(row, int(target), q, 2, "drop")).mean
            for row, target in zip(scores.astype(np.float64), dataset.targets, strict=True)
        ]
    ) - np.array(
        [
            exact_d_scores(row, int(target))
            for row, target in zip(scores.astype(np.float64), dataset.targets, strict=True)
        ]
    )
    is_target = np.arange(4) == dataset.targets[:, np.newaxis]
    squares = np.sum(rows**2, axis=1, keepdims=True)
    shares = dataset.weights.astype(np.float64)[:, np.newaxis] / 5
    expected = {
        ("example", "score", "all"): np.sum(bias * exact) / 5,
        ("example", "weight", "target"): np.sum(squares * bias * exact * is_target) / 5,
        ("example", "weight", "negatives"): np.sum(squares * bias * exact * ~is_target) / 5,
        ("batch", "score", "all"): np.sum((shares * bias).sum(0) * (shares * exact).sum(0)),
        ("batch", "weight", "all"): np.sum(
            (rows.T @ (shares * bias)) * (rows.T @ (shares * exact))
        ),
    }
    for place, value in expected.items():
        assert found["product", *place] == pytest.approx(float(value), rel=1e-7)


@pytest.mark.parametrize("hits", HITS)
@pytest.mark.parametrize("num_samples", [1, 2, 3, 16, 1000, 100_000])
def test_equations_34_to_38_equal_the_reference(hits: Hits, num_samples: int) -> None:
    scores, targets = make_scores(2, 50), [0, 30]
    q = np.array([zipf(50), make_q(50)])
    found = found_moments(scores, targets, q, num_samples, hits)
    for i, target in enumerate(targets):
        draws = law(scores[i].astype(np.float64), target, q[i], num_samples, hits)
        expected = moments(draws)
        bias = expected.mean - exact_d_scores(scores[i].astype(np.float64), target)
        assert np.abs(found.errors[i] - bias).max() < 1e-9 * np.abs(bias).max()
        others = np.arange(50) != target
        assert found.negatives_variance[i] == pytest.approx(expected.variance[others].sum(), 3e-8)
        assert found.target_variance[i] == pytest.approx(expected.variance[target], 3e-8)
        assert log_moments(draws) == pytest.approx((found.log_bias[i], found.log_variance[i]), 1e-8)


@pytest.mark.parametrize("hits", HITS)
def test_simulation(hits: Hits) -> None:
    num_samples, target, repeats = 20, 3, 100_000
    scores = make_scores(1, 50)
    draws = law(scores[0].astype(np.float64), target, zipf(50), num_samples, hits)
    counts = np.random.default_rng(0).multinomial(num_samples, draws.q, repeats)
    terms = counts * draws.a / num_samples
    totals = draws.p[target] + terms.sum(axis=1)
    gradients = terms / totals[:, np.newaxis]
    gradients[:, target] += draws.p[target] / totals - 1
    found = found_moments(scores, [target], zipf(50), num_samples, hits)
    exact = exact_d_scores(scores[0].astype(np.float64), target)
    errors = gradients.mean(axis=0) - exact - found.errors[0]
    standard = np.maximum(gradients.std(axis=0) / repeats**0.5, 1e-9)
    assert np.max(np.abs(errors) / standard) < 4.5
    variances = gradients.var(axis=0)
    assert found.target_variance[0] == pytest.approx(variances[target], rel=0.03)
    negatives = variances.sum() - variances[target]
    assert found.negatives_variance[0] == pytest.approx(negatives, rel=0.02)
    logs = np.log(totals)
    assert abs(logs.mean() - found.log_bias[0]) < 4.5 * logs.std() / repeats**0.5
    assert found.log_variance[0] == pytest.approx(logs.var(), rel=0.03)
    assert found.partition_variance[0] == pytest.approx(totals.var(), rel=0.05)


@pytest.mark.parametrize("num_samples", [1_000, 100_000])
def test_equations_17_18_19_are_the_limit(num_samples: int) -> None:
    scores, q, target = make_scores(1, 50), make_q(50), 7
    found = found_moments(scores, [target], q, num_samples, "drop")
    row = scores[0].astype(np.float64)
    relative = importance.partition_variance(row, target, q, num_samples) / np.exp(
        2 * np.log(np.exp(row).sum())
    )
    assert found.partition_variance[0] == pytest.approx(relative, rel=1e-10)
    expected = importance.expected_gradient_bias(row, target, q, num_samples)
    limit = 10 / num_samples
    assert np.abs(found.errors[0] - expected).max() < limit * np.abs(expected).max()
    log_bias = importance.expected_log_bias(row, target, q, num_samples)
    assert found.log_bias[0] == pytest.approx(log_bias, rel=limit)
    assert found.log_variance[0] == pytest.approx(relative, rel=limit)


@pytest.mark.parametrize("hits", HITS)
@pytest.mark.parametrize("num_samples", [1, 2, 64, 100_000])
def test_mean_errors_add_up_to_zero(hits: Hits, num_samples: int) -> None:
    scores = make_scores(9, 300, 4.0)
    found = found_moments(scores, list(range(0, 27, 3)), zipf(300), num_samples, hits)
    assert np.abs(found.errors).sum(axis=1).max() > 1e-6
    assert np.abs(found.errors.sum(axis=1)).max() < 1e-12


@pytest.mark.parametrize("hits", HITS)
@pytest.mark.parametrize("num_samples", [1, 2, 3, 100, 100_000])
def test_extreme_inputs_stay_finite_and_in_range(hits: Hits, num_samples: int) -> None:
    """Scores of 1e4, a q of 1e-30 and a target of tiny probability."""
    scores = np.concatenate([make_scores(4, 20, 1e4), make_scores(4, 20, 30.0)])
    q = zipf(20)
    q[:3] = 1e-30
    found = found_moments(scores, [0, 1, 5, 19] * 2, q / q.sum(), num_samples, hits)
    for values in vars(found).values():
        assert np.isfinite(values).all()
    # Derivatives lie between -1 and 1, and over all classes the positive ones add up to 1 at most.
    assert np.abs(found.errors).max() <= 1 + 1e-9
    assert found.negatives_variance.max() <= 1
    assert found.target_variance.max() <= 1


def test_a_class_that_is_never_drawn() -> None:
    """With q of 1e-30 for the likeliest class its gradient is missed as a whole."""
    scores = np.zeros((1, 4), np.float32)
    scores[0, 1] = 3
    q = np.array([0.4, 1e-30, 0.3, 0.3])
    found = found_moments(scores, [0], q, 8, "drop")
    assert found.errors[0, 1] == pytest.approx(-probabilities(scores[0].astype(float))[1])


class Other(SampledObjective):
    """An objective of which no expectation is known."""

    type: Literal["other"] = "other"

    def gradient(self, *arguments: object) -> int:
        return len(arguments)


def test_what_is_known_without_moments() -> None:
    batch = whole_batch(make_dataset(5, 4, 6), 6)
    log_q = np.log(make_q(4))[np.newaxis]
    found = closed_forms(Other(), make_scores(5, 4), batch, log_q, 3, True, "batch")
    assert found is not None
    assert set(found) == {
        ("accidental_hit_rate", "draws", "", ""),
        ("distinct_classes", "draws", "", ""),
    }
    assert found["distinct_classes", "draws", "", ""] == pytest.approx(
        distinct_classes(make_q(4), 3), rel=1e-12
    )


def test_nothing_is_known_without_replacement() -> None:
    batch = whole_batch(make_dataset(5, 4, 6), 6)
    log_q = np.log(make_q(4))[np.newaxis]
    found = closed_forms(Importance(), make_scores(5, 4), batch, log_q, 3, False, "batch")
    assert found is None
