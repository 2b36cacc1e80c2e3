"""Figures of an evaluation over all classes, from scores [N, V] and targets [N].

A target of -1 is a label that training never saw: it is left out of the log-loss, and is a miss
for the rest.
"""

import math

import numpy as np
from numpy.typing import NDArray

from reference.softmax import exact_loss, probabilities

__all__ = [
    "bands",
    "evaluate",
    "expected_calibration_error",
    "log_loss",
    "mean_reciprocal_rank",
    "rank",
    "top_k",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NUM_BINS = 15


def log_loss(scores: Floats, targets: Ints) -> float:
    """Return the mean of ``-log p_c`` over the examples with a known label."""
    losses = [exact_loss(z, c) for z, c in zip(scores, targets, strict=True) if c >= 0]
    return math.fsum(losses) / len(losses) if losses else math.nan


def rank(scores: Floats, target: int) -> float:
    """Return the target's rank from 1; of equal scores the smaller class id comes first."""
    if target < 0:
        return math.inf
    higher = sum(1 for z in scores if z > scores[target])
    tied_before = sum(1 for j in range(target) if scores[j] == scores[target])
    return 1 + higher + tied_before


def top_k(scores: Floats, targets: Ints, k: int) -> float:
    """Return the share of examples whose target is among the k best."""
    return sum(rank(z, c) <= k for z, c in zip(scores, targets, strict=True)) / len(targets)


def mean_reciprocal_rank(scores: Floats, targets: Ints) -> float:
    """Return the mean of 1 / rank."""
    return sum(1 / rank(z, c) for z, c in zip(scores, targets, strict=True)) / len(targets)


def expected_calibration_error(scores: Floats, targets: Ints) -> float:
    """Return the mean gap between the top-1 probability and accuracy over 15 bins of equal mass.

    Examples are sorted by the top-1 probability, those with the same one as they came; bin b
    holds the places from ``b N // 15`` up to ``(b + 1) N // 15``, and weighs as its share.
    """
    confidence = np.array([float(np.max(probabilities(z))) for z in scores])
    correct = np.array([rank(z, c) == 1 for z, c in zip(scores, targets, strict=True)])
    order = np.argsort(confidence, kind="stable")
    error = 0.0
    for b in range(NUM_BINS):
        members = order[b * len(order) // NUM_BINS : (b + 1) * len(order) // NUM_BINS]
        error += abs(float(np.sum(confidence[members]) - np.sum(correct[members])))
    return error / len(order)


def bands(class_counts: Ints) -> list[str]:
    """Return the band of each class, by the share of training examples before it.

    Classes are taken by falling count, those of the same count by id: those with less than half
    of all examples before them are ``head``, with less than 90% ``torso``, the others ``tail``.
    """
    total = int(np.sum(class_counts))
    names = [""] * len(class_counts)
    before = 0
    for j in np.argsort(-class_counts, kind="stable"):
        names[j] = "head" if 2 * before < total else "torso" if 10 * before < 9 * total else "tail"
        before += int(class_counts[j])
    return names


def evaluate(scores: Floats, targets: Ints, top_ks: tuple[int, ...] = (1, 5)) -> dict[str, float]:
    """Return every figure by its name in ``sstrain eval --json``."""
    loss = log_loss(scores, targets)
    return {
        "num_examples": len(targets),
        "log_loss": loss,
        "perplexity": math.exp(loss),
        **{f"top_{k}": top_k(scores, targets, k) for k in top_ks},
        "mrr": mean_reciprocal_rank(scores, targets),
        "ece": expected_calibration_error(scores, targets),
    }
