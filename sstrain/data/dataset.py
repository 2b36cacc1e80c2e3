"""Encoded examples: what training, evaluation and prediction read."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dataset"]


@dataclass(frozen=True)
class Dataset:
    """Examples as CSR rows over the feature ids of a vocabulary.

    Attributes
    ----------
    indptr : int64 array of shape [N + 1]
    indices : int32 array of shape [nnz]
        Feature ids, rising inside a row, each at most once.
    values : float32 array of shape [nnz]
    targets : int32 array of shape [N]
        Class ids; -1 for a label that training never saw (never in a training split).
    weights : float32 array of shape [N]
        Example weights, ones unless the data has them.
    lines : int64 array of shape [N]
        Line number of each example, from 1, running on over the files of a source.
    num_skipped : int
        Positions of a sequence whose token is no class: they are no examples.
    num_unknown_labels : int
        Examples whose target is -1.
    num_unknown_features : int
        Occurrences of features that the vocabulary has not; they are left out.
    unknown_label : str or None
        The first label that training never saw.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float32]
    targets: NDArray[np.int32]
    weights: NDArray[np.float32]
    lines: NDArray[np.int64]
    num_skipped: int = 0
    num_unknown_labels: int = 0
    num_unknown_features: int = 0
    unknown_label: str | None = None

    @property
    def num_examples(self) -> int:
        """N."""
        return len(self.targets)

    @property
    def num_empty(self) -> int:
        """Examples without a feature."""
        return int(np.count_nonzero(np.diff(self.indptr) == 0))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.indptr, self.indices, self.values, self.targets, self.weights, self.lines)
        return sum(array.nbytes for array in arrays)

    def head(self, count: int) -> "Dataset":
        """Return the first examples, as views; the counts are the whole's."""
        indptr = self.indptr[: count + 1]
        return replace(
            self,
            indptr=indptr,
            indices=self.indices[: indptr[-1]],
            values=self.values[: indptr[-1]],
            targets=self.targets[:count],
            weights=self.weights[:count],
            lines=self.lines[:count],
        )
