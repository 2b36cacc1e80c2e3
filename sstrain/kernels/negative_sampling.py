"""Negative sampling: the loss of one example."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels.nce import logistic_negatives, logistic_target
from sstrain.kernels.sampled_loss import example_loss

__all__ = ["NegativeSamplingLoss"]


class NegativeSamplingLoss(NamedTuple):
    """Noise-contrastive estimation without its correction; it has no settings."""


def _example_loss(
    loss: NegativeSamplingLoss,
    target_score: np.float32,
    target_log_count: np.float32,
    scores: NDArray[np.float32],
    log_counts: NDArray[np.float32],
    multiplicity: NDArray[np.float32],
    hit: int,
    d_scores: NDArray[np.float32],
) -> tuple[float, float]:
    """Return loss and target's derivative; a hit is a draw like any other."""
    for k in range(len(scores)):
        d_scores[k] = scores[k]
    value, d_target = logistic_target(target_score)
    return value + logistic_negatives(d_scores, multiplicity), d_target


example_loss.register(NegativeSamplingLoss, _example_loss)
