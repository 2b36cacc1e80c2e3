"""The tree proposal: what it fits, and that it draws from what it fitted."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from reference.tree import climbed_objective, tree_probabilities
from sampler_cases import D, Tried, V
from scipy.optimize import minimize
from small import (
    dense_matrix,
    make_config,
    make_dataset,
    make_sampler,
    make_vocabulary,
    whole_batch,
)

from sstrain import kernels
from sstrain.data.dataset import Dataset
from sstrain.samplers.tree_fitting import classed_points, fit_tree

L2 = 10.0


def points_of(dataset: Dataset, projection: np.ndarray) -> np.ndarray:
    points = dense_matrix(dataset, len(projection)) @ projection.astype(np.float64)
    points[:, -1] = 1
    return points


@pytest.mark.parametrize("num_classes", [1, 2, 3, 12, 64, 100])
def test_spans_are_those_of_a_heap(num_classes: int) -> None:
    first, number = kernels.tree_spans(num_classes)

    def leaves(node: int) -> list[int]:
        if node >= num_classes:
            return [node]
        return leaves(2 * node) + leaves(2 * node + 1)

    below = leaves(1)
    for node in range(1, 2 * num_classes):
        assert below[first[node] : first[node] + number[node]] == leaves(node)


@pytest.mark.parametrize("base_weight", [0.0, 0.3])
def test_q_is_the_product_of_the_branches(base_weight: float) -> None:
    tried = Tried("tree", base_weight=base_weight, dimensions=5)
    state = tried.sampler.tensors()
    base = tried.vocabulary.class_counts**0.75
    expected = [
        tree_probabilities(
            state["node_weights"].astype(np.float64),
            state["class_of_leaf"],
            point,
            base / base.sum(),
            base_weight,
        )
        for point in points_of(tried.dataset.head(20), state["projection"])
    ]
    log_q = tried.sampler.log_prob(tried.batch(20))
    np.testing.assert_allclose(log_q, np.log(expected), rtol=1e-5, atol=1e-5)


def test_q_of_a_few_classes_is_that_of_all() -> None:
    num_classes = 3000  # the few of a draw take the way up from their leaves
    vocabulary, dataset = make_vocabulary(num_classes, D), make_dataset(500, num_classes, D)
    config = make_config(sampler={"type": "tree", "num_samples": 20, "share": "example"})
    sampler = make_sampler(config, vocabulary, dataset)
    batch = Tried("tree").batch(30)
    candidates = sampler.draw(batch, 1, 0, 0)
    log_q = sampler.log_prob(batch)
    for i, count in enumerate(candidates.counts):
        classes = candidates.classes[i, :count]
        found = candidates.log_expected_count[i, :count] - np.log(20)
        np.testing.assert_allclose(found, log_q[i, classes], rtol=1e-5, atol=1e-5)


def test_nodes_are_as_likely_as_an_optimiser_makes_them() -> None:
    dataset, vocabulary = make_dataset(400, V, D, seed=3), make_vocabulary(V, D)
    weights, class_of_leaf, projection = fit_tree(dataset, vocabulary, 4, L2)
    points = points_of(dataset, projection)
    first, number = kernels.tree_spans(V)
    from_the_left = class_of_leaf[np.argsort(first[V:])]
    for node in (1, 2, 3, 9):
        span = from_the_left[first[node] : first[node] + number[node]]
        here = np.isin(dataset.targets, span)
        left = np.isin(dataset.targets, span[: number[2 * node]])[here]

        def loss(w: np.ndarray, points: Any = points[here], left: Any = left) -> float:
            return -climbed_objective(w, points, left, L2)

        best = minimize(loss, np.zeros(points.shape[1]), options={"gtol": 1e-6})
        assert loss(weights[node].astype(np.float64)) <= best.fun + 1e-3


def clustered(num_examples: int, num_classes: int, seed: int) -> Dataset:
    """Return examples with two features that tell which of 8 groups their class is in."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, num_classes, num_examples)
    group = targets % 8
    indices = np.stack([group, 8 + rng.integers(0, D - 8, num_examples)], axis=1)
    return Dataset(
        indptr=np.arange(0, 2 * num_examples + 1, 2),
        indices=indices.reshape(-1).astype(np.int32),
        values=np.ones(2 * num_examples, np.float32),
        targets=targets.astype(np.int32),
        weights=np.ones(num_examples, np.float32),
        lines=np.arange(1, num_examples + 1),
        files=(("none.svm", 0),),
    )


def test_a_tree_finds_the_groups_that_features_tell_apart() -> None:
    dataset, vocabulary = clustered(20_000, V, 1), make_vocabulary(V, D)
    config = make_config(
        sampler={"type": "tree", "share": "example", "base_weight": 0, "dimensions": 8}
    )
    sampler = make_sampler(config, vocabulary, dataset)
    other = clustered(2000, V, 2)
    log_q = sampler.log_prob(whole_batch(other, D))
    found = -log_q[np.arange(2000), other.targets].mean()
    # V / 8 classes share a group; a q that looks at no example has log V.
    assert np.log(V / 8) <= found < np.log(V / 8) + 0.2


def test_a_tree_has_the_same_bits_for_any_number_of_threads() -> None:
    dataset, vocabulary = make_dataset(2000, 200, D, seed=5), make_vocabulary(200, D)
    kernels.use_threads(1)
    one = fit_tree(dataset, vocabulary, 6, L2)
    kernels.use_threads(2)
    two = fit_tree(dataset, vocabulary, 6, L2)
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a, b)


def test_every_example_of_a_row_with_several_labels_counts() -> None:
    vocabulary = make_vocabulary(V, D)
    plain = make_dataset(300, V, D)
    rows = np.repeat(np.arange(300), 2)
    targets = np.repeat(plain.targets, 2)
    weights = np.full(600, 0.5, np.float32)
    several = replace(plain, targets=targets, weights=weights, rows=rows)
    spread = plain.indptr[rows + 1] - plain.indptr[rows]
    entries = np.concatenate([np.arange(plain.indptr[r], plain.indptr[r + 1]) for r in rows])
    flat = Dataset(
        indptr=np.concatenate([[0], np.cumsum(spread)]),
        indices=plain.indices[entries],
        values=plain.values[entries],
        targets=targets,
        weights=np.ones(600, np.float32),
        lines=np.arange(600),
        files=plain.files,
    )
    projection = np.random.default_rng(0).normal(size=(D, 5)).astype(np.float32)
    one, two = classed_points(several, projection, V), classed_points(flat, projection, V)
    for name, array in one._asdict().items():
        assert np.array_equal(array, getattr(two, name)), name
    nodes, class_of_leaf, _ = fit_tree(several, vocabulary, 4, L2)
    assert np.isfinite(nodes).all()
    assert np.array_equal(np.sort(class_of_leaf), np.arange(V))


@pytest.mark.parametrize("size", [1e-20, 1e15])
def test_values_of_any_size_make_finite_nodes(size: float) -> None:
    dataset, vocabulary = make_dataset(200, V, D), make_vocabulary(V, D)
    values = (dataset.values * size).astype(np.float32)
    scaled = replace(dataset, values=values)
    weights, class_of_leaf, projection = fit_tree(scaled, vocabulary, 4, L2)
    assert np.isfinite(weights).all()
    assert np.isfinite(projection).all()
    assert np.array_equal(np.sort(class_of_leaf), np.arange(V))
