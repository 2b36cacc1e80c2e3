"""Exact evaluation: every class of every example, in batches of bounded size."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.config.sections import Evaluation
from sstrain.data.batches import BatchReader
from sstrain.data.dataset import Dataset
from sstrain.data.vocabulary import Vocabulary
from sstrain.evaluation.metrics import BANDS, Predictions, band_of_class, figures
from sstrain.evaluation.multilabel import inverse_propensities, row_figures
from sstrain.evaluation.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["all_figures", "evaluate", "predict_all", "scoring_batch_size"]

#: Scores held at once: 64 MiB of float32, so that of 10^6 classes there are 16 rows for each pass
#: over the weights.
_SCORES = 1 << 24
_MAX_BATCH = 256
_PROPENSITY = Evaluation().propensity


def scoring_batch_size(num_classes: int) -> int:
    """Return how many examples are scored at once."""
    return max(1, min(_MAX_BATCH, _SCORES // num_classes))


def predict_all(
    model: Scorer,
    dataset: Dataset,
    vocabulary: Vocabulary,
    advance: "Callable[[int], object] | None" = None,
) -> Predictions:
    """Score all classes of all examples and keep of each what the figures need.

    Parameters
    ----------
    model : Scorer
    dataset : Dataset
    vocabulary : Vocabulary
    advance : callable, optional
        Told the size of each batch that is done.
    """
    count = dataset.num_examples
    log_partitions = np.empty(count)
    target_scores = np.full(count, np.nan)
    ranks = np.empty(count, np.int64)
    highest = np.empty(count, np.float32)
    reader = BatchReader(dataset, vocabulary.num_features)
    for batch, ids in reader.rows_in_order(scoring_batch_size(vocabulary.num_classes)):
        scores, targets = model.score_all(batch), dataset.targets[ids]
        rows = (ids if dataset.rows is None else dataset.rows[ids]) - batch.example_ids[0]
        found = _evaluated(scores, targets, None if dataset.rows is None else rows)
        log_partitions[ids], ranks[ids], highest[ids] = found
        known = np.flatnonzero(targets >= 0)
        target_scores[ids[known]] = scores[rows[known], targets[known]]
        if advance is not None:
            advance(len(ids))
    return Predictions(
        targets=dataset.targets,
        losses=log_partitions - target_scores,
        ranks=ranks,
        confidences=np.exp(highest - log_partitions),
        weights=dataset.weights,
    )


def _evaluated(
    scores: NDArray[np.float32], targets: NDArray[np.int32], rows: NDArray[np.int64] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float32]]:
    """Return each target's log-partition, rank and highest score.

    ``rows`` are the targets' rows of scores, each of which is scored once; None: each its own.
    """
    count = len(scores)
    log_partitions, highest = np.empty(count), np.empty(count, np.float32)
    ranks = np.empty(len(targets), np.int64)
    if rows is None:
        kernels.evaluate_rows(scores, targets, log_partitions, ranks, highest)
        return log_partitions, ranks, highest
    no_targets, no_ranks = np.full(count, -1, np.int32), np.empty(count, np.int64)
    kernels.evaluate_rows(scores, no_targets, log_partitions, no_ranks, highest)
    kernels.rank_targets(scores, rows, targets, log_partitions, ranks)
    return log_partitions[rows], ranks, highest[rows]


def evaluate(
    model: Scorer,
    dataset: Dataset,
    vocabulary: Vocabulary,
    top_k: Sequence[int],
    advance: "Callable[[int], object] | None" = None,
    propensity: Sequence[float] = _PROPENSITY,
) -> dict[str, Any]:
    """Return the figures over all classes, as ``sstrain eval --json`` prints them, but ``split``.

    The log-loss is that of the full softmax, whatever the model was trained with. Where rows may
    have several labels there are the figures of `row_figures` besides.
    """
    predictions = predict_all(model, dataset, vocabulary, advance)
    return all_figures(predictions, dataset, vocabulary, top_k, propensity)


def all_figures(
    predictions: Predictions,
    dataset: Dataset,
    vocabulary: Vocabulary,
    top_k: Sequence[int],
    propensity: Sequence[float] = _PROPENSITY,
) -> dict[str, Any]:
    """Return the figures of predictions that have been made; see `evaluate`."""
    bands = band_of_class(vocabulary.class_counts)
    # The last row stands for unknown labels (target -1), which belong to no band.
    band_of_target = np.append(bands, np.int8(-1))[predictions.targets]
    return {
        **figures(predictions, top_k),
        **_row_figures(predictions, dataset, vocabulary, top_k, propensity),
        "num_skipped": dataset.num_skipped,
        "num_unknown_labels": dataset.num_unknown_labels,
        "num_unknown_features": dataset.num_unknown_features,
        "bands": {
            name: figures(predictions.where(band_of_target == band), top_k)
            for band, name in enumerate(BANDS)
        },
    }


def _row_figures(
    predictions: Predictions,
    dataset: Dataset,
    vocabulary: Vocabulary,
    top_k: Sequence[int],
    propensity: Sequence[float],
) -> dict[str, Any]:
    if dataset.rows is None:
        return {}
    # Training never saw the labels of target -1, which take the last place.
    inverse = inverse_propensities(
        np.append(vocabulary.class_counts, 0), vocabulary.fitted["num_rows"], *propensity
    )
    return {
        "num_rows": dataset.num_rows,
        **row_figures(predictions, dataset.rows, inverse[predictions.targets], top_k),
    }
