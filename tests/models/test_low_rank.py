"""The low-rank layout's steps against its float64 reference, and what it refuses."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference.low_rank import Factors, LowRankGradients, gradients, pooling_factors, scores
from small import (
    dense_matrix,
    make_candidates,
    make_config,
    make_dataset,
    make_model,
    make_vocabulary,
    whole_batch,
)

from sstrain import kernels
from sstrain.data.batches import Batch
from sstrain.errors import UserError
from sstrain.models.base import Matching, Scores, StepContext
from sstrain.models.low_rank import LowRank
from sstrain.optim.sgd import Sgd

Floats = NDArray[np.float64]
#: Three tiles of examples, three blocks of classes of which the last is shorter.
N, D, V, R = 200, 60, 700, 19
RATE = 2.0**10
DATA = make_dataset(N, V, D, seed=2, weighted=True)
ROWS = dense_matrix(DATA, D)
CONTEXT = StepContext(RATE, -5)
PLAIN: dict[str, Any] = {}
BOTH = {"pooling": "mean", "dropout": 0.4}
settings = pytest.mark.parametrize("keys", [PLAIN, BOTH], ids=["plain", "mean and dropout"])


def make(keys: dict[str, Any], **optimizer: Any) -> Any:
    """Return a model with random factors."""
    config = make_config(model={"type": "low_rank", "rank": R, **keys}, optimizer=optimizer)
    model = make_model(config, make_vocabulary(V, D))
    rng = np.random.default_rng(1)
    for one in model.parameters.values():
        one.assign(rng.normal(scale=0.4, size=one.values.shape).astype(np.float32))
    return model


def factors_of(model: Any) -> Factors:
    return Factors(*(one.as_float32().astype(float) for one in model.parameters.values()))


def pooling_of(keys: dict[str, Any]) -> Floats:
    """Return the reference's pooling, with the step's mask as the kernel draws it."""
    rate = keys.get("dropout", 0.0)
    table = kernels.DenseTable(np.ones(D * R, np.float32), R, np.uint64(0))
    pooling = kernels.Pooling(False, np.float32(rate), np.uint64(CONTEXT.key % 2**64))
    batch, found = whole_batch(DATA, D), np.empty((N, R), np.float32)
    plain = pooling._replace(dropout=np.float32(0))
    kernels.low_rank_pool(
        table, kernels.NotAveraged(), pooling, batch.arrays, batch.example_ids, found
    )
    kept = found != 0
    kernels.low_rank_pool(
        table, kernels.NotAveraged(), plain, batch.arrays, batch.example_ids, found
    )
    return pooling_factors(
        np.diff(DATA.indptr), keys.get("pooling") == "mean", kept | (found == 0), rate
    )


def draw(shared: bool) -> "kernels.Candidates":
    """Return candidates, as drawn from all classes."""
    rng = np.random.default_rng(3)
    groups, width = (1, 90) if shared else (N, 11)
    classes = np.array([np.sort(rng.permutation(V)[:width]) for _ in range(groups)], np.int32)
    ones = np.ones(classes.shape, np.float32)
    counts = np.full(groups, 80) if shared else rng.integers(0, width + 1, groups)
    return make_candidates(classes, ones, ones, counts.astype(np.int32))


def check_change(
    model: Any, before: Factors, expected: LowRankGradients, tolerance: float = 2e-6
) -> None:
    """Check what a step of SGD has changed."""
    for found, was, gradient in zip(
        factors_of(model), before, (expected.features, expected.classes, expected.bias), strict=True
    ):
        np.testing.assert_allclose((was - found) / RATE, gradient, rtol=2e-5, atol=tolerance)


@settings
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "each"])
def test_equations_42_to_46_a_sampled_step(shared: bool, keys: dict[str, Any]) -> None:
    model, batch, candidates = make(keys), whole_batch(DATA, D), draw(shared)
    before, pooling = factors_of(model), pooling_of(keys)
    hits = np.empty(N, np.int32)
    kernels.find_hits(candidates, batch.targets, hits)
    found = model.score(batch, candidates, hits, CONTEXT)
    expected = scores(ROWS, before, pooling)
    every = np.arange(N)
    np.testing.assert_allclose(found.targets, expected[every, batch.targets], rtol=1e-5, atol=1e-5)
    rng, d_all = np.random.default_rng(6), np.zeros((N, V))
    d_scores = Scores(*(rng.normal(size=part.shape).astype(np.float32) for part in found))
    for i in every:
        g = 0 if shared else i
        count = candidates.counts[g]
        classes = candidates.classes[g, :count]
        row = found.candidates[i, :count]
        np.testing.assert_allclose(row, expected[i, classes], rtol=1e-5, atol=1e-5)
        d_all[i, classes] += d_scores.candidates[i, :count]
        d_all[i, batch.targets[i]] += d_scores.targets[i]
    assert model.update(batch, candidates, hits, d_scores, CONTEXT) == 0
    check_change(model, before, gradients(ROWS, before, pooling, d_all), 2e-4)


@settings
def test_equations_42_to_46_an_exact_step(keys: dict[str, Any]) -> None:
    model, batch = make(keys), whole_batch(DATA, D)
    before, pooling = factors_of(model), pooling_of(keys)
    expected = scores(ROWS, before, pooling)
    log_partitions = np.log(np.sum(np.exp(expected), axis=1))
    forward = model.forward(batch, CONTEXT)
    found = np.empty(N)
    kernels.merge_log_partition(forward.partials.highest, forward.partials.total, found)
    np.testing.assert_allclose(found, log_partitions, rtol=1e-6)
    of_targets = expected[np.arange(N), batch.targets]
    np.testing.assert_allclose(forward.target_scores, of_targets, rtol=1e-5, atol=1e-5)
    d_scores = np.exp(expected - log_partitions[:, np.newaxis])
    d_scores[np.arange(N), batch.targets] -= 1
    d_scores *= batch.weights[:, np.newaxis] / N
    assert model.update_all(batch, forward, log_partitions, CONTEXT) == 0
    check_change(model, before, gradients(ROWS, before, pooling, d_scores))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_approximate_index_gets_what_scores_are_made_of(dtype: str) -> None:
    model, batch = (
        make({"dropout": 0.5, "dtype": dtype}, average_from="0 steps"),
        whole_batch(DATA, D),
    )
    for factor in (1.0, 0.5, 0.25):
        model.count_averaged_step()
        model.sweep(factor, 0)
    vectors, bias = model.class_vectors()
    assert vectors.dtype == bias.dtype == np.float32
    expected = model.pooled(batch) @ vectors.T + bias
    np.testing.assert_allclose(model.score_all(batch), expected, rtol=1e-5, atol=1e-5)
    live = model.score_all(batch, averaged=False).copy()
    assert not np.allclose(live, expected, atol=1e-3)


def score_all(model: Any, batch: Batch) -> None:
    model.score_all(batch)


def step_of_no_change(model: Any, batch: Batch) -> None:
    """Take a step, with candidates of each example's own, whose gradient is 0."""
    candidates, hits = draw(False), np.empty(N, np.int32)
    kernels.find_hits(candidates, batch.targets, hits)
    found = model.score(batch, candidates, hits, CONTEXT)
    nothing = Scores(*(np.zeros_like(part) for part in found))
    model.update(batch, candidates, hits, nothing, CONTEXT)


