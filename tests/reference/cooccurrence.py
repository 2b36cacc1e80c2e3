"""The proposal by the classes that occur with an example's features, feature by feature."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

__all__ = ["feature_shares", "informativeness", "log_q"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def feature_shares(
    x: Floats, targets: Ints, classes_per_feature: int, discount: int
) -> list[dict[int, int]]:
    """Return for each feature the counts of its classes, less the discount, that are kept.

    ``x`` [N, D] are the training examples; of equal counts the first classes are kept.
    """
    found = []
    for column in x.T:
        counts = Counter(int(j) for j, value in zip(targets, column, strict=True) if value != 0)
        ranked = sorted(counts, key=lambda j, counts=counts: (-counts[j], j))  # type: ignore[misc]
        kept = [j for j in ranked[:classes_per_feature] if counts[j] > discount]
        found.append({j: counts[j] - discount for j in kept})
    return found


def informativeness(counts: dict[int, int], unigram: Floats, shrinkage: float) -> float:
    """Return the square of ``n / (n + shrinkage) KL(p(.|f) || unigram)``."""
    total = sum(counts.values())
    if total == 0:
        return 0.0
    divergence = sum(n / total * np.log(n / total / unigram[j]) for j, n in counts.items())
    return float((total / (total + shrinkage) * max(divergence, 0.0)) ** 2)


def log_q(
    x: Floats,
    shares: list[dict[int, int]],
    class_counts: Ints,
    power: float,
    base_share: float,
    shrinkage: float,
    least: float = 0.05,
) -> Floats:
    """Return log q [V] for one example x [D]."""
    unigram = class_counts / class_counts.sum()
    base = class_counts**power / np.sum(class_counts**power)
    weights = np.array([informativeness(counts, unigram, shrinkage) for counts in shares])
    weights = np.abs(x) * weights
    weights[weights < least * weights.max()] = 0
    if weights.sum() == 0:
        return np.asarray(np.log(base))
    q = base_share * base
    for share, counts in zip(weights / weights.sum(), shares, strict=True):
        for j, n in counts.items():
            if share > 0:
                q[j] += (1 - base_share) * share * n / sum(counts.values())
    return np.asarray(np.log(q))
