"""The exact gradient of the dense table, where blocks of classes end, against plain sums."""

import numpy as np
import pytest
from numpy.typing import NDArray
from reference.softmax import exact_d_scores
from small import dense_matrix, make_dataset, make_vocabulary, whole_batch

from sstrain import kernels
from sstrain.models.base import StepContext
from sstrain.models.dense import Dense, DenseModel
from sstrain.optim import OPTIMIZERS

N, D, RATE = 9, 12, 0.5
#: Around a tile of 128 classes and a block of 256.
SIZES = [2, 127, 128, 129, 255, 256, 257, 385, 640]
Floats = NDArray[np.float64]


def make_dense(num_classes: int, rule: str, dtype: str = "float32") -> DenseModel:
    keys = {"initial_accumulator": 0.01} if OPTIMIZERS[rule].adaptive else {}
    optimizer = OPTIMIZERS[rule].model_validate({"type": rule, "learning_rate": RATE, **keys})
    model = Dense.model_validate({"dtype": dtype}).allocate(D, num_classes, optimizer)
    model.initialise(make_vocabulary(num_classes, D), 1)
    weights = np.random.default_rng(0).normal(size=(D, num_classes)).astype(np.float32)
    model.weight[:] = (weights.view(np.uint32) >> 16) if dtype == "bfloat16" else weights
    return model


def plain_weights(model: DenseModel) -> Floats:
    features, classes = (axis.ravel() for axis in np.mgrid[:D, : model.num_classes])
    return model.weights(features, classes).reshape(D, -1).astype(np.float64)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("num_classes", SIZES)
def test_scores_and_log_partitions_are_those_of_the_plain_weights(
    num_classes: int, dtype: str
) -> None:
    model = make_dense(num_classes, "sgd", dtype)
    dataset = make_dataset(N, num_classes, D, seed=3)
    batch = whole_batch(dataset, D)
    expected = dense_matrix(dataset, D) @ plain_weights(model) + model.bias
    np.testing.assert_allclose(model.score_all(batch), expected, rtol=1e-5, atol=1e-5)
    found = model.forward(batch, StepContext(RATE, 1))
    own = expected[np.arange(N), batch.targets]
    np.testing.assert_allclose(found.target_scores, own, rtol=1e-5, atol=1e-5)
    log_partitions = np.empty(N)
    kernels.merge_log_partition(*found.partials, log_partitions)
    highest = expected.max(axis=1, keepdims=True)
    truth = highest[:, 0] + np.log(np.exp(expected - highest).sum(axis=1))
    # That of the prior is 0, from weights that are rounded to float32.
    np.testing.assert_allclose(log_partitions, truth, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rule", ["sgd", "rowwise_adagrad"])
@pytest.mark.parametrize("num_classes", SIZES)
def test_every_weight_of_every_block_takes_the_step(num_classes: int, rule: str) -> None:
    model = make_dense(num_classes, rule)
    dataset = make_dataset(N, num_classes, D, seed=3)
    batch = whole_batch(dataset, D)
    rows = dense_matrix(dataset, D)
    before = np.vstack([plain_weights(model), model.bias[np.newaxis].astype(np.float64)])
    scores = rows @ before[:D] + before[D]
    d_scores = np.array(
        [exact_d_scores(s, int(c)) for s, c in zip(scores, batch.targets, strict=True)]
    )
    d_scores *= batch.weights[:, np.newaxis] / N
    gradient = np.vstack([rows.T @ d_scores, d_scores.sum(axis=0)])
    rates = np.full(D + 1, RATE)
    if rule == "rowwise_adagrad":
        rates /= np.sqrt((gradient**2).sum(axis=1) + 0.01)
    context = StepContext(RATE, 1)
    found = model.forward(batch, context)
    log_partitions = np.empty(N)
    kernels.merge_log_partition(*found.partials, log_partitions)
    assert model.update_all(batch, found, log_partitions, context) == 0
    after = np.vstack([plain_weights(model), model.bias[np.newaxis]])
    np.testing.assert_allclose(
        after - before, -rates[:, np.newaxis] * gradient, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("num_classes", [3, 300])
def test_one_weight_that_is_not_finite_is_found(num_classes: int) -> None:
    model = make_dense(num_classes, "sgd")
    dataset = make_dataset(N, num_classes, D, seed=3)
    batch = whole_batch(dataset, D)
    context = StepContext(RATE, 1)
    found = model.forward(batch, context)
    log_partitions = np.zeros(N)
    log_partitions[2] = np.nan
    assert model.update_all(batch, found, log_partitions, context) > 0
