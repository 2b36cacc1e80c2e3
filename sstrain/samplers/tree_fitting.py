"""Fitting the tree proposal: coordinates that tell classes apart, and a tree over them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from sstrain.data.dataset import Dataset
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.samplers.base import DataSize

__all__ = ["classed_points", "fit_bytes", "fit_projection", "fit_tree"]

#: Of the random start of the singular vectors.
_SEED = 0x7EE5
#: More vectors than are kept, and products with the matrix and back, for their accuracy.
_OVERSAMPLES, _POWER_ITERATIONS = 8, 3
#: Examples added to those of each feature and each class, so that rare ones make no coordinate.
_FEATURE_SMOOTHING, _CLASS_SMOOTHING = 1000.0, 100.0


def fit_bytes(size: "DataSize", dimensions: int) -> int:
    """Return about how many bytes fitting takes at most, beside what it returns."""
    width = dimensions + 1
    co_occurrences = 24 * size.num_entries
    vectors = 3 * 4 * (dimensions + _OVERSAMPLES) * (size.num_features + size.num_classes)
    points = 2 * 4 * width * size.num_examples + 8 * size.num_examples
    return max(co_occurrences + vectors, points + (8 * width + 40) * size.num_classes)


def _rows(dataset: "Dataset", num_features: int) -> "csr_array[Any]":
    from scipy.sparse import csr_array

    shape = (dataset.num_rows, num_features)
    return csr_array((dataset.values, dataset.indices, dataset.indptr), shape=shape)


def _scales(
    dataset: "Dataset", num_features: int, num_classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return one over the smoothed standard deviations of features and classes: [D], [V]."""
    mass = np.bincount(dataset.indices, dataset.values.astype(np.float64) ** 2, num_features)
    # An example of the feature that holds most of the mass has as much on average.
    one = max(mass.max(initial=0) / dataset.num_rows, 1e-30)
    counts = np.bincount(dataset.targets, minlength=num_classes)
    features = 1 / np.sqrt(mass + _FEATURE_SMOOTHING * one)
    classes = 1 / np.sqrt(counts + _CLASS_SMOOTHING)
    return features.astype(np.float32), classes.astype(np.float32)


def _leading_vectors(matrix: "csr_array[Any]", count: int) -> NDArray[np.float32]:
    """Return left singular vectors, from a random start that is always the same."""
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    # Shared among threads, products can differ in their last bits.
    with threadpool_limits(1, "blas"):
        vectors, _, _ = randomized_svd(
            matrix,
            count,
            n_oversamples=_OVERSAMPLES,
            n_iter=_POWER_ITERATIONS,
            random_state=_SEED,
        )
    return np.asarray(vectors)


def fit_projection(
    dataset: "Dataset", num_features: int, num_classes: int, dimensions: int
) -> NDArray[np.float32]:
    """Return coordinates of x that tell classes apart, as weights of the features.

    They are the leading left singular vectors of ``F^-1/2 X^T Y C^-1/2``, times ``F^-1/2``, where F
    and C are diagonal: the features' second moments and the classes' counts, smoothed. That is
    canonical correlation of features and classes, features being taken as uncorrelated. The vectors
    are found from a random start (Halko, Martinsson and Tropp 2011).

    Returns
    -------
    float32 array of shape [D, min(dimensions, D, V) + 1]
        A column a coordinate, each of mean square 1 over the training rows; the last is 0.
    """
    from scipy.sparse import csr_array

    x = _rows(dataset, num_features)
    rows = np.arange(dataset.num_rows) if dataset.rows is None else dataset.rows
    ones = np.ones(dataset.num_examples, np.float32)
    shape = (dataset.num_rows, num_classes)
    joint = csr_array(x.T @ csr_array((ones, (rows, dataset.targets)), shape=shape))
    feature_scale, class_scale = _scales(dataset, num_features, num_classes)
    joint.data *= np.repeat(feature_scale, np.diff(joint.indptr))
    joint.data *= class_scale[joint.indices]
    count = min(dimensions, num_features, num_classes)
    projection = np.zeros((num_features, count + 1), np.float32)
    if count:
        projection[:, :-1] = _leading_vectors(joint, count) * feature_scale[:, np.newaxis]
    points = x @ projection
    size = np.sqrt(np.einsum("id,id->d", points, points, dtype=np.float64) / dataset.num_rows)
    projection /= np.maximum(size, 1e-30).astype(np.float32)
    return projection


def classed_points(
    dataset: "Dataset", projection: NDArray[np.float32], num_classes: int
) -> "kernels.ClassedPoints":
    """Return the examples' points, one class after another."""
    order = np.argsort(dataset.targets, kind="stable")
    points = _rows(dataset, len(projection)) @ projection
    points[:, -1] = 1
    points = points[order if dataset.rows is None else dataset.rows[order]]
    counts = np.bincount(dataset.targets, minlength=num_classes)
    starts = np.concatenate([[0], np.cumsum(counts)])
    sums = np.zeros((num_classes, projection.shape[1]))
    seen = np.flatnonzero(counts)
    sums[seen] = np.add.reduceat(points, starts[seen], axis=0, dtype=np.float64)
    return kernels.ClassedPoints(points, starts, sums)


def fit_tree(
    dataset: "Dataset", vocabulary: "Vocabulary", dimensions: int, l2: float
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Fit a tree of logistic nodes to the training rows, from the root down.

    Returns
    -------
    weights : float32 array of shape [V, k + 1]
        Of node m in row m, the intercept last.
    class_of_leaf : int32 array of shape [V]
    projection : float32 array of shape [D, k + 1]
        Of `fit_projection`.
    """
    num_classes = vocabulary.num_classes
    projection = fit_projection(dataset, vocabulary.num_features, num_classes, dimensions)
    data = classed_points(dataset, projection, num_classes)
    weights = np.zeros((num_classes, projection.shape[1]), np.float32)
    order = np.arange(num_classes, dtype=np.int32)
    first, number = kernels.tree_spans(num_classes)
    start = 1
    while start < num_classes:
        stop = min(2 * start, num_classes)
        kernels.fit_tree_level(data, start, stop, first, number, l2, weights, order)
        start = stop
    return weights, order[first[num_classes:]], projection
