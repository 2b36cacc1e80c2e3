"""Product quantisation: the k-means of each half of a table of vectors."""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel, parallel_kernel, signed
from sstrain.kernels.tiles import TILES, tile_bounds

__all__ = ["codeword_sums", "nearest_codewords"]

_ZERO, _HALF = np.float32(0), np.float32(0.5)


@inline
def _half_norms(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return half the squared length of every codeword."""
    norms = np.zeros(columns.shape[1], np.float32)
    for d in range(len(columns)):
        for k in range(len(norms)):
            norms[k] += _HALF * columns[d, k] * columns[d, k]
    return norms


@inline
def _nearest(
    vector: NDArray[np.float32],
    columns: NDArray[np.float32],
    half_norms: NDArray[np.float32],
    distances: NDArray[np.float32],
) -> tuple[int, float]:
    """Return the nearest codeword and its squared distance."""
    distances[:] = half_norms
    length = _ZERO
    for d in range(len(vector)):
        x, row = vector[d], columns[d]
        length += x * x
        for k in range(len(distances)):
            distances[k] -= x * row[k]
    nearest = 0
    for k in range(len(distances)):
        if distances[k] < distances[nearest]:
            nearest = k
    return nearest, max(0.0, np.float64(length) + 2.0 * np.float64(distances[nearest]))


@inline
def _assign(
    vectors: NDArray[np.float32],
    columns: NDArray[np.float32],
    start: int,
    stop: int,
    cells: NDArray[np.int32],
    residuals: NDArray[np.float64],
) -> None:
    half, size = vectors.shape[1] // 2, columns.shape[1]
    first, second = columns[:half], columns[half:]
    first_norms, second_norms = _half_norms(first), _half_norms(second)
    distances = np.empty(size, np.float32)
    for j in range(start, stop):
        k1, residual = _nearest(vectors[j, :half], first, first_norms, distances)
        k2, other = _nearest(vectors[j, half:], second, second_norms, distances)
        cells[j] = k1 * size + k2
        residuals[j] = residual + other


@parallel_kernel
def nearest_codewords(
    vectors: NDArray[np.float32],
    columns: NDArray[np.float32],
    cells: NDArray[np.int32],
    residuals: NDArray[np.float64],
) -> None:
    """Find the codeword that is nearest to each half of each vector.

    Parameters
    ----------
    vectors : float32 array of shape [V, r]
    columns : float32 array of shape [r, C]
        The codewords as columns; the first r // 2 rows are those of the first half.
    cells : int32 array of shape [V]
        ``k1 C + k2``, written.
    residuals : float64 array of shape [V]
        The squared distance of each vector from its two codewords, written.
    """
    for tile in prange(TILES):
        start, stop = tile_bounds(signed(tile), len(vectors))
        _assign(vectors, columns, start, stop, cells, residuals)


@kernel
def codeword_sums(
    vectors: NDArray[np.float32],
    weights: NDArray[np.float64],
    cells: NDArray[np.int32],
    sums: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> None:
    """Sum the halves of the vectors of each codeword, times their weights.

    Parameters
    ----------
    vectors : float32 array of shape [V, r]
    weights : float64 array of shape [V]
    cells : int32 array of shape [V]
        Of `nearest_codewords`.
    sums : float64 array of shape [C, r]
        Written.
    totals : float64 array of shape [2, C]
        The weights of each half's codewords, written.
    """
    rank, size = vectors.shape[1], len(sums)
    half = rank // 2
    sums[:] = 0
    totals[:] = 0
    for j in range(len(vectors)):
        k1, k2, weight = cells[j] // size, cells[j] % size, weights[j]
        totals[0, k1] += weight
        totals[1, k2] += weight
        for d in range(half):
            sums[k1, d] += weight * vectors[j, d]
        for d in range(half, rank):
            sums[k2, d] += weight * vectors[j, d]
