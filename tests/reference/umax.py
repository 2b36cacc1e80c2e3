"""U-max's loss, its gradients, its rule for u, and the objective of its implicit step.

A draw is given by distinct classes [K], how often each came, and the log of each expected count.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Umax", "implicit_objective", "sampled_sum", "umax", "umax_loss"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Umax(NamedTuple):
    """One example's loss, its derivatives by the scores of all classes, and its next u."""

    loss: float
    d_scores: Floats
    u: float


def sampled_sum(
    scores: Floats, target: int, drawn: Ints, multiplicity: Floats, log_counts: Floats
) -> float:
    """Return the sum of ``(n_j / m_j) exp(z_j - z_c)`` over the classes drawn but the target."""
    total = 0.0
    for j, n, log_m in zip(drawn, multiplicity, log_counts, strict=True):
        if j != target:
            total += float(n * np.exp(scores[j] - scores[target] - log_m))
    return total


def umax_loss(u: float, total: float) -> float:
    """Return ``u + exp(-u) (1 + S) - 1``."""
    return float(u + np.exp(-u) * (1 + total) - 1)


def umax(
    scores: Floats,
    target: int,
    drawn: Ints,
    multiplicity: Floats,
    log_counts: Floats,
    u: float,
    u_rate: float,
    delta: float,
) -> Umax:
    """Return the loss and its derivatives at u, raised if it is too low, and what u becomes."""
    total = sampled_sum(scores, target, drawn, multiplicity, log_counts)
    others = drawn[drawn != target]
    bound = float(np.log(1 + np.sum(np.exp(scores[others] - scores[target]))))
    if u == -np.inf:
        u = float(np.log(1 + total))
    elif u < bound - delta:
        u = bound
    d_scores = np.zeros_like(scores)
    for j, n, log_m in zip(drawn, multiplicity, log_counts, strict=True):
        if j != target:
            share = n * np.exp(scores[j] - scores[target] - log_m - u)
            d_scores[j] += share
            d_scores[target] -= share
    following = float(np.log((1 - u_rate) * np.exp(u) + u_rate * (1 + total)))
    return Umax(umax_loss(u, total), d_scores, following)


def implicit_objective(moves: Floats, u: float, terms: Floats, step_size: float) -> float:
    """Return what an implicit step makes least.

    ``moves`` [K + 1] are the falls of the drawn classes' scores and, last, the target's rise;
    ``terms`` [K] are ``z_j - z_c + log n_j - log m_j`` before the step.
    """
    total = float(np.sum(np.exp(terms - moves[:-1] - moves[-1])))
    return umax_loss(u, total) + float(np.sum(moves**2)) / (2 * step_size)
