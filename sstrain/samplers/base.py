"""What every proposal distribution and every sampler section has in common."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain.section import Section

if TYPE_CHECKING:
    from sstrain.data.vocabulary import Vocabulary

__all__ = ["Drawing", "FixedProposal", "Proposal"]


class Proposal(Section):
    """A proposal distribution q, by its name and its own keys."""

    type: str


class FixedProposal(Proposal):
    """A proposal over the classes that depends neither on the example nor on the weights."""

    @abstractmethod
    def log_weights(self, vocabulary: "Vocabulary") -> NDArray[np.float64]:
        """Return log q up to a constant, for each class.

        Parameters
        ----------
        vocabulary : Vocabulary
            The classes in the order of their ids, with their counts among the training rows.

        Returns
        -------
        float64 array of shape [V]
            Minus infinity where the proposal gives no probability.
        """


class Drawing(Section):
    """How candidates are drawn, whatever the proposal."""

    num_samples: int = Field(64, ge=1)
    share: Literal["batch", "example"] = "batch"
    replacement: bool = True
