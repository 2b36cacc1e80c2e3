"""The classes and features of a run, in the order of the saved tensors."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Vocabulary"]


@dataclass(frozen=True)
class Vocabulary:
    """Class labels and feature names with their counts, fitted to the training rows alone.

    Attributes
    ----------
    classes : list of str
        Labels by falling training frequency (ties by label); the position is the class id.
    class_counts : int64 array of shape [V]
        Training examples of each class.
    features : list of str
        Feature names; the position is the feature's row in the weights.
    feature_counts : int64 array of shape [D]
        Training examples that hold each feature.
    fitted : dict
        What else the format fixed on the training file, as JSON values (the index base, say).
    """

    classes: list[str]
    class_counts: NDArray[np.int64]
    features: list[str]
    feature_counts: NDArray[np.int64]
    fitted: dict[str, Any] = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        """V."""
        return len(self.classes)

    @property
    def num_features(self) -> int:
        """D."""
        return len(self.features)