@pytest.mark.parametrize("between", [score_all, step_of_no_change])
def test_what_comes_between_the_two_halves_of_a_step_does_not_change_it(
    between: Callable[[Any, Batch], None],
) -> None:
    batch, candidates, hits = whole_batch(DATA, D), draw(True), np.empty(N, np.int32)
    kernels.find_hits(candidates, batch.targets, hits)
    models = make(BOTH), make(BOTH)
    for model in models:
        found = Scores(*(part.copy() for part in model.score(batch, candidates, hits, CONTEXT)))
        if model is models[1]:
            between(model, batch)
        gradient = Scores(*(np.ones_like(part) for part in found))
        model.update(batch, candidates, hits, gradient, CONTEXT)
    for one, other in zip(factors_of(models[0]), factors_of(models[1]), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("shared", [True, False, None], ids=["shared", "each", "exact"])
def test_a_step_is_the_same_bits_for_any_number_of_threads(shared: bool | None) -> None:
    batch, hits = whole_batch(DATA, D), np.empty(N, np.int32)
    ends = []
    try:
        for threads in (1, 2):
            kernels.use_threads(threads)
            model = make(BOTH)
            if shared is None:
                forward = model.forward(batch, CONTEXT)
                model.update_all(batch, forward, np.full(N, 8.0), CONTEXT)
            else:
                candidates = draw(shared)
                kernels.find_hits(candidates, batch.targets, hits)
                found = model.score(batch, candidates, hits, CONTEXT)
                model.update(batch, candidates, hits, found, CONTEXT)
            ends.append(np.concatenate([part.ravel() for part in factors_of(model)]))
    finally:
        kernels.use_threads(None)
    assert np.array_equal(ends[0], ends[1])


def test_vectors_start_small_and_random_and_the_bias_at_the_prior() -> None:
    config = make_config(model={"type": "low_rank", "rank": R})
    vocabulary = make_vocabulary(V, D)
    features, classes, bias = factors_of(make_model(config, vocabulary))
    numbers = np.concatenate([features.ravel(), classes.ravel()])
    assert len(np.unique(numbers)) > 0.99 * numbers.size
    assert 0.99 < np.abs(numbers).max() * np.sqrt(R) <= 1 + 1e-6
    np.testing.assert_allclose(bias, vocabulary.log_prior(), rtol=1e-6)
    other = factors_of(make_model(config.model_copy(update={"seed": 2}), vocabulary))
    assert np.mean(other.features == features) < 0.01
    assert np.mean(other.classes == classes) < 0.01


@pytest.mark.parametrize(("num_features", "num_classes"), [(10, 50), (50, 10)])
def test_a_rank_above_the_data_is_refused(num_features: int, num_classes: int) -> None:
    LowRank(rank=10).check(num_features, num_classes)
    with pytest.raises(UserError, match=r"^model\.rank: .* got 11; .* at most 10 is allowed$"):
        LowRank(rank=11).check(num_features, num_classes)


@pytest.mark.parametrize(
    "keys", [{"rank": 0}, {"rank": 1025}, {"dropout": 1.0}, {"pooling": "max"}]
)
def test_settings_out_of_range_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(keys))):
        LowRank.model_validate(keys)


