"""Small cases that several tests share."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["make_q", "make_scores", "zipf"]


def make_scores(num_classes: int, seed: int = 0) -> NDArray[np.float64]:
    """Return standard normal scores [V]."""
    return np.random.default_rng(seed).normal(size=num_classes)


def make_q(num_classes: int, seed: int = 1) -> NDArray[np.float64]:
    """Return a random proposal [V], no class of which is very rare."""
    return np.random.default_rng(seed).dirichlet(np.full(num_classes, 2.0))


def zipf(num_classes: int) -> NDArray[np.float64]:
    """Return ``q_j ~ 1 / j`` [V], j from 1."""
    weights = 1 / np.arange(1, num_classes + 1)
    return np.asarray(weights / np.sum(weights))
