"""Figures of quality from what is known of each example."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BANDS", "Predictions", "band_of_class", "figures", "ratio", "weighted_mean"]

#: The bands of classes, by the share of the training examples that they and those before cover.
BANDS = {"head": 0.5, "torso": 0.9, "tail": 1.0}
_ECE_BINS = 15


@dataclass(frozen=True)
class Predictions:
    """What an exact evaluation keeps of N examples.

    Attributes
    ----------
    targets : int32 array of shape [N]
        -1 for a label that training never saw.
    losses : float64 array of shape [N]
        ``-log p_c`` in nats; NaN where the target is -1.
    ranks : int64 array of shape [N]
        Of the target, from 1; V + 1 where the target is -1.
    confidences : float64 array of shape [N]
        The probability of the top class.
    weights : float32 array of shape [N]
        How much each example counts.
    """

    targets: NDArray[np.int32]
    losses: NDArray[np.float64]
    ranks: NDArray[np.int64]
    confidences: NDArray[np.float64]
    weights: NDArray[np.float32]

    def where(self, mask: NDArray[np.bool_]) -> "Predictions":
        """Return the examples of a mask."""
        return Predictions(
            self.targets[mask],
            self.losses[mask],
            self.ranks[mask],
            self.confidences[mask],
            self.weights[mask],
        )

    def hits(self, k: int) -> NDArray[np.bool_]:
        """Tell of each example whether its label is among the k most probable classes."""
        return (self.targets >= 0) & (self.ranks <= k)


def band_of_class(class_counts: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return each class's band, 0 for head, 1 for torso, 2 for tail.

    A class belongs to the first band whose share of the training examples is not yet covered by
    the more frequent classes before it.

    Parameters
    ----------
    class_counts : int64 array of shape [V]
        Falling.
    """
    before = np.cumsum(class_counts) - class_counts
    limits = np.array(list(BANDS.values())[:-1]) * class_counts.sum()
    return np.searchsorted(limits, before, side="right").astype(np.int8)


def figures(predictions: Predictions, top_k: Sequence[int]) -> dict[str, Any]:
    """Return the figures of some examples; None where there is nothing to take a mean of.

    All but the number of examples are weighted means.

    Parameters
    ----------
    predictions : Predictions
    top_k : sequence of int

    Returns
    -------
    dict
        ``num_examples``, ``log_loss`` (nats), ``perplexity``, ``top_k`` for each k, ``mrr``,
        ``ece``. An example with an unknown label is left out of the log-loss and is a miss in
        the others.
    """
    known = predictions.targets >= 0
    weights = predictions.weights.astype(np.float64)
    log_loss = weighted_mean(predictions.losses[known], weights[known])
    reciprocal = np.where(known, 1 / predictions.ranks, 0.0)
    return {
        "num_examples": len(predictions.targets),
        "log_loss": log_loss,
        "perplexity": None if log_loss is None else _perplexity(log_loss),
        **{f"top_{k}": weighted_mean(predictions.hits(k), weights) for k in top_k},
        "mrr": weighted_mean(reciprocal, weights),
        "ece": _calibration_error(predictions.confidences, predictions.hits(1), weights),
    }


def _perplexity(log_loss: float) -> float | None:
    try:
        return math.exp(log_loss)
    except OverflowError:
        return None


def ratio(numerator: float, denominator: float) -> float | None:
    """Return a quotient; None if the denominator is 0 or the quotient is not finite."""
    if not denominator:
        return None
    quotient = float(numerator) / float(denominator)
    return quotient if math.isfinite(quotient) else None


def weighted_mean(values: NDArray[Any], weights: NDArray[np.float64]) -> float | None:
    """Return the weighted mean; None where the weights sum to 0 or it is not finite."""
    return ratio(float((values * weights).sum()), float(weights.sum()))


def _calibration_error(
    confidences: NDArray[np.float64], correct: NDArray[np.bool_], weights: NDArray[np.float64]
) -> float | None:
    """Return the expected calibration error of the top class.

    The examples are sorted by confidence; bin b of 15 holds those up to which the weights sum to
    more than b/15 of all, and to no more than (b + 1)/15: of N examples of weight 1 the places from
    ``b N // 15`` up to ``(b + 1) N // 15``. The error is the weighted mean of each bin's distance
    between accuracy and mean confidence (Naeini and others 2015; equal-mass bins as in Nixon and
    others 2019).
    """
    order = np.argsort(confidences, kind="stable")
    sums = np.cumsum(weights[order])
    total = float(weights.sum())
    bounds = np.searchsorted(sums, np.arange(1, _ECE_BINS) * total / _ECE_BINS, side="right")
    error = 0.0
    for part in np.split(order, bounds):
        right, sure = correct[part] * weights[part], confidences[part] * weights[part]
        error += abs(float(right.sum()) - float(sure.sum()))
    return ratio(error, total)
