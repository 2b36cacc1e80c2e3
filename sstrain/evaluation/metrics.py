"""Figures of quality from what is known of each example."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BANDS", "Predictions", "band_of_class", "figures"]

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
    """

    targets: NDArray[np.int32]
    losses: NDArray[np.float64]
    ranks: NDArray[np.int64]
    confidences: NDArray[np.float64]

    def where(self, mask: NDArray[np.bool_]) -> "Predictions":
        """Return the examples of a mask."""
        return Predictions(
            self.targets[mask], self.losses[mask], self.ranks[mask], self.confidences[mask]
        )


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
    log_loss = _mean(predictions.losses[known])
    reciprocal = np.where(known, 1 / predictions.ranks, 0.0)
    return {
        "num_examples": len(predictions.targets),
        "log_loss": log_loss,
        "perplexity": None if log_loss is None else _perplexity(log_loss),
        **{f"top_{k}": _mean(known & (predictions.ranks <= k)) for k in top_k},
        "mrr": _mean(reciprocal),
        "ece": _calibration_error(predictions.confidences, known & (predictions.ranks == 1)),
    }


def _perplexity(log_loss: float) -> float | None:
    try:
        return math.exp(log_loss)
    except OverflowError:
        return None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(values: NDArray[Any]) -> float | None:
    return _finite(values.mean()) if len(values) else None


def _calibration_error(
    confidences: NDArray[np.float64], correct: NDArray[np.bool_]
) -> float | None:
    """Return the expected calibration error of the top class.

    The N examples are sorted by confidence; bin b of 15 holds the places from ``b N // 15`` up to
    ``(b + 1) N // 15``. The error is the mean over examples of each bin's distance between accuracy
    and mean confidence (Naeini and others 2015; equal-mass bins as in Nixon and others 2019).
    """
    if not len(confidences):
        return None
    order = np.argsort(confidences, kind="stable")
    bounds = np.arange(1, _ECE_BINS) * len(order) // _ECE_BINS
    error = 0.0
    for part in np.split(order, bounds):
        error += abs(float(correct[part].sum()) - float(confidences[part].sum()))
    return error / len(confidences)
