"""Data made in memory: classes and features by Zipf's law, with nothing else to learn."""

from typing import Any

import numpy as np

from sstrain.data.dataset import Dataset
from sstrain.data.vocabulary import Vocabulary

__all__ = ["make_data", "zipf"]


def zipf(rng: np.random.Generator, size: int, shape: tuple[int, ...]) -> Any:
    """Return numbers below a size, each with a probability like 1 / (1 + number)."""
    return np.minimum(np.exp(rng.random(shape) * np.log(size + 1)) - 1, size - 1).astype(np.int32)


def make_data(
    rng: np.random.Generator,
    num_classes: int,
    num_features: int,
    row_features: int,
    num_examples: int,
) -> tuple[Dataset, Vocabulary]:
    """Return examples and their vocabulary.

    Targets and features are drawn by `zipf`; a feature that a row draws twice it holds once, so
    that a row has ``row_features`` or a few less. All values are 1.
    """
    rows = np.sort(zipf(rng, num_features, (num_examples, row_features)), axis=1)
    first = np.diff(rows, axis=1, prepend=-1) > 0
    indices = rows[first]
    dataset = Dataset(
        indptr=np.concatenate([[0], np.cumsum(first.sum(axis=1))]),
        indices=indices,
        values=np.ones(len(indices), np.float32),
        lines=np.arange(1, num_examples + 1),
        targets=zipf(rng, num_classes, (num_examples,)),
        weights=np.ones(num_examples, np.float32),
    )
    vocabulary = Vocabulary(
        classes=[f"c{j}" for j in range(num_classes)],
        class_counts=np.maximum(np.bincount(dataset.targets, minlength=num_classes), 1),
        features=[f"f{j}" for j in range(num_features)],
        feature_counts=np.maximum(np.bincount(indices, minlength=num_features), 1),
    )
    return dataset, vocabulary
