"""What every layout must do in a step: scores, gradients, update rules, bad numbers."""

from typing import Any

import numpy as np
import pytest
from layout_cases import (
    CASES,
    OBJECTIVES,
    SETTINGS,
    Case,
    NextStep,
    Problem,
    central_differences,
    default_problem,
    gradient,
    load,
    parameters,
    reference_scores,
    with_rows,
    without_empty_rows,
)
from numpy.typing import NDArray
from reference.softmax import log_partition
from small import make_dataset, whole_batch

from sstrain.models import MODELS
from sstrain.models.base import Layout, Scores

Floats = NDArray[np.float64]
PROBLEM = default_problem()
#: The distance of neighbours in bfloat16, relative to them; a number is rounded to either.
HALF = 2.0**-7

each_case = pytest.mark.parametrize("case", CASES, ids=str)
each_objective = pytest.mark.parametrize("objective", OBJECTIVES)
one_of_each_kind = pytest.mark.parametrize("objective", ["exact", "shared", "each"])


def test_every_layout_has_its_settings() -> None:
    assert SETTINGS.keys() == MODELS.keys()


@each_case
def test_scores_of_all_classes_are_those_of_the_weights(case: Case) -> None:
    engine = PROBLEM.engine(case)
    batch = whole_batch(PROBLEM.dataset, PROBLEM.num_features)
    expected = reference_scores(engine.model, PROBLEM, batch.example_ids)
    np.testing.assert_allclose(engine.model.score_all(batch), expected, rtol=1e-5, atol=2e-6)


@each_objective
@each_case
def test_scores_of_a_step_are_those_of_the_weights(case: Case, objective: str) -> None:
    case = case.but(dropout=0.0) if "dropout" in case.model else case
    engine = PROBLEM.engine(case, **OBJECTIVES[objective])
    step = NextStep(engine)
    expected = reference_scores(engine.model, PROBLEM, step.batch.example_ids)
    if engine.sampler is None:
        log_partitions, forward = step.log_partitions(engine.model)
        found = forward.target_scores
        assert log_partitions == pytest.approx([log_partition(z) for z in expected], rel=1e-5)
    else:
        scores = engine.model.score(step.batch, step.candidates, step.hits, step.context)
        found = scores.targets
        for i, z in enumerate(expected):
            g = min(i, len(step.candidates.counts) - 1)
            drawn = slice(int(step.candidates.counts[g]))
            classes = step.candidates.classes[g, drawn]
            row = scores.candidates[i, drawn]
            np.testing.assert_allclose(row, z[classes], rtol=1e-5, atol=2e-6)
    of_targets = expected[np.arange(len(found)), step.batch.targets]
    np.testing.assert_allclose(found, of_targets, rtol=1e-5, atol=2e-6)


