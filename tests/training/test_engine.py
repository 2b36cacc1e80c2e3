"""Whole steps against the float64 references: draw, score, objective, update, sweeps, averages."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference.gradients import batch_scores, dense_gradients
from reference.importance import importance
from reference.numeric import central_differences, relative_error
from reference.schedules import learning_rate
from reference.softmax import exact_d_scores, exact_loss
from reference.updates import mean_of_iterates, run_steps
from small import dense_matrix, make_config, make_dataset, make_vocabulary

from sstrain import kernels
from sstrain.data.batches import BatchReader, epoch_order
from sstrain.models.averaging import AveragedTensor
from sstrain.optim import OPTIMIZERS, SCHEDULES
from sstrain.training.divergence import DivergedError
from sstrain.training.engine import Engine

N, V, D, B = 45, 11, 9, 8
Floats = NDArray[np.float64]


def make_engine(weighted: bool = True, **sections: Any) -> Engine:
    dataset = make_dataset(N, V, D, seed=4, weighted=weighted)
    return Engine(make_config(**sections), dataset, make_vocabulary(V, D))


class Reference:
    """The same run, in plain numpy: only the candidates' draws are the engine's own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.hits = getattr(engine.config.objective, "accidental_hits", "none")
        self.rows = dense_matrix(engine.dataset, D)
        self.reader = BatchReader(engine.dataset, D)

    def ids(self, step: int) -> NDArray[np.int64]:
        epoch, position = divmod(step, self.engine.steps_per_epoch)
        return epoch_order(1, epoch, N, B * position, min(B * position + B, N))

    def d_scores(self, step: int, scores: Floats) -> tuple[Floats, Floats]:
        """Return each example's loss [B] and its derivatives by the scores [B, V]."""
        ids = self.ids(step)
        targets = self.engine.dataset.targets[ids]
        if self.engine.sampler is None:
            pairs = [
                (exact_loss(z, c), exact_d_scores(z, c))
                for z, c in zip(scores, targets, strict=True)
            ]
            return np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
        epoch, position = divmod(step, self.engine.steps_per_epoch)
        candidates = self.engine.sampler.draw(self.reader.take(ids), 1, epoch, position)
        found_losses, gradients = [], []
        for i, (z, c) in enumerate(zip(scores, targets, strict=True)):
            g = 0 if len(candidates.counts) == 1 else i
            count = candidates.counts[g]
            times = candidates.multiplicity[g, :count].astype(int)
            found = importance(
                z,
                int(c),
                np.repeat(candidates.classes[g, :count], times),
                np.repeat(candidates.log_expected_count[g, :count].astype(float), times),
                self.hits,
            )
            found_losses.append(found.loss)
            gradients.append(found.d_scores)
        return np.array(found_losses), np.array(gradients)

    def gradient(self, step: int, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        ids = self.ids(step)
        scores = batch_scores(self.rows[ids], weight, bias)
        _, d_scores = self.d_scores(step, scores)
        weights = self.engine.dataset.weights[ids].astype(float)
        return dense_gradients(self.rows[ids], d_scores, weights)

    def loss(self, step: int, weight: Floats, bias: Floats) -> float:
        ids = self.ids(step)
        losses, _ = self.d_scores(step, batch_scores(self.rows[ids], weight, bias))
        return float(np.mean(self.engine.dataset.weights[ids] * losses))


def weights_of(engine: Engine) -> tuple[Floats, Floats]:
    model: Any = engine.model
    return model.weight.astype(float), model.bias.astype(float)


SAMPLED = [
    {"objective": {"type": "importance", "accidental_hits": hits}, "sampler": sampler}
    for hits, share, replacement in product(
        ("drop", "keep", "resample"), ("batch", "example"), (True, False)
    )
    if (hits, share) != ("resample", "batch")
    for sampler in [{"share": share, "replacement": replacement, "num_samples": 7}]
]
OBJECTIVES = [{"objective": {"type": "exact"}}, *SAMPLED]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_steps_equal_the_reference(rule: str, objective: dict[str, Any]) -> None:
    optimizer = {"type": rule, "schedule": "linear", "l2": 0.03}
    engine = make_engine(**objective, optimizer=optimizer, training={"epochs": 2})
    reference = Reference(engine)
    weight, bias = weights_of(engine)
    rates = [
        learning_rate("linear", 0.5, step, engine.total_steps, 0)
        for step in range(engine.total_steps)
    ]
    expected = run_steps(
        weight,
        bias,
        reference.gradient,
        rates,
        rule=rule,
        initial_accumulator=1 / B**2,
        l2=0.03,
        l2_interval=3,
    )
    for step in range(engine.total_steps):
        before = weights_of(engine)
        loss = engine.step()
        assert loss == pytest.approx(reference.loss(step, *before), rel=1e-5)
        found = weights_of(engine)
        np.testing.assert_allclose(found[0], expected.weights[step], rtol=1e-4, atol=2e-5)
        np.testing.assert_allclose(found[1], expected.biases[step], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_an_sgd_step_is_the_central_difference_of_the_loss(objective: dict[str, Any]) -> None:
    engine = make_engine(**objective, optimizer={"learning_rate": 1.0})
    reference = Reference(engine)
    for _ in range(4):
        engine.step()
    weight, bias = weights_of(engine)
    engine.step()
    moved, moved_bias = weights_of(engine)
    d_weight = central_differences(lambda w: reference.loss(4, w, bias), weight)
    d_bias = central_differences(lambda b: reference.loss(4, weight, b), bias)
    errors = relative_error(weight - moved, d_weight), relative_error(bias - moved_bias, d_bias)
    print(f"relative error: weight {errors[0]:.1e}, bias {errors[1]:.1e}")
    assert max(errors) < 1e-5


@pytest.mark.parametrize("objective", [OBJECTIVES[0], OBJECTIVES[1], OBJECTIVES[3]], ids=str)
@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_the_average_is_the_mean_of_the_iterates(rule: str, objective: dict[str, Any]) -> None:
    averaged = {"type": rule, "l2": 0.03, "average_from": "4 steps"}
    engine = make_engine(**objective, optimizer=averaged)
    plain = make_engine(**objective, optimizer={"type": rule, "l2": 0.03})
    weights, biases = [], []
    for step in range(17):
        engine.step()
        plain.step()
        if step >= 4:
            weights.append(weights_of(plain)[0])
            biases.append(weights_of(plain)[1])
    np.testing.assert_allclose(weights_of(engine)[0], weights_of(plain)[0], rtol=1e-4, atol=1e-6)
    saved: Any = engine.tensors()["model"]
    assert isinstance(saved["weight"], AveragedTensor)
    mean, mean_bias = mean_of_iterates(weights), mean_of_iterates(biases)
    np.testing.assert_allclose(saved["weight"].whole(), mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(saved["bias"].whole(), mean_bias, rtol=1e-4, atol=1e-6)
    batch = BatchReader(engine.dataset, D).take(np.arange(N))
    scores = batch_scores(dense_matrix(engine.dataset, D), mean, mean_bias)
    np.testing.assert_allclose(engine.model.score_all(batch), scores, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize("rule", OPTIMIZERS)
def test_threads_do_not_change_a_bit(rule: str, objective: dict[str, Any]) -> None:
    optimizer = {"type": rule, "l2": 0.01, "average_from": "2 steps"}
    engines = [make_engine(**objective, optimizer=optimizer) for _ in range(2)]
    for _ in range(12):
        for threads, engine in enumerate(engines, start=1):
            kernels.use_threads(threads)
            engine.step()
    one, two = (weights_of(engine) for engine in engines)
    assert np.array_equal(one[0], two[0])
    assert np.array_equal(one[1], two[1])


def test_many_classes_span_blocks() -> None:
    num_classes = 3 * kernels.BLOCK + 5
    dataset = make_dataset(30, num_classes, D, seed=2)
    config = make_config(objective={"type": "exact"}, optimizer={"learning_rate": 1.0})
    engine = Engine(config, dataset, make_vocabulary(num_classes, D))
    weight, bias = weights_of(engine)
    engine.step()
    ids = epoch_order(1, 0, 30, 0, B)
    rows = dense_matrix(dataset, D)[ids]
    d_scores = [
        exact_d_scores(z, c)
        for z, c in zip(batch_scores(rows, weight, bias), dataset.targets[ids], strict=True)
    ]
    d_weight, d_bias = dense_gradients(rows, np.array(d_scores), np.ones(B))
    moved, moved_bias = weights_of(engine)
    np.testing.assert_allclose(weight - moved, d_weight, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(bias - moved_bias, d_bias, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0, 5])
def test_schedules(schedule: str, warmup: int) -> None:
    optimizer = {"schedule": schedule, "warmup": f"{warmup} steps", "learning_rate": 0.25}
    engine = make_engine(optimizer=optimizer, training={"epochs": 3})
    for step in range(engine.total_steps):
        expected = learning_rate(schedule, 0.25, step, engine.total_steps, warmup)
        assert engine.rate == pytest.approx(expected)
        engine.step()


EACH_KIND = [OBJECTIVES[0], OBJECTIVES[1], OBJECTIVES[3]]


def run_to_the_end(engine: Engine) -> None:
    while engine.done < engine.total_steps:
        engine.step()


@pytest.mark.parametrize("objective", EACH_KIND, ids=str)
def test_a_rate_that_is_far_too_high_is_noticed(objective: dict[str, Any]) -> None:
    engine = make_engine(**objective, optimizer={"learning_rate": 1e9}, training={"epochs": 9})
    message = r"diverged at step \d+ \(epoch \d+\), learning rate 1e\+09: the loss is"
    with pytest.raises(DivergedError, match=message):
        run_to_the_end(engine)


@pytest.mark.parametrize("objective", EACH_KIND, ids=str)
def test_weights_that_overflow_are_noticed(objective: dict[str, Any]) -> None:
    engine = make_engine(**objective, optimizer={"learning_rate": 3e38})
    engine.dataset.values[:] *= 100
    with pytest.raises(DivergedError, match=r"at step 1 .*: a weight is no longer finite"):
        run_to_the_end(engine)


@pytest.mark.parametrize("objective", EACH_KIND, ids=str)
def test_a_loss_that_is_not_finite_names_its_line(objective: dict[str, Any]) -> None:
    engine = make_engine(**objective)
    engine.dataset.values[:] = np.inf
    model: Any = engine.model
    model.weight[:] = 1
    with pytest.raises(DivergedError, match=r"the loss of the example in none.svm:\d+ is not"):
        run_to_the_end(engine)
    assert (model.weight == 1).all()


def test_a_sweep_that_ruins_the_weights_is_noticed() -> None:
    engine = make_engine(optimizer={"l2": 0.5, "l2_interval": 1000})
    engine.step()
    engine._pending_decay = float("nan")
    with pytest.raises(DivergedError, match=r"a weight is no longer finite"):
        engine.sweep()


def test_a_bad_start_is_given_time_to_recover() -> None:
    engine = make_engine(objective={"type": "exact"}, optimizer={"learning_rate": 1e-3})
    model: Any = engine.model
    model.bias[0] = 200 * np.log(V)
    losses = [engine.step() for _ in range(12)]
    assert np.mean(losses) > 20 * np.log(V)


def test_heavy_examples_are_no_divergence() -> None:
    engine = make_engine(optimizer={"learning_rate": 1e-4}, training={"epochs": 9})
    engine.dataset.weights[:] *= 1000
    plain = make_engine(optimizer={"learning_rate": 0.1}, training={"epochs": 9})
    for _ in range(engine.total_steps):
        assert engine.step() == pytest.approx(1000 * plain.step(), rel=1e-3)
    assert engine.state()["recent_losses"] == pytest.approx(plain.state()["recent_losses"], 1e-3)


def test_light_examples_hide_no_divergence() -> None:
    engine = make_engine(optimizer={"learning_rate": 1e12}, training={"epochs": 9})
    engine.dataset.weights[:] *= 1e-3
    with pytest.raises(DivergedError, match="the loss is"):
        run_to_the_end(engine)


def test_a_batch_without_weight_is_not_watched() -> None:
    engine = make_engine()
    engine.dataset.weights[:] = 0
    assert engine.step() == 0
    assert engine.state()["recent_losses"] == []
