"""A power of the class frequencies that training has seen so far."""

from typing import TYPE_CHECKING, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain.samplers.base import DataSize, Sampler, Setting, State
from sstrain.samplers.fixed import FixedProposal, FixedSampler, alias_state

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.samplers.base import SamplerSection


class LearnedUnigram(FixedProposal):
    """``q_j ~ (seen_j + smoothing)^power``, where seen_j is the weight of j's examples so far.

    For streams, of which no count is known beforehand; TensorFlow's
    ``learned_unigram_candidate_sampler`` is the case of power 1 and smoothing 1.
    """

    type: Literal["learned_unigram"] = "learned_unigram"
    changes: ClassVar[bool] = True

    #: At most 10: no class that training has not seen falls out of a float then.
    power: float = Field(0.75, ge=0, le=10)
    #: What every class counts before it is seen.
    smoothing: float = Field(1.0, gt=0)
    #: q follows whenever the sum of all counts, smoothing among them, has grown by this share.
    growth: float = Field(0.1, ge=0)

    def log_weights(self, vocabulary: "Vocabulary") -> NDArray[np.float64]:
        """Return the log of equal weights: nothing has been seen."""
        return np.zeros(vocabulary.num_classes)

    def learned_log_q(self, seen: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return log q of every class, float64 [V], from the weight that was seen of each."""
        log_weights = self.power * np.log(seen + self.smoothing)
        return np.asarray(log_weights - np.logaddexp.reduce(log_weights))

    def memory_bytes(self, size: DataSize) -> int:
        """Return the bytes of an alias table and the counts, and of making the table anew."""
        return (28 + 48) * size.num_classes + 16

    def fit(self, setting: Setting) -> State:
        """Return an alias table of equal probabilities, and counts of nothing."""
        num_classes = setting.vocabulary.num_classes
        total = self.smoothing * num_classes
        return {
            **super().fit(setting),
            "seen": np.zeros(num_classes),
            "totals": np.array([total, total]),
        }

    def sampler(self, state: State, setting: Setting) -> Sampler:
        """Return a sampler that counts the targets of what it is shown."""
        return LearnedUnigramSampler(self, state, setting)


class LearnedUnigramSampler(FixedSampler):
    """Draws by an alias table that follows the counts of what training sees.

    The table is made anew in O(V), and only once the counts have grown by a share of their sum:
    the number of tables grows with the logarithm of the examples.

    Parameters
    ----------
    section : LearnedUnigram
    state : dict
        Of its ``fit``; changed in place.
    setting : Setting
    """

    def __init__(self, section: LearnedUnigram, state: State, setting: Setting) -> None:
        super().__init__(cast("SamplerSection", section), state, setting)
        self._learned = section
        self._seen = state["seen"]
        #: The sum of all counts with smoothing, now and when the table was made.
        self._totals = state["totals"]

    def tensors(self) -> State:
        """Return the alias table, the counts, and their sums now and when the table was made."""
        return {**super().tensors(), "seen": self._seen, "totals": self._totals}

    def observe(self, batch: "Batch") -> None:
        """Count the targets of a batch, each with its weight."""
        np.add.at(self._seen, batch.targets, batch.weights)
        self._totals[0] += batch.weights.sum(dtype=np.float64)

    def refresh(self, step: int) -> None:
        """Make the alias table anew if the counts have grown by enough."""
        now, made = self._totals
        if now > made and now >= (1 + self._learned.growth) * made:
            table = alias_state(self._learned.learned_log_q(self._seen))
            for name, array in self.table._asdict().items():
                array[:] = table[name]
            self._totals[1] = now
