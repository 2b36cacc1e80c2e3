"""What the sampled gradient of a batch is compared with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels

if TYPE_CHECKING:
    from sstrain.data.batches import Batch

__all__ = ["ExactGradient", "divergences", "exact_gradient"]

Float64 = NDArray[np.float64]

#: Logs of terms are cut here, far above what any figure can use: squares of sums stay finite.
_MAX_LOG = 300.0


@dataclass(frozen=True)
class ExactGradient:
    """The exact gradient of a batch's examples by the scores, and what follows from it.

    Attributes
    ----------
    scores : float32 array of shape [B, V]
    log_partitions : float64 array of shape [B]
        log Z.
    gradient : float64 array of shape [B, V]
        P, ``p - [i == c]``.
    norms : float64 array of shape [2, B]
        ``||P||^2`` over all classes but the target, and the target's square.
    shares : float64 array of shape [B]
        Each example's part of the batch's loss, ``weight / B``.
    mean : float64 array of shape [1, V]
        The batch's gradient by the bias.
    products : float64 array of shape [B, B]
        ``share_e share_e' x_e . x_e'``.
    projected : float64 array of shape [B, V]
        ``products @ gradient``.
    feature_squares : float64 array of shape [B]
        ``||x_e||^2``.
    batch_norms : float64 array of shape [2]
        The squared norm of the batch's gradient by the bias and by the weights.
    """

    scores: NDArray[np.float32]
    log_partitions: Float64
    gradient: Float64
    norms: Float64
    shares: Float64
    mean: Float64
    products: Float64
    projected: Float64
    feature_squares: Float64
    batch_norms: Float64


def exact_gradient(scores: NDArray[np.float32], batch: "Batch") -> ExactGradient:
    """Return the exact gradient for the scores of all classes, float32 [B, V]."""
    size = batch.size
    gradient = scores.astype(np.float64)
    log_partitions, norms = np.empty(size), np.empty((2, size))
    for i, (row, target) in enumerate(zip(gradient, batch.targets, strict=True)):
        highest = row.max()
        log_partitions[i] = highest + np.log(np.exp(row - highest).sum())
        row -= log_partitions[i]
        np.exp(row, out=row)
        row[target] = 0
        norms[0, i] = np.dot(row, row)
        # Minus the others' probability: 1 - p_c would lose its digits where p_c is close to 1.
        row[target] = -row.sum()
        norms[1, i] = row[target] ** 2
    shares = batch.weights.astype(np.float64) / size
    products = np.empty((size, size))
    kernels.example_products(batch.arrays, batch.num_features, products)
    feature_squares = np.diag(products).copy()
    products *= np.outer(shares, shares)
    mean = (shares @ gradient)[np.newaxis]
    projected = products @ gradient
    by_weight = sum(np.dot(row, other) for row, other in zip(gradient, projected, strict=True))
    return ExactGradient(
        scores,
        log_partitions,
        gradient,
        norms,
        shares,
        mean,
        products,
        projected,
        feature_squares,
        np.array([np.sum(mean**2), max(by_weight, 0.0)]),
    )


def divergences(exact: ExactGradient, log_q: Float64) -> tuple[Float64, Float64]:
    """Return ``KL(p || q)`` and ``sum p^2 / q - 1`` of each example, float64 [B].

    ``log_q`` has shape [1 or B, V].
    """
    size = len(exact.scores)
    kl, chi_square = np.empty(size), np.empty(size)
    for i, row in enumerate(np.broadcast_to(log_q, exact.scores.shape)):
        log_p = exact.scores[i] - exact.log_partitions[i]
        kl[i] = np.dot(np.exp(log_p), log_p - row)
        chi_square[i] = np.exp(np.minimum(2 * log_p - row, _MAX_LOG)).sum() - 1
    return kl, chi_square
