"""Logistic losses that tell the target from draws of noise: the loss of one example."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import finite, inline
from sstrain.kernels.sampled_loss import example_loss, softplus32

__all__ = ["NceLoss", "logistic_negatives", "logistic_target"]


class NceLoss(NamedTuple):
    """Noise-contrastive estimation; it has no settings."""


@inline
def logistic_target(x: np.float32) -> tuple[float, float]:
    """Return ``-log s(x)`` and its derivative, s the logistic function."""
    value, slope = softplus32(-x)
    return float(value), -float(slope)


@inline
def logistic_negatives(d_scores: NDArray[np.float32], multiplicity: NDArray[np.float32]) -> float:
    """Return ``-sum_j n_j log(1 - s(x_j))``; the x in ``d_scores`` give way to derivatives."""
    total = 0.0
    for k in range(len(d_scores)):
        value, slope = softplus32(d_scores[k])
        total += multiplicity[k] * value
        d_scores[k] = multiplicity[k] * slope
    return total


def _example_loss(
    loss: NceLoss,
    target_score: np.float32,
    target_log_count: np.float32,
    scores: NDArray[np.float32],
    log_counts: NDArray[np.float32],
    multiplicity: NDArray[np.float32],
    hit: int,
    d_scores: NDArray[np.float32],
) -> tuple[float, float]:
    """Return loss and target's derivative; a hit is a draw like any other."""
    if not finite(float(target_log_count)):
        return np.inf, 0.0  # of a q of 0: it would be told from noise at once, and teach nothing
    for k in range(len(scores)):
        d_scores[k] = scores[k] - log_counts[k]
    value, d_target = logistic_target(target_score - target_log_count)
    return value + logistic_negatives(d_scores, multiplicity), d_target


example_loss.register(NceLoss, _example_loss)
