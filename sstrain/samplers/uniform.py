"""Every class with the same probability."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from sstrain.samplers.fixed import FixedProposal

if TYPE_CHECKING:
    from sstrain.data.vocabulary import Vocabulary


class Uniform(FixedProposal):
    """``q_j = 1 / V``."""

    type: Literal["uniform"] = "uniform"

    def log_weights(self, vocabulary: "Vocabulary") -> NDArray[np.float64]:
        """Return zero for each class."""
        return np.zeros(vocabulary.num_classes)
