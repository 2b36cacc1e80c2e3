"""What every layout must do over many steps: rules, decay, averages, checkpoints, threads."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from layout_cases import (
    CASES,
    OBJECTIVES,
    Case,
    NextStep,
    Problem,
    View,
    default_problem,
    flat_parameters,
    gradient,
    load,
    pair_weights,
    parameters,
    without_empty_rows,
)
from numpy.typing import NDArray
from reference.updates import RULES
from small import make_dataset, whole_batch

from sstrain import kernels
from sstrain.diagnostics.measure import Measurement
from sstrain.models.averaging import AveragedTensor
from sstrain.models.base import Layout, Scores, StepShape
from sstrain.optim.sgd import Sgd
from sstrain.training.checkpoint import Checkpoint, write_checkpoint
from sstrain.training.engine import Engine
from sstrain.training.tensors import digest

Floats = NDArray[np.float64]
PROBLEM = default_problem()
#: Several tiles of features, of classes and of examples.
LARGER = Problem(make_dataset(200, 300, 60, seed=6, weighted=True), 300, 60, 32)
#: Half the distance of neighbours in bfloat16, relative to them.
HALF = 2.0**-8
AVERAGED = {"type": "adagrad", "l2": 0.02, "average_from": "4 steps"}

FIRST = [case for case in CASES if case.first]
each_case = pytest.mark.parametrize("case", CASES, ids=str)
one_of_each_kind = pytest.mark.parametrize("objective", ["exact", "shared", "each"])

#: Every rule in every layout, with the kinds of objective in turn: all pairs of the three, in a
#: third of their combinations, each of which is compiled by itself.
RULE_CASES = [
    (case, rule, ["exact", "shared", "each"][(place + turn) % 3])
    for place, case in enumerate(FIRST)
    for turn, rule in enumerate(["adagrad", "rowwise_adagrad", "adam"])
]

#: No two pairs share a cell; every row keeps some of the classes of each step.
PLAIN = {"bits": 18, "keep": 0.9}


def tables(model: Layout) -> dict[str, Floats]:
    """Return factors as they are, or else the weight of each pair; each row is an update rule's."""
    found = {name: array.astype(float) for name, array in parameters(model).items()}
    bias = found.pop("bias")[np.newaxis]
    if not all(array.ndim == 2 for array in found.values()):
        found = {"weight": pair_weights(model, PROBLEM.num_features, PROBLEM.num_classes)}
    return {**found, "bias": bias}


def state_before(rule: str, shape: tuple[int, ...], initial: float) -> Floats:
    """Return a rule's state before the first step, as the reference keeps it."""
    if rule == "adam":
        return np.zeros((3, *shape))
    return np.full(shape if rule == "adagrad" else shape[:1], initial)


@pytest.mark.parametrize(("case", "rule", "objective"), RULE_CASES, ids=str)
def test_update_rules_equal_the_reference(case: Case, rule: str, objective: str) -> None:
    # What a step touches is told in the reference by a gradient that is not 0.
    problem = PROBLEM._replace(dataset=without_empty_rows(PROBLEM.dataset))
    case = case.but(**{key: value for key, value in PLAIN.items() if key in case.model})
    sections = OBJECTIVES[objective]
    engine = problem.engine(case, **sections, optimizer={"type": rule, "learning_rate": 0.05})
    initial = 1 / PROBLEM.batch_size**2
    state = {
        name: state_before(rule, table.shape, initial)
        for name, table in tables(engine.model).items()
    }
    view: View = tables
    for step in range(6):
        before = tables(engine.model)
        slopes = gradient(problem, case, step, engine.model, view, **sections)
        engine.step()
        for name, found in tables(engine.model).items():
            expected = RULES[rule](before[name], state[name], slopes[name], 0.05)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=3e-6, err_msg=name)


