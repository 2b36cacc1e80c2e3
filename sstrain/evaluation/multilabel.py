"""Figures of rows that may have several labels: how many of them are among the k best classes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain.evaluation.metrics import Predictions, ratio, weighted_mean

__all__ = ["ROW_FIGURES", "inverse_propensities", "row_figures"]

#: What is measured at each k.
ROW_FIGURES = ("precision", "recall", "ndcg", "psp")


def inverse_propensities(
    label_counts: NDArray[np.int64], num_rows: int, a: float, b: float
) -> NDArray[np.float64]:
    """Return 1 / p of labels, p the chance that a label that applies has been noted.

    Parameters
    ----------
    label_counts : int64 array of shape [V]
        Training rows that have each label.
    num_rows : int
        Training rows.
    a, b : float
        Constants of the data, above 0.

    Returns
    -------
    float64 array of shape [V]
        ``1 + C (count + b)^-a`` with ``C = (log num_rows - 1)(b + 1)^a`` (Jain, Prabhu and Varma
        2016). C is at least 0, which changes fewer than three rows: p is a probability.
    """
    c = max(math.log(num_rows) - 1, 0.0) * (b + 1) ** a
    return np.asarray(1 + c * (label_counts + b) ** -a)


def row_figures(
    predictions: Predictions,
    rows: NDArray[np.int64],
    inverse: NDArray[np.float64],
    top_k: Sequence[int],
) -> dict[str, Any]:
    """Return precision, recall, nDCG and propensity-scored precision at each k.

    They are means over the rows that have a label, weighted by the sum of each row's weights. A
    label that training never saw is a label of the row that is never found. The ranks of a row's
    labels say how many of its k best classes are labels, and at which ranks: no list of the best
    classes is needed.

    Parameters
    ----------
    predictions : Predictions
        Of N labels.
    rows : int64 array of shape [N]
        The row of each label.
    inverse : float64 array of shape [N]
        The inverse propensity of each label.
    top_k : sequence of int

    Returns
    -------
    dict
        ``precision_k``, ``recall_k``, ``ndcg_k`` and ``psp_k`` for each k; None where the weights
        sum to 0.
    """
    _, rows, num_labels = np.unique(rows, return_inverse=True, return_counts=True)

    def summed(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(rows, values, len(num_labels)), np.float64)

    # Rounded to the data's float32, so that m labels of weight 1/m are a row of weight 1.
    weights = summed(predictions.weights).astype(np.float32).astype(np.float64)
    gains = 1 / np.log2(1 + predictions.ranks)
    ideal_gains = np.cumsum(1 / np.log2(2 + np.arange(max(num_labels, default=0))))
    places = _places_by(inverse, rows, num_labels)
    found = {}
    for k in top_k:
        hits = predictions.hits(k)
        num_hits = summed(hits)
        found[f"precision_{k}"] = weighted_mean(num_hits / k, weights)
        found[f"recall_{k}"] = weighted_mean(num_hits / num_labels, weights)
        ideal = ideal_gains[np.minimum(num_labels, k) - 1]
        found[f"ndcg_{k}"] = weighted_mean(summed(hits * gains) / ideal, weights)
        gained, possible = summed(hits * inverse), summed((places < k) * inverse)
        found[f"psp_{k}"] = ratio(float(weights @ gained), float(weights @ possible))
    return found


def _places_by(
    values: NDArray[np.float64], rows: NDArray[np.int64], num_labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return each label's place in its row, from 0, when they are sorted by falling value."""
    order = np.lexsort((-values, rows))
    starts = np.cumsum(num_labels) - num_labels
    places = np.empty(len(rows), np.int64)
    places[order] = np.arange(len(rows)) - starts[rows[order]]
    return places