def some_places(gradient: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return places with a gradient and without, at most 40 in all."""
    moved, still = np.flatnonzero(gradient), np.flatnonzero(gradient == 0)
    return np.concatenate([rng.permutation(moved)[:30], rng.permutation(still)[:10]])


def check_gradient(problem: Problem, case: Case, done: int = 1, **sections: Any) -> None:
    """Check a step's gradient by moving numbers of each parameter, one at a time."""
    engine = problem.engine(case, **sections)
    found = gradient(problem, case, done, engine.model, **sections)
    # What is moved is stored in float32, whatever the case.
    precise = problem.engine(case.but(dtype="float32"), **sections)
    load(precise.model, parameters(engine.model))
    precise.done = done
    step = NextStep(precise)
    rng = np.random.default_rng(0)
    for name, whole in found.items():
        places = some_places(whole, rng)
        expected = central_differences(step.loss, precise.model, name, places)
        scale = float(np.abs(expected).max(initial=0))
        error = np.abs(whole[places] - expected)
        slack = HALF * np.abs(expected) if case.half and name != "bias" else 0
        assert (error <= 3e-4 * scale + 2e-6 + slack).all(), (name, error.max(), scale)


@each_objective
@each_case
def test_a_step_of_sgd_is_the_central_difference_of_the_loss(case: Case, objective: str) -> None:
    check_gradient(PROBLEM, case, **OBJECTIVES[objective])


def edge(name: str) -> Problem:
    """Return a problem at the edge of what there can be."""
    if name == "one example":
        return PROBLEM._replace(batch_size=1)
    if name == "two classes":
        return Problem(make_dataset(20, 2, 12, seed=5, weighted=True), num_classes=2)
    dataset = PROBLEM.dataset
    if name == "empty rows":
        return PROBLEM._replace(dataset=with_rows(dataset, lambda ids: ids[:0]))
    assert name == "a feature twice"
    return PROBLEM._replace(dataset=with_rows(dataset, lambda ids: np.tile(ids, 2)))


@one_of_each_kind
@pytest.mark.parametrize("name", ["one example", "two classes", "empty rows", "a feature twice"])
@each_case
def test_the_gradient_at_the_edges(case: Case, name: str, objective: str) -> None:
    if name == "two classes" and "rank" in case.model:
        case = case.but(rank=2)
    sections = dict(OBJECTIVES[objective])
    if name == "two classes" and "sampler" in sections:
        sections["sampler"] = {**sections["sampler"], "num_samples": 3}
    check_gradient(edge(name), case, done=0, **sections)


def with_a_bad_number(scores: Scores, bad: float, of_target: bool) -> Scores:
    gradient = Scores(np.zeros_like(scores.targets), np.zeros_like(scores.candidates))
    (gradient.targets if of_target else gradient.candidates)[-1] = bad
    return gradient


@pytest.mark.parametrize("rule", ["sgd", "adagrad"])
@pytest.mark.parametrize("bad", [np.inf, np.nan])
@one_of_each_kind
@each_case
def test_weights_that_are_not_finite_are_counted(
    case: Case, objective: str, bad: float, rule: str
) -> None:
    # No row is empty: the bias alone would be bad.
    problem = PROBLEM._replace(dataset=without_empty_rows(PROBLEM.dataset))
    engine = problem.engine(case, **OBJECTIVES[objective], optimizer={"type": rule})
    model: Layout = engine.model
    step = NextStep(engine)
    if objective == "exact":
        log_partitions, forward = step.log_partitions(model)
        log_partitions[-1] = -bad
        assert model.update_all(step.batch, forward, log_partitions, step.context) > 0
        return
    for of_target in (True, False):
        engine = problem.engine(case, **OBJECTIVES[objective], optimizer={"type": rule})
        model = engine.model
        scores = model.score(step.batch, step.candidates, step.hits, step.context)
        gradient = with_a_bad_number(scores, bad, of_target)
        assert model.update(step.batch, step.candidates, step.hits, gradient, step.context) > 0
        gradient = with_a_bad_number(scores, 0, of_target)
        engine = problem.engine(case, **OBJECTIVES[objective], optimizer={"type": rule})
        model = engine.model
        model.score(step.batch, step.candidates, step.hits, step.context)
        assert not model.update(step.batch, step.candidates, step.hits, gradient, step.context)


@each_case
def test_dropout_is_of_the_key_and_leaves_the_mean_as_it_is(case: Case) -> None:
    engine = PROBLEM.engine(case, **OBJECTIVES["shared"])
    step = NextStep(engine)
    drawn = int(step.candidates.counts[0])

    def scores(key: int) -> Floats:
        context = step.context._replace(key=key)
        found = engine.model.score(step.batch, step.candidates, step.hits, context)
        return found.candidates[:, :drawn].astype(float)

    assert np.array_equal(scores(3), scores(3))
    if not case.model.get("dropout"):
        assert np.array_equal(scores(3), scores(4))
        return
    assert not np.array_equal(scores(3), scores(4))
    many = np.array([scores(key) for key in range(3000)])
    expected = reference_scores(engine.model, PROBLEM, step.batch.example_ids)
    expected = expected[:, step.candidates.classes[0, :drawn]]
    errors = 5 * many.std(axis=0) / np.sqrt(len(many)) + 1e-6
    assert (np.abs(many.mean(axis=0) - expected) < errors).all()
