"""The low-rank layout: docs/derivation.md, (42) to (46)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Factors", "LowRankGradients", "gradients", "pooling_factors", "scores"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Factors(NamedTuple):
    """The parameters."""

    features: Floats  # [D, r]
    classes: Floats  # [V, r]
    bias: Floats  # [V]


class LowRankGradients(NamedTuple):
    """The derivatives of a step's loss."""

    sums: Floats  # [B, r], by each example's sum of vectors, (44)
    classes: Floats  # [V, r], (45)
    bias: Floats  # [V]
    features: Floats  # [D, r], (46)


def pooling_factors(num_entries: Ints, mean: bool, kept: NDArray[np.bool_], rate: float) -> Floats:
    """Return what the sums are multiplied by [B, r], equation (43).

    ``num_entries`` [B] are the features of each example; ``kept`` [B, r] the dimensions that
    dropout at ``rate`` leaves in.
    """
    factors = np.where(kept, 1 / (1 - rate), 0.0)
    if mean:
        factors = factors / np.maximum(num_entries, 1)[:, np.newaxis]
    return factors


def scores(rows: Floats, factors: Factors, pooling: Floats) -> Floats:
    """Return the scores [B, V], equation (42), of rows [B, D]."""
    found = np.zeros((len(rows), len(factors.bias)))
    for example, row in enumerate(rows):
        pooled = pooling[example] * np.sum(row[:, np.newaxis] * factors.features, axis=0)
        for i, vector in enumerate(factors.classes):
            found[example, i] = np.sum(pooled * vector) + factors.bias[i]
    return found


def gradients(
    rows: Floats, factors: Factors, pooling: Floats, d_scores: Floats
) -> LowRankGradients:
    """Return the gradients for the derivatives [B, V] of a step's loss by the scores."""
    sums = np.zeros_like(pooling)
    classes = np.zeros_like(factors.classes)
    features = np.zeros_like(factors.features)
    for example, row in enumerate(rows):
        pooled = pooling[example] * np.sum(row[:, np.newaxis] * factors.features, axis=0)
        for i, d_score in enumerate(d_scores[example]):
            sums[example] += pooling[example] * d_score * factors.classes[i]
            classes[i] += d_score * pooled
        features += np.outer(row, sums[example])
    return LowRankGradients(sums, classes, np.sum(d_scores, axis=0), features)
