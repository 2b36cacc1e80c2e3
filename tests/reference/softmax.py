"""The exact softmax: docs/derivation.md, equations (2) to (4)."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["exact_d_scores", "exact_loss", "log_partition", "probabilities"]

Scores = NDArray[np.float64]


def log_partition(scores: Scores) -> float:
    """Return ``log Z``, equation (2), for the scores [V] of one example."""
    top = float(np.max(scores))
    return top + float(np.log(np.sum(np.exp(scores - top))))


def probabilities(scores: Scores) -> Scores:
    """Return ``p`` [V], equation (2)."""
    return np.asarray(np.exp(scores - log_partition(scores)))


def exact_loss(scores: Scores, target: int) -> float:
    """Return ``-log p_c``, equation (2)."""
    return log_partition(scores) - float(scores[target])


def exact_d_scores(scores: Scores, target: int) -> Scores:
    """Return ``dl/dz`` [V], equations (3) and (4)."""
    d_scores = probabilities(scores)
    d_scores[target] -= 1
    return d_scores
