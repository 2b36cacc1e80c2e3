"""The hashed table's kernels against plain references: places, signs, runs, updates of cells."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference.softmax import exact_d_scores
from small import dense_matrix, make_candidates, make_dataset, make_vocabulary, whole_batch

from sstrain import kernels
from sstrain.models.base import Scores, StepContext
from sstrain.models.hashed import Hashed
from sstrain.models.hashed_table import HashedModel
from sstrain.optim import OPTIMIZERS

N, V, D, BITS = 40, 83, 12, 10
RATE = 0.5
ALL_BITS = 2**64 - 1
Floats = NDArray[np.float64]


def mixed(bits: int) -> int:
    """Return SplitMix64's finaliser."""
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 & ALL_BITS
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB & ALL_BITS
    return bits ^ (bits >> 31)


def place(model: HashedModel, feature: int, label: int) -> tuple[int, int]:
    """Return the cell of a feature and a class, and the sign with which it counts."""
    feature_key, class_key = int(model.feature_keys[feature]), int(model.class_keys[label])
    line, lane = class_key >> 4, class_key & 15
    bits = mixed(feature_key * 0x9E3779B97F4A7C15 + line * 0xD1342543DE82EF95 & ALL_BITS)
    cell = (bits & (len(model.weight) // 16 - 1)) * 16 + lane
    return cell, -1 if model.signed and bits >> (48 + lane) & 1 else 1


def make_hashed(rule: str = "sgd", signed: bool = True, shuffled: bool = False) -> HashedModel:
    """Return a model of random weights in which many pairs share a cell."""
    keys = {"initial_accumulator": 0.01} if OPTIMIZERS[rule].adaptive else {}
    optimizer = OPTIMIZERS[rule].model_validate({"type": rule, "learning_rate": RATE, **keys})
    model = Hashed(bits=BITS, signed=signed).allocate(D, V, optimizer)
    model.initialise(make_vocabulary(V, D), 1)
    rng = np.random.default_rng(0)
    model.weight[:] = rng.normal(size=len(model.weight))
    if shuffled:
        model.class_keys[:] = rng.permutation(2 * V)[:V]
        model.feature_keys[:] = rng.permutation(5 * D)[:D]
    return model


def plain_weights(model: HashedModel) -> Floats:
    """Return the weights [D, V] that the table stands for."""
    weights = np.empty((D, V))
    for f, c in np.ndindex(D, V):
        cell, sign = place(model, f, c)
        weights[f, c] = sign * model.weight[cell]
    return weights


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("shuffled", [True, False])
def test_scores_are_those_of_the_plain_weights(signed: bool, shuffled: bool) -> None:
    model = make_hashed(signed=signed, shuffled=shuffled)
    features, classes = (axis.ravel() for axis in np.mgrid[:D, :V])
    weights = plain_weights(model)
    assert np.array_equal(model.weights(features, classes).reshape(D, V), weights)
    dataset = make_dataset(N, V, D, seed=3)
    batch = whole_batch(dataset, D)
    expected = dense_matrix(dataset, D) @ weights + model.bias
    np.testing.assert_allclose(model.score_all(batch), expected, rtol=1e-5, atol=1e-5)
    found = model.forward(batch, StepContext(RATE, 1))
    log_partitions = np.empty(N)
    kernels.merge_log_partition(*found.partials, log_partitions)
    own = expected[np.arange(N), batch.targets]
    np.testing.assert_allclose(found.target_scores, own, rtol=1e-5, atol=1e-5)
    log_sums = np.log(np.exp(expected).sum(axis=1))
    np.testing.assert_allclose(log_partitions, log_sums, rtol=1e-5, atol=1e-6)


def test_many_pairs_share_a_cell_and_signs_are_even() -> None:
    model = make_hashed()
    places = [place(model, f, c) for f, c in np.ndindex(D, V)]
    assert len({cell for cell, _ in places}) < 0.8 * len(places)
    assert abs(np.mean([sign for _, sign in places])) < 0.15


@given(st.lists(st.integers(0, 60), min_size=1, max_size=50, unique=True), st.integers(1, 20))
@settings(deadline=None)
def test_runs_cover_the_classes_and_stay_in_a_line(keys: list[int], block: int) -> None:
    count = len(keys)
    num_blocks = -(-count // block)
    runs = kernels.ClassRuns(np.empty(count + 1, np.int32), np.empty(num_blocks + 1, np.int32))
    kernels.class_runs(np.array(keys), block, runs)
    starts = runs.classes[: runs.of_block[-1] + 1].tolist()
    assert starts[0] == 0
    assert starts[-1] == count
    for start, stop in pairwise(starts):
        run = keys[start:stop]
        assert run == list(range(run[0], run[0] + len(run)))
        assert len({key >> 4 for key in run}) == 1
        assert start // block == (stop - 1) // block
    assert [starts[run] for run in runs.of_block] == [*range(0, count, block), count]


def updated(
    model: HashedModel, changes: list[tuple[int, int, float]], rule: str
) -> tuple[Floats, Floats]:
    """Return the table after changes (feature, class, gradient), each made after the one before."""
    table, squares = model.weight.astype(float), np.full(len(model.weight), 0.01)
    for f, c, gradient in changes:
        cell, sign = place(model, f, c)
        squares[cell] += gradient**2
        step = RATE * sign * gradient
        table[cell] -= step / np.sqrt(squares[cell]) if rule == "adagrad" else step
    return table, squares


def candidates(rng: np.random.Generator, groups: int, width: int) -> Any:
    """Return random distinct candidates, fewer than there is room for in some groups."""
    counts = rng.integers(3, width, groups, endpoint=True)
    classes = np.zeros((groups, width), np.int32)
    for group, count in enumerate(counts):
        classes[group, :count] = np.sort(rng.choice(V, count, replace=False))
    ones = np.ones((groups, width), np.float32)
    return make_candidates(classes, ones, ones, counts.astype(np.int32))


def sampled_changes(
    batch: Any, drawn: Any, d_scores: Scores
) -> tuple[list[tuple[int, int, float]], Floats]:
    """Return each pair's gradient, slot by slot in the order of first mention; the bias's too."""
    rows = batch.arrays
    changes, bias = [], np.zeros(V)

    def add(i: int, x: float, total: dict[int, float]) -> None:
        group = 0 if len(drawn.counts) == 1 else i
        for k in range(drawn.counts[group]):
            label = int(drawn.classes[group, k])
            total[label] = total.get(label, 0) + x * float(d_scores.candidates[i, k])
        label = int(batch.targets[i])
        total[label] = total.get(label, 0) + x * float(d_scores.targets[i])

    for slot in range(batch.num_features):
        shared = len(drawn.counts) == 1
        total = {int(c): 0.0 for c in drawn.classes[0, : drawn.counts[0]]} if shared else {}
        for entry in range(rows.column_indptr[slot], rows.column_indptr[slot + 1]):
            add(rows.column_rows[entry], float(rows.column_values[entry]), total)
        changes += [(int(rows.features[slot]), c, g) for c, g in total.items()]
    whole: dict[int, float] = {}
    for i in range(batch.size):
        add(i, 1.0, whole)
    bias[list(whole)] = list(whole.values())
    return changes, bias


@pytest.mark.parametrize("rule", ["sgd", "adagrad"])
@pytest.mark.parametrize("groups", [1, N])
@pytest.mark.parametrize("signed", [True, False])
def test_a_sampled_update_changes_cells_in_order(rule: str, groups: int, signed: bool) -> None:
    model = make_hashed(rule, signed, shuffled=True)
    rng = np.random.default_rng(5)
    batch = whole_batch(make_dataset(N, V, D, seed=3), D)
    drawn, hits = candidates(rng, groups, 9), np.empty(N, np.int32)
    kernels.find_hits(drawn, batch.targets, hits)
    gradient = Scores(
        rng.normal(size=N).astype(np.float32), rng.normal(size=(N, 9)).astype(np.float32)
    )
    changes, d_bias = sampled_changes(batch, drawn, gradient)
    expected, _ = updated(model, changes, rule)
    bias = model.bias.astype(float)
    assert model.update(batch, drawn, hits, gradient, StepContext(RATE, 1)) == 0
    np.testing.assert_allclose(model.weight, expected, rtol=1e-4, atol=2e-5)
    if rule == "sgd":
        np.testing.assert_allclose(model.bias, bias - RATE * d_bias, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("shuffled", [True, False])
def test_an_exact_sgd_step_sums_the_gradients_of_a_cell(signed: bool, shuffled: bool) -> None:
    model = make_hashed(signed=signed, shuffled=shuffled)
    dataset = make_dataset(N, V, D, seed=3, weighted=True)
    batch, rows = whole_batch(dataset, D), dense_matrix(dataset, D)
    scores = rows @ plain_weights(model) + model.bias
    d_scores = np.array(
        [exact_d_scores(z, int(c)) for z, c in zip(scores, batch.targets, strict=True)]
    )
    d_scores *= dataset.weights[:, np.newaxis] / N
    d_weights = rows.T @ d_scores
    changes = [(f, c, float(d_weights[f, c])) for f, c in np.ndindex(D, V)]
    expected, _ = updated(model, changes, "sgd")
    bias = model.bias - RATE * d_scores.sum(axis=0)
    found = model.forward(batch, StepContext(RATE, 1))
    log_partitions = np.log(np.exp(scores).sum(axis=1))
    assert model.update_all(batch, found, log_partitions, StepContext(RATE, 1)) == 0
    np.testing.assert_allclose(model.weight, expected, rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(model.bias, bias, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("rule", ["adagrad", "rowwise_adagrad"])
@pytest.mark.parametrize("groups", [1, N])
def test_a_cell_that_is_not_finite_is_counted(rule: str, groups: int) -> None:
    model = make_hashed(rule)
    batch = whole_batch(make_dataset(N, V, D, seed=3), D)
    drawn, hits = candidates(np.random.default_rng(5), groups, 9), np.full(N, -1, np.int32)
    kernels.find_hits(drawn, batch.targets, hits)
    gradient = Scores(np.zeros(N, np.float32), np.zeros((N, 9), np.float32))
    assert model.update(batch, drawn, hits, gradient, StepContext(RATE, 1)) == 0
    model.weight[:] = np.inf
    assert model.update(batch, drawn, hits, gradient, StepContext(RATE, 1)) == kernels.REGIONS
