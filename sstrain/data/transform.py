"""What is done to values once features have their ids: scaling, tf-idf, normalisation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.vocabulary import Vocabulary
from sstrain.errors import UserError

__all__ = ["Transform"]


@dataclass(frozen=True)
class Transform:
    """Turns the value v of a feature into ``(v - shift) * scale``, and normalises rows.

    Attributes
    ----------
    shift, scale : float64 arrays of shape [D]
    to_unit_norm : bool
        Whether each row is then divided by its Euclidean norm.
    """

    shift: NDArray[np.float64]
    scale: NDArray[np.float64]
    to_unit_norm: bool

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> "Transform | None":
        """Return what a vocabulary's training data fixed; None if values stay as they are."""
        fitted = vocabulary.fitted
        to_unit_norm = fitted.get("normalize") == "l2"
        scales: dict[str, list[float]] = fitted.get("scales", {})
        if not (to_unit_norm or scales or fitted.get("tf_idf")):
            return None
        shift, scale = np.zeros(vocabulary.num_features), np.ones(vocabulary.num_features)
        if fitted.get("tf_idf"):
            # As scikit-learn smooths it: as if one more row held every feature.
            scale = np.log((1 + fitted["num_rows"]) / (1 + vocabulary.feature_counts)) + 1
        for name, (center, divisor) in scales.items():
            shift[vocabulary.feature_ids[name]] = center
            scale[vocabulary.feature_ids[name]] = 1 / divisor
        return cls(shift, scale, to_unit_norm)

    def apply(
        self,
        indptr: NDArray[np.int64],
        indices: NDArray[np.int32],
        values: NDArray[np.float32],
    ) -> None:
        """Change the values of CSR rows in place.

        Raises
        ------
        UserError
            If one is then too large for a float32.
        """
        kernels.transform_rows(indptr, indices, values, self.shift, self.scale, self.to_unit_norm)
        if not np.isfinite(values).all():
            raise UserError(
                "data.train: a value is too large once it is scaled; found more than 3.4e38; "
                "expected smaller values, or neither tf_idf nor numeric_scale"
            )
