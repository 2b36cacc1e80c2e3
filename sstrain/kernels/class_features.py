"""Kernels between an example and a class that are products of features, summed over classes.

A kernel k(h, v) = phi(h) . phi(v) has the sum over any classes of w_j k(h, v_j) as one product of
phi(h) with sum_j w_j phi(v_j). Two are here, told apart by whether there are frequencies:

- quadratic: ``scale (h . v)^2 + 1``, whose features are the products of two numbers of the vector
  (each pair once) and a constant, which is kept apart;
- Gaussian on unit vectors, ``exp(scale (h . v - 1))``, whose features are random: the cosines and
  sines of products with frequencies from N(0, scale I) (Rahimi and Recht 2007, "Random features
  for large-scale kernel machines").
"""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, parallel_kernel, signed
from sstrain.kernels.exponential import exp32
from sstrain.kernels.tiles import TILES, tile_bounds

__all__ = ["num_features_of", "sum_class_features"]

_ZERO, _ONE = np.float32(0), np.float32(1)


def num_features_of(size: int, num_frequencies: int) -> int:
    """Return the number of features of a vector of so many numbers; no frequencies: quadratic."""
    return 2 * num_frequencies if num_frequencies else size * (size + 1) // 2


@inline
def product(first: NDArray[np.float32], second: NDArray[np.float32]) -> np.float32:
    """Return the product of two vectors."""
    total = _ZERO
    for d in range(len(first)):
        total += first[d] * second[d]
    return np.float32(total)


@inline
def kernel_value(quadratic: bool, scale: np.float32, similarity: np.float32) -> np.float32:
    """Return the kernel of two vectors, given their product."""
    if quadratic:
        return np.float32(scale * similarity * similarity + _ONE)
    return exp32(scale * (similarity - _ONE))


@inline
def _add_pairs(
    vector: NDArray[np.float32],
    diagonal: np.float32,
    others: np.float32,
    out: NDArray[np.float32],
) -> None:
    first = 0
    for a in range(len(vector)):
        out[first] += diagonal * vector[a] * vector[a]
        factor = others * vector[a]
        for b in range(a + 1, len(vector)):
            out[first + b - a] += factor * vector[b]
        first += len(vector) - a


@inline
def _add_waves(
    frequencies: NDArray[np.float32],
    vector: NDArray[np.float32],
    factor: np.float32,
    out: NDArray[np.float32],
) -> None:
    for d in range(len(frequencies)):
        angle = product(frequencies[d], vector)
        out[2 * d] += factor * np.cos(angle)
        out[2 * d + 1] += factor * np.sin(angle)


@inline
def write_query(
    frequencies: NDArray[np.float32],
    scale: np.float32,
    vector: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write what an example's product with classes' summed features needs, constants apart."""
    out[:] = _ZERO
    if len(frequencies) == 0:
        _add_pairs(vector, scale, np.float32(2) * scale, out)
    else:
        _add_waves(frequencies, vector, _ONE / np.float32(len(frequencies)), out)


@inline
def _sum_leaves(
    start: int,
    stop: int,
    vectors: NDArray[np.float32],
    weights: NDArray[np.float32],
    frequencies: NDArray[np.float32],
    sums: NDArray[np.float32],
) -> None:
    for leaf in range(start, stop):
        sums[leaf] = _ZERO
        for j in range(leaf * len(vectors) // len(sums), (leaf + 1) * len(vectors) // len(sums)):
            if len(frequencies) == 0:
                _add_pairs(vectors[j], weights[j], weights[j], sums[leaf])
            else:
                _add_waves(frequencies, vectors[j], weights[j], sums[leaf])


@inline
def _sum_upwards(
    start: int, stop: int, totals: NDArray[np.float32], left_sums: NDArray[np.float32]
) -> None:
    """Sum pairs of nodes level by level; the totals of a level take the place of the one below."""
    width = len(totals)
    while width > 1:
        width //= 2
        for place in range(width):
            for s in range(start, stop):
                left = totals[2 * place, s]
                left_sums[width + place, s] = left
                totals[place, s] = left + totals[2 * place + 1, s]
    left_sums[0, start:stop] = totals[0, start:stop]


@parallel_kernel
def sum_class_features(
    vectors: NDArray[np.float32],
    weights: NDArray[np.float32],
    frequencies: NDArray[np.float32],
    totals: NDArray[np.float32],
    left_sums: NDArray[np.float32],
) -> None:
    """Sum the features of the classes below each node of a tree, in an order that is fixed.

    Parameters
    ----------
    vectors : float32 array of shape [V, m]
    weights : float32 array of shape [V]
    frequencies : float32 array of shape [F, m]
        Of the Gaussian kernel; F = 0 for the quadratic one.
    totals : float32 array of shape [L, S]
        Scratch: L leaves, a power of two; S features.
    left_sums : float32 array of shape [L, S]
        Row n gets the sum below the left child of node n, row 0 the sum of all classes. Node 1 is
        the root, and the children of n are 2n and 2n + 1.
    """
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), len(totals))
        _sum_leaves(start, stop, vectors, weights, frequencies, totals)
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), totals.shape[1])
        _sum_upwards(start, stop, totals, left_sums)
