"""From the scores' derivatives to those of the weights: docs/derivation.md, (1), (24), (25)."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["batch_loss", "batch_scores", "dense_gradients", "dense_rows"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def dense_rows(indptr: Ints, indices: Ints, values: Floats, num_features: int) -> Floats:
    """Return CSR rows as a dense array [B, D]; a feature given twice in a row is summed."""
    rows = np.zeros((len(indptr) - 1, num_features))
    for example in range(len(rows)):
        for place in range(indptr[example], indptr[example + 1]):
            rows[example, indices[place]] += values[place]
    return rows


def batch_scores(rows: Floats, weight: Floats, bias: Floats) -> Floats:
    """Return the scores [B, V], equation (1), of rows [B, D] for ``weight`` [D, V] and ``bias``."""
    scores = np.zeros((len(rows), len(bias)))
    for example, row in enumerate(rows):
        for i in range(len(bias)):
            scores[example, i] = np.sum(row * weight[:, i]) + bias[i]
    return scores


def batch_loss(losses: Floats, example_weights: Floats) -> float:
    """Return the loss of a step, equation (24), from the examples' losses [B]."""
    return float(np.sum(example_weights * losses)) / len(losses)


def dense_gradients(
    rows: Floats, d_scores: Floats, example_weights: Floats
) -> tuple[Floats, Floats]:
    """Return ``dL/dw`` [D, V] and ``dL/db`` [V], equation (25).

    ``rows`` [B, D] are the examples, ``d_scores`` [B, V] the derivatives of each example's own
    loss by its scores; the division by B and the examples' weights [B] come in here.
    """
    d_weight = np.zeros((rows.shape[1], d_scores.shape[1]))
    d_bias = np.zeros(d_scores.shape[1])
    for row, d_row, example_weight in zip(rows, d_scores, example_weights, strict=True):
        d_weight += example_weight * np.outer(row, d_row) / len(rows)
        d_bias += example_weight * d_row / len(rows)
    return d_weight, d_bias
