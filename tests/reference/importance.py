"""The importance-sampled softmax: docs/derivation.md, equations (7) to (19).

A draw is a multiset of K class ids, ``drawn`` [K]; a class that came twice stands in it twice.
``log_counts`` [K] holds the log of the expected count of each of them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Sampled",
    "expected_gradient_bias",
    "expected_log_bias",
    "importance",
    "log_counts_resample",
    "log_counts_with_replacement",
    "partition_estimate",
    "partition_variance",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Sampled(NamedTuple):
    """One example's loss and its derivatives."""

    loss: float
    #: By the score of the target taken exactly; the share of hits that are kept is not in it.
    d_target: float
    #: By the score in each place of the draw [K]; a class drawn twice has two places.
    d_candidates: Floats
    #: By the score of each class [V]: the two above, summed by class.
    d_scores: Floats


def log_counts_with_replacement(q: Floats, drawn: Ints) -> Floats:
    """Return ``log(K q_j)`` [K] for K independent draws."""
    return np.asarray(np.log(len(drawn)) + np.log(q[drawn]))


def log_counts_resample(q: Floats, drawn: Ints, target: int) -> Floats:
    """Return ``log(K q_j / (1 - q_c))`` [K], equation (16): the target is never drawn."""
    others = float(np.sum(np.delete(q, target)))
    return np.asarray(np.log(len(drawn)) + np.log(q[drawn]) - np.log(others))


def importance(
    scores: Floats, target: int, drawn: Ints, log_counts: Floats, hits: str = "drop"
) -> Sampled:
    """Return the loss (8) and its derivatives (9), (10) and (15) for one example's scores [V]."""
    if hits not in ("drop", "keep", "resample"):
        raise ValueError(hits)
    if hits == "resample" and np.any(drawn == target):
        raise ValueError("a draw that leaves out the target holds it")
    log_terms = scores[drawn] - log_counts
    if hits == "drop":
        log_terms[drawn == target] = -np.inf
    top = max(float(scores[target]), float(np.max(log_terms)))
    partition = np.exp(scores[target] - top) + np.sum(np.exp(log_terms - top))
    loss = top + float(np.log(partition)) - float(scores[target])
    d_target = float(np.exp(scores[target] - top) / partition - 1)
    d_candidates = np.exp(log_terms - top) / partition
    d_scores = np.zeros_like(scores)
    for place, j in enumerate(drawn):
        d_scores[j] += d_candidates[place]
    d_scores[target] += d_target
    return Sampled(loss, d_target, d_candidates, d_scores)


def partition_estimate(
    scores: Floats, target: int, drawn: Ints, log_counts: Floats, hits: str = "drop"
) -> float:
    """Return ``Z~``, equation (7), (14) or (16), term by term; for scores that exp can take."""
    total = float(np.exp(scores[target]))
    for j, log_count in zip(drawn, log_counts, strict=True):
        if j != target or hits == "keep":
            total += float(np.exp(scores[j]) / np.exp(log_count))
    return total


def partition_variance(scores: Floats, target: int, q: Floats, num_samples: int) -> float:
    """Return ``Var(Z~)``, equation (17), for hits that are dropped.

    For ``resample``, pass the q that is drawn from: 0 for the target, 1 in sum.
    """
    others = np.arange(len(scores)) != target
    terms = np.exp(scores[others])
    return float(np.sum(terms**2 / q[others]) - np.sum(terms) ** 2) / num_samples


def expected_log_bias(scores: Floats, target: int, q: Floats, num_samples: int) -> float:
    """Return the right side of (18): about ``E[log Z~] - log Z`` for hits that are dropped."""
    partition = float(np.sum(np.exp(scores)))
    return -partition_variance(scores, target, q, num_samples) / (2 * partition**2)


def expected_gradient_bias(scores: Floats, target: int, q: Floats, num_samples: int) -> Floats:
    """Return the right side of (19) [V]: about ``E[dl~/dz] - dl/dz`` for hits that are dropped."""
    terms = np.exp(scores)
    partition = float(np.sum(terms))
    relative_variance = partition_variance(scores, target, q, num_samples) / partition**2
    bias = terms / partition * relative_variance
    for i in range(len(scores)):
        if i != target:
            covariance = terms[i] * (terms[i] / q[i] - (partition - terms[target])) / num_samples
            bias[i] -= covariance / partition**2
    return bias
