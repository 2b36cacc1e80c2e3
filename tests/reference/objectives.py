"""The loss of one example under each sampled objective, in plain float64.

A draw is given by how often each class came, ``times`` [V], and the log of the expected count of
each class, drawn or not, ``log_counts`` [V]. Scores [V] are of all classes; those with ``times`` 0
have no part, but for the target's.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "SAMPLED_LOSSES",
    "blackout",
    "importance",
    "nce",
    "negative_sampling",
    "one_vs_each",
    "sampled_softmax",
    "umax",
]

Floats = NDArray[np.float64]


def _others(times: Floats, target: int) -> Floats:
    """Return the draws with those of the target left out."""
    return np.asarray(np.where(np.arange(len(times)) == target, 0, times))


def _log_sum(terms: Floats, times: Floats) -> float:
    """Return ``log sum_j n_j exp(term_j)``."""
    drawn = times > 0
    return float(np.logaddexp.reduce(terms[drawn] + np.log(times[drawn]), initial=-np.inf))


def _softplus(x: Floats) -> Floats:
    return np.asarray(np.logaddexp(0, x))


def importance(
    scores: Floats, target: int, times: Floats, log_counts: Floats, keep: bool = False
) -> float:
    """``log(exp z_c + sum_j (n_j / m_j) exp z_j) - z_c``."""
    negatives = times if keep else _others(times, target)
    rest = _log_sum(scores - log_counts, negatives)
    return float(np.logaddexp(scores[target], rest) - scores[target])


def sampled_softmax(
    scores: Floats, target: int, times: Floats, log_counts: Floats, keep: bool = False
) -> float:
    """Softmax of ``z - log m`` over the target and the draws."""
    return importance(scores - log_counts, target, times, np.zeros_like(scores), keep)


def nce(scores: Floats, target: int, times: Floats, log_counts: Floats, keep: bool = True) -> float:
    """Logistic loss of the target against noise, with ``x = z - log m``."""
    return negative_sampling(scores - log_counts, target, times, log_counts, keep)


def negative_sampling(
    scores: Floats, target: int, times: Floats, log_counts: Floats, keep: bool = True
) -> float:
    """Logistic loss of the target against the draws."""
    negatives = times if keep else _others(times, target)
    return float(_softplus(-scores[target]) + np.sum(negatives * _softplus(scores)))


def one_vs_each(scores: Floats, target: int, times: Floats, log_counts: Floats) -> float:
    """``sum_{j != c} (n_j / m_j) log(1 + exp(z_j - z_c))``."""
    pairs = _softplus(scores - scores[target])
    return float(np.sum(_others(times, target) * np.exp(-log_counts) * pairs))


def blackout(scores: Floats, target: int, times: Floats, log_counts: Floats) -> float:
    """``-log p~_c - sum_{j != c} n_j log(1 - p~_j)``, p~ being the softmax of ``z - log m``."""
    terms, negatives = scores - log_counts, _others(times, target)
    present = negatives.copy()
    present[target] = 1
    total = _log_sum(terms, present)
    loss = total - terms[target]
    for j in np.flatnonzero(negatives):
        rest = present.copy()
        rest[j] -= 1  # 1 - p~_j is the share of all the others, another draw of j among them
        loss += negatives[j] * (total - _log_sum(terms, rest))
    return float(loss)


def umax(scores: Floats, target: int, times: Floats, log_counts: Floats, u: float = 0.0) -> float:
    """``u + exp(-u) (1 + sum_{j != c} (n_j / m_j) exp(z_j - z_c)) - 1``."""
    ratio = np.exp(importance(scores, target, times, log_counts))
    return float(u + np.exp(-u) * ratio - 1)


#: By the objective's name.
SAMPLED_LOSSES: dict[str, Callable[..., float]] = {
    "importance": importance,
    "sampled_softmax": sampled_softmax,
    "nce": nce,
    "negative_sampling": negative_sampling,
    "one_vs_each": one_vs_each,
    "blackout": blackout,
    "umax": umax,
}
