"""Calls of the U-max objective for a few examples."""

from typing import Any

import numpy as np
from small import make_candidates

from sstrain.objectives.base import Examples
from sstrain.objectives.umax import Umax

__all__ = ["NO_HIT", "Found", "gradient", "one"]

NO_HIT = -1


class Found:
    """What one call wrote."""

    def __init__(self, size: int, num_samples: int) -> None:
        self.losses = np.empty(size)
        self.d_targets = np.empty(size, np.float32)
        self.d_scores = np.empty((size, num_samples), np.float32)
        self.u = np.empty(0, np.float32)
        self.bad = 0


def gradient(
    objective: Umax,
    u: Any,
    target_scores: Any,
    scores: Any,
    multiplicity: Any,
    log_counts: Any,
    hits: Any,
    weights: Any = None,
    squared_norm: float = 1.0,
    rate: float = 0.0,
) -> Found:
    """Call the objective for B examples with candidates of their own, [B, K]."""
    scores = np.asarray(scores, np.float32)
    size, num_samples = scores.shape
    candidates = make_candidates(
        np.tile(np.arange(num_samples, dtype=np.int32), (size, 1)),
        np.asarray(multiplicity, np.float32),
        np.asarray(log_counts, np.float32),
        np.full(size, num_samples, np.int32),
    )
    weights = np.ones(size) if weights is None else weights
    norms = np.full(size, squared_norm, np.float32)
    ids = np.arange(size)[::-1].copy()
    examples = Examples(np.asarray(weights, np.float32), ids, norms, rate)
    state = {"u": np.asarray(u, np.float32)[::-1].copy()}
    found = Found(size, num_samples)
    found.bad = objective.gradient(
        np.asarray(target_scores, np.float32),
        scores,
        candidates,
        np.asarray(hits, np.int32),
        examples,
        state,
        found.losses,
        found.d_targets,
        found.d_scores,
    )
    found.u = state["u"][::-1]
    return found


def one(objective: Umax, u: float, terms: Any, **more: Any) -> Found:
    """Call it for one example whose target's score is 0, each class drawn once of one expected."""
    terms = np.asarray(terms, np.float64)[np.newaxis]
    ones, zeros = np.ones_like(terms), np.zeros_like(terms)
    return gradient(objective, [u], [0.0], terms, ones, zeros, [NO_HIT], **more)