@pytest.mark.parametrize(
    ("keys", "message"),
    [({"rank": 3}, "rank: .*; got 19; expected 3"), ({"pooling": "mean"}, "pooling: .*; got sum")],
)
def test_a_model_of_another_kind_is_not_taken_over(keys: dict[str, Any], message: str) -> None:
    old = LowRank.model_validate({"rank": R, **keys}).allocate(D, V, Sgd())
    with pytest.raises(UserError, match=f"^model.{message}"):
        make(PLAIN).take_over(old, Matching(np.arange(D), np.arange(V)))


def test_vectors_are_taken_over_by_name() -> None:
    old, new = (
        make(PLAIN),
        make_model(make_config(model={"type": "low_rank", "rank": R}), make_vocabulary(3, 4)),
    )
    started = factors_of(new)
    new.take_over(old, Matching(np.array([7, -1, 59, 0]), np.array([-1, 699, 2])))
    before, after = factors_of(old), factors_of(new)
    assert np.array_equal(after.features[[0, 2, 3]], before.features[[7, 59, 0]])
    assert np.array_equal(after.features[1], started.features[1])
    assert np.array_equal(after.classes[1:], before.classes[[699, 2]])
    assert np.array_equal(after.bias[1:], before.bias[[699, 2]])
    assert np.array_equal(after.classes[0], started.classes[0])


def test_memory_counts_both_tables() -> None:
    section = LowRank.model_validate({"rank": 8, "dtype": "bfloat16"})
    assert section.memory_bytes(1000, 300, Sgd()) == {"weights": 2 * 8 * 1300 + 4 * 300}
    averaged = section.memory_bytes(1000, 300, Sgd.model_validate({"average_from": "1 epoch"}))
    assert averaged["averaging"] == 4 * (8 * 1300 + 300)
