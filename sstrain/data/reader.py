"""The interface between a format and the rest: blocks of lines in, CSR rows out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain.data.files import Block

__all__ = ["FeatureNames", "Reader", "Rows"]

#: Names by id; for a format that numbers its features, int64 indices by id.
FeatureNames = list[str] | NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Examples as a reader takes them from a block, under ids of its own.

    Attributes
    ----------
    indptr : int64 array of shape [N + 1]
    features : int32 array of shape [nnz]
        In any order, but in a row each at most once.
    values : float32 array of shape [nnz]
    labels : int32 array of shape [N]
        -1 where there is none.
    lines : int64 array of shape [N]
        The line of each, from 1, running on over the files of a source.
    """

    indptr: NDArray[np.int64]
    features: NDArray[np.int32]
    values: NDArray[np.float32]
    labels: NDArray[np.int32]
    lines: NDArray[np.int64]


class Reader(ABC):
    """Reads the blocks of one source in their order.

    Labels and features have ids in the order in which the reader meets them; their names are
    complete once the last block is read.
    """

    @abstractmethod
    def read(self, block: Block) -> Rows:
        """Return the block's examples.

        Raises
        ------
        UserError
            ``FILE:LINE: what is wrong; what was found; what was expected`` for a bad line.
        """

    @property
    @abstractmethod
    def label_names(self) -> list[str]:
        """The labels by their ids."""

    @property
    @abstractmethod
    def feature_names(self) -> FeatureNames:
        """The features by their ids."""

    @abstractmethod
    def absence(self) -> str:
        """Return what was found and what was expected, where no example was found."""

    def fitted(self) -> dict[str, Any]:
        """Return what the training files fix for all others, as JSON values."""
        return {}

    def notes(self) -> list[str]:
        """Return what the user should hear of, though it is no mistake."""
        return []
