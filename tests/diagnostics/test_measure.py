"""A measurement against the enumeration of all draws, and what it must leave alone."""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from enumeration import Problem, true_figures
from interval_coverage import CASES, Case, coverage, key
from reference.importance import importance
from reference.softmax import exact_d_scores
from scipy import stats
from small import make_config, make_dataset, make_model, make_vocabulary

from sstrain import kernels
from sstrain.diagnostics import batch_errors
from sstrain.diagnostics.figures import Figure
from sstrain.diagnostics.measure import Measurement, memory
from sstrain.models.dense import DenseModel
from sstrain.objectives.importance import Importance

PARTS = [("example", "score", "all"), ("example", "weight", "all")]


def by_key(figures: list[Figure]) -> dict[tuple[str, str, str, str], Figure]:
    """Return figures by what they are of; the time of a draw is never the same twice."""
    return {key(f): f for f in figures if f.quantity != "nanoseconds_a_draw"}


def width(figure: Figure) -> float:
    assert figure.low is not None
    assert figure.high is not None
    return figure.high - figure.low


@pytest.mark.parametrize(("hits", "share"), CASES)
@pytest.mark.parametrize("kind", ["uniform", "log_uniform", "unigram", "mixture"])
def test_figures_equal_the_enumeration(kind: str, hits: str, share: str) -> None:
    case = Case(kind, hits, share)
    truth = true_figures(case.problem())
    found = by_key(case.measurement(8192, seed=11).figures(case.model))
    assert found.keys() == truth.keys()
    for name, figure in found.items():
        # An interval is about 4.2 standard errors wide; this allows 5.2 to either side.
        allowed = 1.25 * width(figure) + 1e-5 * abs(truth[name]) + 1e-9
        assert abs(figure.value - truth[name]) < allowed, name
        if name[0] not in ("accidental_hit_rate", "log_partition_bias"):
            assert width(figure) < 0.2 * abs(truth[name]), name


@pytest.mark.parametrize(("hits", "share"), CASES)
def test_the_errors_alone_are_those_of_the_enumeration(hits: str, share: str) -> None:
    case = Case("unigram", hits, share)
    measurement = case.measurement(8192, seed=11)
    truth = true_figures(case.problem())
    bias, variance = (
        truth[f"relative_{name}", "batch", "weight", "all"] for name in ("bias", "variance")
    )
    found = measurement.gradient_error(case.model)
    assert found.squared == pytest.approx(bias**2 + variance, rel=0.03)
    target_bias = truth["relative_bias", "example", "score", "target"]
    assert found.target_bias == pytest.approx(target_bias, rel=0.05)
    (kl,) = (value for name, value in truth.items() if name[0] == "kl_divergence")
    assert found.divergence == pytest.approx(kl, rel=1e-5)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    repetitions, tested = 60, [("unigram", "drop", "batch"), ("mixture", "keep", "example")]
    shares = []
    for kind, hits, share in tested:
        for name, covered in coverage(Case(kind, hits, share), repetitions, 256).items():
            if name[0] in ("kl_divergence", "chi_square"):
                assert covered == 1
                continue
            fewest = stats.binom.ppf(1e-5, repetitions, 0.915)
            assert covered * repetitions >= fewest, (kind, hits, share, name)
            shares.append(covered)
    assert 0.92 < np.mean(shares) < 0.975


def test_several_batches_are_averaged() -> None:
    case = Case("unigram", "drop", "example")
    measurement = case.measurement(8192, batch_size=6)
    assert measurement.example_ids.shape == (2, 6)
    found = by_key(measurement.figures(case.model))
    problem = case.problem()
    truths = [true_figures(part_of(problem, ids)) for ids in measurement.example_ids]
    for name in [
        ("mean_squared_error", "batch", "weight", "all"),
        ("variance", "batch", "score", "all"),
        ("variance", "example", "weight", "negatives"),
        ("log_partition_bias", "example", "", ""),
    ]:
        true = np.mean([truth[name] for truth in truths])
        assert abs(found[name].value - true) < 1.25 * width(found[name]), name
    bias = "bias_norm", "batch", "weight", "all"
    true = np.sqrt(np.mean([truth[bias] ** 2 for truth in truths]))
    assert abs(found[bias].value - true) < 1.25 * width(found[bias])


def part_of(problem: Problem, ids: np.ndarray) -> Problem:
    return replace(
        problem,
        scores=problem.scores[ids],
        rows=problem.rows[ids],
        targets=problem.targets[ids],
        weights=problem.weights[ids],
    )