@each_case
def test_a_sweep_decays_all_but_the_bias(case: Case) -> None:
    model = PROBLEM.engine(case).model
    before = flat_parameters(model)
    assert model.sweep(0.7, 3) == 0
    for name, found in flat_parameters(model).items():
        expected = before[name] * (1 if name == "bias" else 0.7)
        tolerance = 2 * HALF if case.half and name != "bias" else 1e-6
        np.testing.assert_allclose(found, expected, rtol=tolerance)
    for array in parameters(model).values():
        array[...] = np.inf
    assert model.sweep(0.7, 3) > 0


@one_of_each_kind
@each_case
def test_the_average_is_the_mean_of_the_iterates(case: Case, objective: str) -> None:
    averaging = PROBLEM.engine(case, **OBJECTIVES[objective], optimizer=AVERAGED)
    without = {key: value for key, value in AVERAGED.items() if key != "average_from"}
    plain = PROBLEM.engine(case, **OBJECTIVES[objective], optimizer=without)
    iterates = []
    for step in range(15):
        averaging.step()
        plain.step()
        if step >= 4:
            iterates.append(flat_parameters(plain.model))
    saved = averaging.tensors()["model"]
    means = {}
    for name in iterates[0]:
        mean = np.mean([iterate[name] for iterate in iterates], axis=0)
        tensor = saved[name]
        assert isinstance(tensor, AveragedTensor)
        means[name] = tensor.whole()
        found = means[name].astype(float).ravel()
        tolerance = HALF if case.half and name != "bias" else 1e-4
        np.testing.assert_allclose(found, mean, rtol=tolerance, atol=3e-6)
    precise = PROBLEM.engine(case.but(dtype="float32"))
    load(precise.model, means)
    batch = whole_batch(PROBLEM.dataset, PROBLEM.num_features)
    expected = precise.model.score_all(batch).copy()
    np.testing.assert_allclose(averaging.model.score_all(batch), expected, rtol=1e-5, atol=1e-5)
    live = averaging.model.score_all(batch, averaged=False)
    assert np.abs(live - expected).max() > 1e-3


def digests(engine: Engine) -> dict[str, str]:
    return {part: digest(tensors) for part, tensors in engine.tensors().items()}


def saved(engine: Engine, folder: Path) -> Checkpoint:
    state = {**engine.state(), "step": engine.done}
    write_checkpoint(folder, engine.tensors(), state, None)
    return Checkpoint(folder, engine.done, None, state)


def take(engine: Engine, steps: int) -> Engine:
    for _ in range(steps):
        engine.step()
    return engine


@pytest.mark.parametrize("average_from", [None, "4 steps"])
@each_case
def test_a_model_that_is_loaded_gives_the_same_scores(
    case: Case, average_from: str | None, tmp_path: Path
) -> None:
    optimizer = {**AVERAGED, "average_from": average_from}
    engine = take(PROBLEM.engine(case, **OBJECTIVES["shared"], optimizer=optimizer), 10)
    checkpoint = saved(engine, tmp_path / "checkpoint")
    section = engine.config.model
    model = section.allocate(PROBLEM.num_features, PROBLEM.num_classes, Sgd())
    checkpoint.read_into("model", model.live_arrays(0)["model"])
    batch = whole_batch(PROBLEM.dataset, PROBLEM.num_features)
    found, expected = model.score_all(batch), engine.model.score_all(batch)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=0 if average_from is None else 1e-5)
    assert digest(model.tensors()["model"]) == digest(engine.tensors()["model"])


@one_of_each_kind
@each_case
def test_a_run_that_is_resumed_goes_on_bit_for_bit(
    case: Case, objective: str, tmp_path: Path
) -> None:
    sections = {**OBJECTIVES[objective], "optimizer": AVERAGED}
    whole = take(PROBLEM.engine(case, **sections, training={"epochs": 4}), 8)
    checkpoint = saved(whole, tmp_path / "checkpoint")
    resumed = Engine(whole.config, whole.dataset, PROBLEM.vocabulary)
    resumed.restore(checkpoint)
    assert digests(resumed) == digests(whole)
    assert digests(take(resumed, 9)) == digests(take(whole, 9))


