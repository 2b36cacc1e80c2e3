"""Product quantisation and the proposal by quantised class vectors, in float64."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign", "log_q", "moved"]

Floats = NDArray[np.float64]


def _halves(rank: int) -> tuple[slice, slice]:
    return slice(0, rank // 2), slice(rank // 2, rank)


def assign(vectors: Floats, codewords: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return squared distances [V, C] of each half from codewords [C, r], and the nearest [V]."""
    distances, nearest = [], []
    for half in _halves(vectors.shape[1]):
        gaps = vectors[:, None, half] - codewords[None, :, half]
        distances.append((gaps**2).sum(axis=2))
        nearest.append(distances[-1].argmin(axis=1))
    return np.array(distances), np.array(nearest)


def moved(vectors: Floats, weights: Floats, nearest: NDArray[np.int64], count: int) -> Floats:
    """Return the weighted mean of each codeword's vectors [C, r]; NaN where it has none."""
    means = np.full((count, vectors.shape[1]), np.nan)
    for half, of in zip(_halves(vectors.shape[1]), nearest, strict=True):
        for k in range(count):
            if (of == k).any():
                means[k, half] = np.average(
                    vectors[of == k, half], axis=0, weights=weights[of == k]
                )
    return means


def log_q(
    h: Floats,
    codewords: Floats,
    nearest: NDArray[np.int64],
    log_weights: Floats,
    log_base: Floats,
    base_share: float,
) -> Floats:
    """Return log q of all classes [V] for an example's vector h [r], class by class."""
    first, second = _halves(len(h))
    scores = log_weights + codewords[nearest[0], first] @ h[first]
    scores += codewords[nearest[1], second] @ h[second]
    by_cell = scores - np.logaddexp.reduce(scores)
    mixed = np.logaddexp(np.log1p(-base_share) + by_cell, np.log(base_share) + log_base)
    return np.asarray(mixed)