@pytest.mark.parametrize("share", ["example", "batch"])
def test_draws_without_replacement_equal_a_simulation(share: str) -> None:
    """The simulation keeps whole gradients, dense, with the reference's formulas."""
    case = Case("unigram", "drop", share, num_classes=12, num_samples=5, replacement=False)
    measurement = case.measurement(4096, seed=5)
    found = by_key(measurement.figures(case.model))
    problem = part_of(case.problem(), measurement.example_ids[0])
    batch = measurement._reader.take(measurement.example_ids[0])
    size, repetitions = batch.size, 3000
    gradients = np.zeros((repetitions, size, 12))
    for r in range(repetitions):
        drawn = case.sampler.draw(batch, 99, r, 0)
        for i in range(size):
            g = i if share == "example" else 0
            logs = drawn.log_expected_count[g].astype(np.float64)
            row = problem.scores[i], int(problem.targets[i]), drawn.classes[g].astype(np.int64)
            gradients[r, i] = importance(*row, logs).d_scores
    exact = np.array(
        [exact_d_scores(z, int(c)) for z, c in zip(problem.scores, problem.targets, strict=True)]
    )
    shares = problem.weights / size
    maps = {
        ("example", "score", "all"): gradients.reshape(repetitions, -1) / np.sqrt(size),
        ("batch", "score", "all"): np.einsum("e,rev->rv", shares, gradients),
        ("batch", "weight", "all"): np.einsum(
            "e,ed,rev->rdv", shares, problem.rows, gradients
        ).reshape(repetitions, -1),
    }
    exacts = {
        ("example", "score", "all"): exact.ravel() / np.sqrt(size),
        ("batch", "score", "all"): shares @ exact,
        ("batch", "weight", "all"): (problem.rows.T @ (shares[:, np.newaxis] * exact)).ravel(),
    }
    for place, values in maps.items():
        variance = values.var(axis=0, ddof=1).sum()
        square = np.sum((values.mean(axis=0) - exacts[place]) ** 2) - variance / repetitions
        # Both have errors of about the same size: six of them apart.
        measured = found[("variance", *place)]
        assert abs(measured.value - variance) < 2 * width(measured)
        measured = found[("bias_norm", *place)]
        assert abs(measured.value - np.sqrt(max(square, 0))) < 2 * width(measured)


def test_sharing_leaves_examples_alone_and_multiplies_the_variance_of_the_batch() -> None:
    sizes = {"examples": 64, "num_classes": 30, "num_samples": 5}
    shared, each = (
        by_key(case.measurement(2048).figures(case.model))
        for case in (
            Case("unigram", "drop", "batch", **sizes),
            Case("unigram", "drop", "example", **sizes),
        )
    )
    for place in PARTS:
        for quantity in ("variance", "bias_norm"):
            one, other = shared[(quantity, *place)], each[(quantity, *place)]
            assert abs(one.value - other.value) < width(one) + width(other)
    name = ("variance", "batch", "score", "all")
    assert shared[name].value > 5 * each[name].value


def test_the_same_figures_twice_whatever_the_threads_and_the_tiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case("mixture", "keep", "example", num_classes=30, num_samples=5)
    measurement = case.measurement(64)
    first = by_key(measurement.figures(case.model))
    assert by_key(measurement.figures(case.model)) == first
    kernels.use_threads(1)
    try:
        assert by_key(case.measurement(64).figures(case.model)) == first
    finally:
        kernels.use_threads(None)
    monkeypatch.setattr(batch_errors, "TILE_BYTES", 4 * 12 * 16 * 7)
    tiled = by_key(case.measurement(64).figures(case.model))
    for name, figure in first.items():
        np.testing.assert_allclose(tiled[name].value, figure.value, rtol=1e-5, atol=1e-7)


def test_the_state_of_a_run_is_untouched() -> None:
    case = Case("unigram", "drop", "batch")
    arrays: list[Any] = [a for part in case.model.tensors().values() for a in part.values()]
    arrays += list(case.sampler.tensors().values())
    before = [np.array(array).tobytes() for array in arrays]
    case.measurement(64).figures(case.model)
    assert [np.array(array).tobytes() for array in arrays] == before


def test_figures_are_of_the_live_weights_even_beside_an_average() -> None:
    case = Case("unigram", "drop", "batch")
    optimizer = {"type": "adagrad", "average_from": "0 steps"}
    config = make_config(optimizer=optimizer)
    averaged = make_model(config, make_vocabulary(4, 5))
    assert isinstance(averaged, DenseModel)
    averaged.weight[:], averaged.bias[:] = case.model.weight, case.model.bias
    averaged.count_averaged_step()
    average = averaged.parameters["weight"].average
    assert average is not None
    average.u[:] = 1.0
    measurement = case.measurement(64)
    batch = measurement._reader.take(measurement.example_ids[0])
    live = averaged.score_all(batch, averaged=False).copy()
    assert not np.array_equal(averaged.score_all(batch), live)
    own, found = by_key(measurement.figures(case.model)), by_key(measurement.figures(averaged))
    assert own.keys() == found.keys()
    # Two measurements of one model differ now and then in the last bit of the log-partition.
    for name, figure in found.items():
        for field, value in vars(figure).items():
            expected = getattr(own[name], field)
            if isinstance(value, float):
                expected = pytest.approx(expected, rel=1e-12, abs=1e-15)
            assert value == expected, (name, field)


