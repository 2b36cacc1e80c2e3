"""Zipf's law over the class ids, which are ordered by falling training frequency."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from sstrain.samplers.fixed import FixedProposal

if TYPE_CHECKING:
    from sstrain.data.vocabulary import Vocabulary


class LogUniform(FixedProposal):
    """``q_j = log((j + 2) / (j + 1)) / log(V + 1)`` for the class of rank j, counted from 0.

    The distribution of TensorFlow's ``log_uniform_candidate_sampler``. It assumes classes in
    falling order of frequency, which is the order that sstrain gives them.
    """

    type: Literal["log_uniform"] = "log_uniform"

    def log_weights(self, vocabulary: "Vocabulary") -> NDArray[np.float64]:
        """Return ``log log(1 + 1 / (j + 1))`` for each class j."""
        rank = np.arange(vocabulary.num_classes, dtype=np.float64)
        return np.log(np.log1p(1 / (rank + 1)))
