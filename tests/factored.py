"""A low-rank model in plain numpy, in the place of a run's own."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain.data.batches import Batch
from sstrain.training.saved import SavedModel


@dataclass(frozen=True)
class FactoredModel:
    """Scores ``(sum of x_f F_f) . C_c + b_c``; what an index needs of a layout, and no more."""

    feature_factors: NDArray[np.float32]
    class_factors: NDArray[np.float32]
    bias: NDArray[np.float32]

    def class_vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return self.class_factors, self.bias

    def pooled(self, batch: Batch) -> NDArray[np.float32]:
        arrays = batch.arrays
        found = np.zeros((batch.size, self.feature_factors.shape[1]), np.float32)
        for row in range(batch.size):
            part = slice(arrays.indptr[row], arrays.indptr[row + 1])
            features = arrays.features[arrays.slots[part]]
            found[row] = arrays.values[part] @ self.feature_factors[features]
        return found

    def score_all(self, batch: Batch, averaged: bool = True) -> NDArray[np.float32]:
        return self.pooled(batch) @ self.class_factors.T + self.bias


def factored(saved: SavedModel, rank: int = 4, seed: int = 0) -> SavedModel:
    """Return a run's model with random factors in the place of its weights."""
    rng = np.random.default_rng(seed)
    shapes = (saved.vocabulary.num_features, rank), (saved.vocabulary.num_classes, rank)
    features, classes = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    model: Any = FactoredModel(features, classes, saved.vocabulary.log_prior())
    return replace(saved, model=model, scorer=model)
