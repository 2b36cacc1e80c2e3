"""Kernels of the diagnostics against dense numpy arrays."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from small import dense_matrix, make_candidates, make_dataset, whole_batch

from sstrain import kernels
from sstrain.data.batches import Batch

B, V, K, D = 9, 14, 6, 5


@dataclass
class Drawn:
    """Random gradients of a batch, sparse and dense."""

    batch: Batch
    rows: NDArray[np.float64]
    candidates: "kernels.Candidates"
    hits: NDArray[np.int32]
    sampled: "kernels.SampledGradients"
    dense: NDArray[np.float64]


@pytest.fixture(params=[1, B], ids=["shared", "each"])
def drawn(request: pytest.FixtureRequest) -> Drawn:
    groups = request.param
    rng = np.random.default_rng(1)
    dataset = make_dataset(B, V, D, seed=2)
    batch = whole_batch(dataset, D)
    counts = rng.integers(2, K + 1, groups).astype(np.int32)
    classes = np.full((groups, K), V + 1000, np.int32)  # never to be read past the counts
    for g, count in enumerate(counts):
        classes[g, :count] = np.sort(rng.choice(V, count, replace=False))
    candidates = make_candidates(
        classes,
        rng.integers(1, 4, (groups, K)).astype(np.float32),
        rng.normal(size=(groups, K)).astype(np.float32),
        counts,
    )
    hits = np.empty(B, np.int32)
    kernels.find_hits(candidates, batch.targets, hits)
    assert (hits >= 0).any()
    d_targets = rng.normal(size=B).astype(np.float32)
    d_scores = rng.normal(size=(B, K)).astype(np.float32)
    dense = np.zeros((B, V))
    for i in range(B):
        g = 0 if groups == 1 else i
        dense[i, classes[g, : counts[g]]] = d_scores[i, : counts[g]]
        dense[i, batch.targets[i]] += d_targets[i]
    kernels.merge_hits(hits, d_targets, d_scores)
    sampled = kernels.SampledGradients(classes, counts, batch.targets, d_targets, d_scores)
    return Drawn(batch, dense_matrix(dataset, D), candidates, hits, sampled, dense)


def is_target(drawn: Drawn) -> NDArray[np.bool_]:
    return np.asarray(np.arange(V) == drawn.batch.targets[:, np.newaxis])


def test_gathered_scores_are_those_of_the_classes(drawn: Drawn) -> None:
    every = np.random.default_rng(3).normal(size=(B, V)).astype(np.float32)
    targets, scores = np.empty(B, np.float32), np.zeros((B, K), np.float32)
    kernels.gather_scores(every, drawn.candidates, drawn.batch.targets, targets, scores)
    for i in range(B):
        g = 0 if len(drawn.candidates.counts) == 1 else i
        count = drawn.candidates.counts[g]
        assert targets[i] == every[i, drawn.batch.targets[i]]
        assert np.array_equal(scores[i, :count], every[i, drawn.candidates.classes[g, :count]])


def test_error_squares_and_products(drawn: Drawn) -> None:
    exact = np.random.default_rng(4).normal(size=(B, V))
    masks = np.array([~is_target(drawn), is_target(drawn)])
    norms = np.sum(masks * exact**2, axis=2)
    squares, products = np.ones((2, B, 3)), np.ones((2, B, 3))
    kernels.add_error_squares(drawn.sampled, exact, norms, 1, squares, products)
    errors = drawn.dense - exact
    np.testing.assert_allclose(squares[:, :, 1], 1 + np.sum(masks * errors**2, axis=2), rtol=1e-6)
    np.testing.assert_allclose(
        products[:, :, 1], 1 + np.sum(masks * errors * exact, axis=2), rtol=1e-6, atol=1e-6
    )
    assert (squares[:, :, [0, 2]] == 1).all()


@pytest.mark.parametrize(("start", "width"), [(0, V), (3, 5)])
def test_negatives_are_added_to_their_group_and_tile(drawn: Drawn, start: int, width: int) -> None:
    sums = np.ones((B, 2, width), np.float32)
    kernels.add_negatives(drawn.sampled, start, 1, sums)
    expected = np.where(is_target(drawn), 0, drawn.dense)[:, start : start + width]
    np.testing.assert_allclose(sums[:, 1], 1 + expected, rtol=1e-6)
    assert (sums[:, 0] == 1).all()


def test_squared_norms_of_the_batch_gradient(drawn: Drawn) -> None:
    shares = np.random.default_rng(5).uniform(0.5, 2, B) / B
    scratch = np.zeros(V)
    by_bias = kernels.squared_norm_of_mean(drawn.sampled, shares, scratch)
    np.testing.assert_allclose(by_bias, np.sum((shares @ drawn.dense) ** 2), rtol=1e-6)
    by_weight = kernels.squared_norm_of_mean_by_feature(
        drawn.sampled, drawn.batch.arrays, drawn.batch.num_features, shares, scratch
    )
    gradient = drawn.rows.T @ (shares[:, np.newaxis] * drawn.dense)
    np.testing.assert_allclose(by_weight, np.sum(gradient**2), rtol=1e-6)
    assert (scratch == 0).all()


@pytest.mark.parametrize("rows", [1, B])
def test_product_with_a_dense_array(drawn: Drawn, rows: int) -> None:
    rng = np.random.default_rng(6)
    shares, onto = rng.normal(size=B), rng.normal(size=(rows, V))
    found = kernels.projected_product(drawn.sampled, shares, onto)
    expected = np.sum(shares[:, np.newaxis] * drawn.dense * onto)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_effective_sample_sizes(drawn: Drawn, scale: float) -> None:
    candidates = drawn.candidates
    scores = (scale * np.random.default_rng(7).normal(size=(B, K))).astype(np.float32)
    sizes = np.empty(B)
    kernels.effective_sample_sizes(scores, candidates, drawn.hits, sizes)
    for i in range(B):
        g = 0 if len(candidates.counts) == 1 else i
        kept = np.arange(K) < candidates.counts[g]
        kept[drawn.hits[i]] &= drawn.hits[i] < 0
        logs = (scores[i] - candidates.log_expected_count[g])[kept].astype(np.float64)
        times = candidates.multiplicity[g][kept].astype(int)
        weights = np.repeat(np.exp(logs - logs.max()), times)
        np.testing.assert_allclose(sizes[i], weights.sum() ** 2 / (weights**2).sum(), rtol=1e-5)


def test_draws_that_are_all_hits_have_no_effective_sample() -> None:
    one = np.ones((1, 1), np.float32)
    candidates = make_candidates(np.zeros((1, 1), np.int32), one, one, np.ones(1, np.int32))
    sizes = np.full(1, 9.0)
    kernels.effective_sample_sizes(one, candidates, np.zeros(1, np.int32), sizes)
    assert sizes[0] == 0


def test_products_of_examples(drawn: Drawn) -> None:
    products = np.full((B, B), 7.0)
    kernels.example_products(drawn.batch.arrays, drawn.batch.num_features, products)
    np.testing.assert_allclose(products, drawn.rows @ drawn.rows.T, rtol=1e-6, atol=1e-12)
