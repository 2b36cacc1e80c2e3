"""The proposal by classes that occur with the example's features, against its plain reference."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.cooccurrence import feature_shares, log_q
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

N, V, D = 400, 30, 14


def sampler(dataset: Dataset, num_classes: int = V, num_features: int = D, **keys: Any) -> Any:
    config = make_config(sampler={"type": "cooccurrence", **keys})
    return make_sampler(config, make_vocabulary(num_classes, num_features), dataset)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"discount": 0, "shrinkage": 0.0},
        {"discount": 5, "base_share": 0.4, "power": 0.0},
        {"classes_per_feature": 3, "discount": 1},
        {"classes_per_feature": 1, "discount": 0, "base_share": 1.0},
    ],
    ids=str,
)
def test_q_is_that_of_the_counts(keys: dict[str, Any]) -> None:
    dataset = make_dataset(N, V, D, seed=2)
    made = sampler(dataset, **keys)
    x = dense_matrix(dataset, D)
    section: dict[str, Any] = {
        "discount": 2,
        "classes_per_feature": 1024,
        "power": 0.75,
        "base_share": 0.1,
        "shrinkage": 300.0,
        **keys,
    }
    shares = feature_shares(
        x, dataset.targets.astype(np.int64), section["classes_per_feature"], section["discount"]
    )
    mixture = {name: section[name] for name in ("power", "base_share", "shrinkage")}
    counts = make_vocabulary(V, D).class_counts
    found = made.log_prob(whole_batch(dataset.head(60), D))
    expected = [log_q(row, shares, counts, **mixture) for row in x[:60]]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_row_counts_once_for_each_of_its_labels() -> None:
    dataset = make_dataset(60, V, D, seed=3)
    rows = np.sort(np.concatenate([np.arange(60), np.arange(40), np.arange(20)]))
    targets = np.random.default_rng(1).integers(0, V, len(rows)).astype(np.int32)
    several = replace(dataset, rows=rows, targets=targets, weights=np.ones(len(rows), np.float32))
    found = sampler(several, discount=0).log_prob(whole_batch(dataset.head(9), D))
    x = dense_matrix(dataset, D)
    shares = feature_shares(x[rows], targets.astype(np.int64), 1024, 0)
    counts = make_vocabulary(V, D).class_counts
    expected = [log_q(row, shares, counts, 0.75, 0.1, 300.0) for row in x[:9]]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_an_example_without_a_known_feature_draws_from_the_base() -> None:
    dataset = make_dataset(N, V, D, seed=2)
    found = sampler(dataset).log_prob(whole_batch(dataset.head(1), D))  # it has no features
    counts = make_vocabulary(V, D).class_counts.astype(float) ** 0.75
    np.testing.assert_allclose(found[0], np.log(counts / counts.sum()), rtol=1e-9)


def test_a_feature_that_tells_the_class_is_most_of_q() -> None:
    """Class 7 comes with feature 0 alone, which comes with no other."""
    dataset = make_dataset(N, V, D, seed=2)
    x = dense_matrix(dataset, D)
    x[:, 0] = dataset.targets == 7
    rows, columns = np.nonzero(x)
    told = Dataset(
        indptr=np.concatenate([[0], np.cumsum((x != 0).sum(axis=1))]).astype(np.int64),
        indices=columns.astype(np.int32),
        values=x[rows, columns].astype(np.float32),
        targets=dataset.targets,
        weights=dataset.weights,
        lines=dataset.lines,
        files=dataset.files,
    )
    example = int(np.flatnonzero(dataset.targets == 7)[0])
    q = np.exp(sampler(told, shrinkage=0.0).log_prob(whole_batch(told, D)))[example]
    assert q.argmax() == 7
    assert q[7] > 0.5


@given(st.integers(1, 3000), st.integers(0, 2**31 - 1))
@settings(max_examples=60, deadline=None)
def test_every_class_has_its_place_in_the_hash_table(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = np.sort(rng.choice(10**6, count, replace=False)).astype(np.int32)
    counts = rng.integers(1, 50, count).astype(np.int32)
    indptr = np.array([0, 0, count, count])
    bucket_indptr, seeds = np.empty_like(indptr), np.zeros(3, np.int32)
    kernels.lay_out_buckets(indptr, classes, bucket_indptr, seeds)
    assert bucket_indptr[1] == 0
    assert bucket_indptr[2] == bucket_indptr[3]
    assert 8 * bucket_indptr[2] <= 8 + 4 * count  # at most a line of the cache for two classes
    columns = np.empty((count, 3), np.int32)
    buckets = np.empty((bucket_indptr[3], 16), np.int32)
    kernels.build_feature_tables(
        indptr,
        classes,
        counts,
        columns,
        columns.view(np.float32),
        bucket_indptr,
        buckets,
        buckets.view(np.float32),
        seeds,
    )
    ids, numbers = buckets[:, :8].ravel(), buckets.view(np.float32)[:, 8:].ravel()
    held = ids >= 0
    order = np.argsort(ids[held])
    assert np.array_equal(ids[held][order], classes)
    np.testing.assert_allclose(numbers[held][order], counts / counts.sum(), rtol=1e-6)
    assert (numbers[~held] == 0).all()
    # What the alias table draws: a column's own share of itself, and what others leave to it.
    threshold = columns.view(np.float32)[:, 2].astype(float)
    drawn = np.zeros(count)
    np.add.at(drawn, np.searchsorted(classes, columns[:, 0]), threshold)
    np.add.at(drawn, np.searchsorted(classes, columns[:, 1]), 1 - threshold)
    np.testing.assert_allclose(drawn / count, counts / counts.sum(), rtol=1e-5, atol=1e-9)


def test_many_classes_of_one_feature_are_found_where_they_were_put() -> None:
    """A table of many buckets, looked up as draws do it."""
    num_classes = 5000
    rng = np.random.default_rng(1)
    targets = rng.integers(0, num_classes, 60_000).astype(np.int32)
    size = len(targets)
    dataset = Dataset(
        indptr=np.arange(size + 1),
        indices=np.zeros(size, np.int32),
        values=np.ones(size, np.float32),
        targets=targets,
        weights=np.ones(size, np.float32),
        lines=np.arange(1, size + 1),
        files=(("none.svm", 0),),
    )
    made = sampler(dataset, num_classes, 1, discount=0, classes_per_feature=10_000, base_share=1e-6)
    found = np.exp(made.log_prob(whole_batch(dataset.head(1), 1))[0])
    shares = np.bincount(targets, minlength=num_classes) / size
    np.testing.assert_allclose(found, shares, rtol=1e-5, atol=1e-6)
