"""Exact evaluation: every class of every example, in batches whose scores fit the cache."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sstrain import kernels
from sstrain.data.batches import BatchReader
from sstrain.data.dataset import Dataset
from sstrain.data.vocabulary import Vocabulary
from sstrain.evaluation.metrics import BANDS, Predictions, band_of_class, figures
from sstrain.models.base import Layout

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["all_figures", "evaluate", "predict_all", "scoring_batch_size"]

#: Scores held at once: 16 MiB of float32.
_SCORES = 1 << 22
_MAX_BATCH = 256


def scoring_batch_size(num_classes: int) -> int:
    """Return how many examples are scored at once."""
    return max(1, min(_MAX_BATCH, _SCORES // num_classes))


def predict_all(
    model: Layout,
    dataset: Dataset,
    vocabulary: Vocabulary,
    advance: "Callable[[int], object] | None" = None,
) -> Predictions:
    """Score all classes of all examples and keep of each what the figures need.

    Parameters
    ----------
    model : Layout
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
    for batch in reader.in_order(scoring_batch_size(vocabulary.num_classes)):
        part = slice(batch.example_ids[0], batch.example_ids[-1] + 1)
        scores = model.score_all(batch)
        kernels.evaluate_rows(
            scores, batch.targets, log_partitions[part], ranks[part], highest[part]
        )
        known = np.flatnonzero(batch.targets >= 0)
        target_scores[batch.example_ids[known]] = scores[known, batch.targets[known]]
        if advance is not None:
            advance(batch.size)
    return Predictions(
        targets=dataset.targets,
        losses=log_partitions - target_scores,
        ranks=ranks,
        confidences=np.exp(highest - log_partitions),
    )


def evaluate(
    model: Layout,
    dataset: Dataset,
    vocabulary: Vocabulary,
    top_k: Sequence[int],
    advance: "Callable[[int], object] | None" = None,
) -> dict[str, Any]:
    """Return the figures over all classes, as ``sstrain eval --json`` prints them, but ``split``.

    The log-loss is that of the full softmax, whatever the model was trained with.
    """
    predictions = predict_all(model, dataset, vocabulary, advance)
    return all_figures(predictions, dataset, vocabulary, top_k)


def all_figures(
    predictions: Predictions, dataset: Dataset, vocabulary: Vocabulary, top_k: Sequence[int]
) -> dict[str, Any]:
    """Return the figures of predictions that have been made; see `evaluate`."""
    bands = band_of_class(vocabulary.class_counts)
    # The last row stands for unknown labels (target -1), which belong to no band.
    band_of_target = np.append(bands, np.int8(-1))[predictions.targets]
    return {
        **figures(predictions, top_k),
        "num_skipped": dataset.num_skipped,
        "num_unknown_labels": dataset.num_unknown_labels,
        "num_unknown_features": dataset.num_unknown_features,
        "bands": {
            name: figures(predictions.where(band_of_target == band), top_k)
            for band, name in enumerate(BANDS)
        },
    }