@one_of_each_kind
@pytest.mark.parametrize(
    ("case", "rule"),
    # Sums of squares are the same in every setting of a layout.
    [*((case, "adagrad") for case in CASES), *((case, "rowwise_adagrad") for case in FIRST)],
    ids=str,
)
def test_one_thread_and_two_give_the_same_bits(case: Case, rule: str, objective: str) -> None:
    optimizer = AVERAGED if rule == "adagrad" else {"type": rule}
    sections = {**OBJECTIVES[objective], "training": {"epochs": 40}}
    found = []
    for threads in (1, 2):
        kernels.use_threads(threads)
        engine = LARGER.engine(case, **sections, optimizer={**optimizer, "learning_rate": 0.05})
        found.append(digests(take(engine, 200)))
    assert found[0] == found[1]


@pytest.mark.parametrize("rule", ["sgd", "adagrad", "rowwise_adagrad", "adam"])
@each_case
def test_memory_is_that_of_the_arrays(case: Case, rule: str) -> None:
    optimizer = {"type": rule, "average_from": "1 steps"}
    engine = LARGER.engine(case, optimizer=optimizer)
    told = engine.config.model.memory_bytes(
        LARGER.num_features, LARGER.num_classes, engine.config.optimizer
    )
    before, after = engine.model.live_arrays(0), engine.model.live_arrays(1)["optimizer"]
    expected = {
        "weights": sum(array.nbytes for array in before["model"].values()),
        "optimizer": sum(array.nbytes for array in before["optimizer"].values()),
        "averaging": sum(array.nbytes for name, array in after.items() if name.endswith(".u")),
    }
    assert told == {part: size for part, size in expected.items() if size}


@one_of_each_kind
@each_case
def test_scratch_arrays_are_about_as_large_as_told(case: Case, objective: str) -> None:
    problem = Problem(make_dataset(128, 3000, 400, seed=7), 3000, 400, 128)
    sections = dict(OBJECTIVES[objective])
    if "sampler" in sections:
        sections["sampler"] = {**sections["sampler"], "num_samples": 200}
    engine, other = problem.engine(case, **sections), problem.engine(case, **sections)
    step = NextStep(engine)
    one_step(other.model, NextStep(other))  # what is loaded once is no scratch
    entries = int(step.batch.arrays.indptr[step.batch.size])
    samples = None if objective == "exact" else 200
    shape = StepShape(
        step.batch.size, entries, samples, objective == "shared", kernels.num_threads()
    )
    told = engine.config.model.step_bytes(400, 3000, shape)
    tracemalloc.start()
    one_step(engine.model, step)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    print(f"{case} {objective}: told {told}, held {held}")
    # Never too few; as many features as entries are allowed for, and what kernels take themselves.
    assert held - 2**15 < told < 2.5 * held


def one_step(model: Layout, step: NextStep) -> None:
    if step.engine.sampler is None:
        log_partitions, forward = step.log_partitions(model)
        model.update_all(step.batch, forward, log_partitions, step.context)
        return
    scores = model.score(step.batch, step.candidates, step.hits, step.context)
    slopes = Scores(np.zeros_like(scores.targets), np.zeros_like(scores.candidates))
    model.update(step.batch, step.candidates, step.hits, slopes, step.context)


@each_case
def test_diagnostics_measure_and_change_nothing(case: Case) -> None:
    engine = PROBLEM.engine(case, **OBJECTIVES["shared"])
    before = digests(engine)
    sampler, objective = engine.sampler, engine.config.objective
    assert sampler is not None
    size = PROBLEM.batch_size
    measurement = Measurement(objective, sampler, engine.dataset, 12, size, 2 * size, 64)  # type: ignore[arg-type]
    figures = measurement.figures(engine.model)
    assert len(figures) > 20
    assert all(np.isfinite(figure.value) for figure in figures)
    assert digests(engine) == before
