"""A power of the classes' training frequencies."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain.samplers.fixed import FixedProposal

if TYPE_CHECKING:
    from sstrain.data.vocabulary import Vocabulary


class Unigram(FixedProposal):
    """``q_j ~ (count_j + smoothing)^power``, counts taken from the training rows.

    The power 0.75 is that of Mikolov et al. (2013), "Distributed representations of words and
    phrases and their compositionality", section 2.2.
    """

    type: Literal["unigram"] = "unigram"
    power: float = Field(0.75, ge=0, le=100)
    smoothing: float = Field(0.0, ge=0)

    def log_weights(self, vocabulary: "Vocabulary") -> NDArray[np.float64]:
        """Return ``power * log(count + smoothing)`` for each class."""
        return np.asarray(self.power * np.log(vocabulary.class_counts + self.smoothing))