def test_the_sample_is_the_same_for_every_objective_and_of_whole_batches() -> None:
    case, other = Case("unigram", "drop", "batch"), Case("uniform", "keep", "example")
    dataset = make_dataset(50, 4, 5)
    for batch_size, examples, shape in [(8, 20, (3, 8)), (8, 500, (6, 8)), (99, 1, (1, 50))]:
        one, two = (
            Measurement(c.objective, c.sampler, dataset, 5, batch_size, examples, 32)
            for c in (case, other)
        )
        assert one.example_ids.shape == shape
        assert np.array_equal(one.example_ids, two.example_ids)
        assert len(np.unique(one.example_ids)) == one.example_ids.size


class NoPartition(Importance):
    """The same gradient, with no estimate of Z to speak of."""

    estimates_partition: ClassVar[bool] = False


def test_an_objective_without_an_estimate_of_z_has_no_figures_of_it() -> None:
    case = Case("unigram", "drop", "batch")
    with_it = by_key(case.measurement(32).figures(case.model))
    case.objective = NoPartition()
    without = by_key(case.measurement(32).figures(case.model))
    left_out = {"log_partition_bias", "log_partition_variance", "partition_relative_variance"}
    assert {name[0] for name in with_it.keys() - without.keys()} == left_out
    name = ("variance", "example", "score", "all")
    assert without[name].value == with_it[name].value


def test_closed_forms_agree_with_the_draws() -> None:
    case = Case("unigram", "drop", "example")
    truth = true_figures(case.problem())
    found = by_key(case.measurement(64).figures(case.model))
    compared = {name: f.closed_form for name, f in found.items() if f.closed_form is not None}
    for name, value in compared.items():
        np.testing.assert_allclose(value, truth[name], rtol=1e-5, err_msg=str(name))
    for quantity in ("bias_norm", "relative_bias", "variance", "mean_squared_error"):
        for level in ("example", "batch"):
            assert (quantity, level, "weight", "all") in compared
    assert ("log_partition_bias", "example", "", "") in compared


@pytest.mark.parametrize("scale", [1e2, 1e4])
def test_huge_scores_and_tiny_probabilities_give_finite_figures(scale: float) -> None:
    case = Case("unigram", "drop", "batch", num_classes=30, num_samples=5)
    case.model.bias[:] *= np.float32(scale)
    log_q = case.sampler.table.log_q
    log_q[-1] = np.log(1e-300)
    for figure in case.measurement(64).figures(case.model):
        numbers = [figure.value, figure.low, figure.high, figure.examples_error]
        assert np.isfinite([x for x in numbers if x is not None]).all(), figure


def test_examples_error_is_the_standard_error_of_a_mean() -> None:
    case = Case("unigram", "drop", "example", examples=40)
    found = by_key(case.measurement(2048).figures(case.model))
    problem = case.problem()
    each = [true_figures(part_of(problem, np.array([i]))) for i in range(40)]
    for name in [
        ("variance", "example", "score", "all"),
        ("log_partition_variance", "example", "", ""),
        ("kl_divergence", "draws", "", ""),
    ]:
        values = [truth[name] for truth in each]
        expected = np.std(values, ddof=1) / np.sqrt(40)
        error = found[name].examples_error
        assert error is not None
        np.testing.assert_allclose(error, expected, rtol=0.05)


def test_memory_counts_scores_and_tiles() -> None:
    grams = memory(128, 1, 128)
    assert grams < 4 << 20
    scores = 128 * 8000
    np.testing.assert_allclose(memory(128, 8000, 128), (20 + 2 * 64) * scores + grams, rtol=1e-3)
    np.testing.assert_allclose(memory(128, 10**6, 128), 36 * 128 * 10**6 + grams, rtol=1e-3)


def test_a_figure_is_a_row() -> None:
    row = Figure("variance", "batch", "score", "all", "of the batch's mean", 2.0, 1.0, 3.0).as_row()
    assert list(row) == [
        "quantity",
        "level",
        "space",
        "part",
        "aggregate",
        "value",
        "low",
        "high",
        "examples_error",
        "closed_form",
    ]
    assert row["value"] == 2.0
    assert row["closed_form"] is None
