"""A weighted mixture of other proposals."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain.samplers.fixed import FixedProposal
from sstrain.samplers.table import FIXED
from sstrain.section import NonEmpty, Section, merged, one_of

if TYPE_CHECKING:
    from sstrain.data.vocabulary import Vocabulary


class Weighted(Section):
    """The share of one part of a mixture."""

    weight: float = Field(gt=0)


if TYPE_CHECKING:

    class Part(Weighted, FixedProposal):
        """One part of a mixture: a proposal and its share."""
else:
    Part = one_of(merged(f"{part.__name__}Part", Weighted, part) for part in FIXED.values())

_DEFAULT_PARTS = (
    {"weight": 0.8, "type": "unigram", "power": 0.75},
    {"weight": 0.2, "type": "uniform"},
)


class Mixture(FixedProposal):
    """``q_j = sum_m weight_m q_mj`` over normalised parts; the weights are normalised too."""

    type: Literal["mixture"] = "mixture"
    parts: NonEmpty[Part] = Field(_DEFAULT_PARTS, validate_default=True)

    def files(self) -> tuple[str, ...]:
        """Return the files of all parts."""
        return tuple(path for part in self.parts for path in part.files())

    def log_weights(self, vocabulary: "Vocabulary") -> NDArray[np.float64]:
        """Return ``log sum_m weight_m q_mj`` for each class, summed in log space."""
        terms = [np.log(part.weight) + part.log_q(vocabulary) for part in self.parts]
        return np.asarray(np.logaddexp.reduce(terms, axis=0))
