"""Quality over all classes, computed alike for every tool.

A test row whose label training lacks is left out of the log-loss and is a miss in every top-k, as
in `sstrain eval`; of classes with equal scores the more frequent one comes first.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from peers.examples import Ids

Floats: TypeAlias = NDArray[np.float32]
Figures: TypeAlias = dict[str, float | None]

TOP = (1, 5)
_BLOCK_BYTES = 32 << 20  # Of scores that are asked for at once ...
_CACHED_BYTES = 1 << 20  # ... and of those that are looked at while they are in a core's cache.


def figures_of_scores(
    score: Callable[[slice], Any], targets: Ids, num_classes: int, probabilities: bool
) -> Figures:
    """Return log-loss and top-k of scores.

    Parameters
    ----------
    score : callable
        Takes a slice of the test rows, returns a float array of shape [rows, V] which may be
        overwritten.
    targets : int64 array
        Of all test rows; -1 if unknown.
    num_classes : int
        V.
    probabilities : bool
        Whether the softmax of the scores is what the tool holds to be the classes' probabilities;
        else there is no log-loss.

    Returns
    -------
    dict
        NaN for each figure if a score is not finite.
    """
    loss, hits = 0.0, np.zeros(len(TOP))
    block = max(1, _BLOCK_BYTES // (4 * num_classes))
    part = max(1, _CACHED_BYTES // (4 * num_classes))
    for start in range(0, len(targets), block):
        scores = np.asarray(score(slice(start, min(start + block, len(targets)))))
        for low in range(0, len(scores), part):
            own = targets[start + low : start + min(low + part, len(scores))]
            known = own >= 0
            if not np.isfinite(scores[low : low + part]).all():
                return dict.fromkeys(["log_loss", *(f"top_{k}" for k in TOP)], float("nan"))
            losses, ahead = _losses_and_ranks(scores[low : low + part][known], own[known])
            loss += losses
            hits += [(ahead < k).sum() for k in TOP]
    num_known = int((targets >= 0).sum())
    found: Figures = {f"top_{k}": float(hits[i]) / len(targets) for i, k in enumerate(TOP)}
    return found | {"log_loss": loss / num_known if probabilities and num_known else None}


def _losses_and_ranks(scores: Any, targets: Ids) -> tuple[float, Ids]:
    """Return the sum of the rows' losses, and how many classes come before each target."""
    places = targets[:, np.newaxis]
    reached = np.take_along_axis(scores, places, axis=1)
    ahead = (scores > reached).sum(axis=1)
    ties = (scores == reached).sum(axis=1) - 1
    for row in np.flatnonzero(ties):
        ahead[row] += (scores[row, : targets[row]] == reached[row]).sum()
    largest = scores.max(axis=1, keepdims=True)
    differences = np.subtract(scores, largest, dtype=np.float64)
    sums = np.exp(differences, out=differences).sum(axis=1)
    losses = np.log(sums) + (largest - reached)[:, 0].astype(np.float64)
    return float(losses.sum()), ahead


def figures_of_order(best: Ids, targets: Ids) -> Figures:
    """Return top-k of the classes [rows, 5] that a tool puts first, -1 for none."""
    hits = (best == targets[:, np.newaxis]) & (targets >= 0)[:, np.newaxis]
    return {"log_loss": None} | {f"top_{k}": float(hits[:, :k].any(axis=1).mean()) for k in TOP}


def figures_of_first(best: Ids, targets: Ids) -> Figures:
    """Return top-1 of the one class [rows] that a tool predicts; it has no top-5."""
    return figures_of_order(best[:, np.newaxis], targets) | {"top_5": None}


def best_of_lists(predictions: list[list[int]]) -> Ids:
    """Return lists of at most five classes as an array, filled up with -1."""
    best = np.full((len(predictions), max(TOP)), -1, np.int64)
    for row, classes in enumerate(predictions):
        best[row, : len(classes)] = classes[: max(TOP)]
    return best
