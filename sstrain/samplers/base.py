"""What every proposal distribution and every sampler section has in common."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain.errors import UserError
from sstrain.section import Section

if TYPE_CHECKING:
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.samplers.fixed import FixedSampler

__all__ = ["Drawing", "FixedProposal", "Proposal", "Sharing"]


class Proposal(Section):
    """A proposal distribution q, by its name and its own keys."""

    type: str

    def files(self) -> tuple[str, ...]:
        """Return the files that q is read from, so that a run can tell if they have changed."""
        return ()

    @abstractmethod
    def build(self, vocabulary: "Vocabulary", exclude_targets: bool) -> "FixedSampler":
        """Return what draws from it, as the drawing keys of its section say.

        Parameters
        ----------
        vocabulary : Vocabulary
        exclude_targets : bool
            Whether an example's own target is never drawn.

        Raises
        ------
        UserError
            If the proposal cannot serve the data.
        """


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

    def log_q(self, vocabulary: "Vocabulary") -> NDArray[np.float64]:
        """Return log q of every class, float64 [V]; minus infinity where there is no probability.

        Raises
        ------
        UserError
            If no class has any probability.
        """
        log_weights = self.log_weights(vocabulary)
        total = np.logaddexp.reduce(log_weights)
        if not np.isfinite(total):
            raise UserError(
                f"sampler: {self.type} gives no class of the training set any probability, class "
                f"{vocabulary.classes[0]!r} for one; expected some for every class"
            )
        return np.asarray(log_weights - total)

    def build(self, vocabulary: "Vocabulary", exclude_targets: bool) -> "FixedSampler":
        """Return the one drawing code that serves every fixed q."""
        from sstrain.samplers.fixed import FixedSampler

        return FixedSampler(cast("FixedSection", self), vocabulary, exclude_targets)


class Sharing(Section):
    """How candidates are drawn, whatever the proposal and their number."""

    share: Literal["batch", "example"] = "batch"
    replacement: bool = True


class NumSamples(Section):
    """How many candidates are drawn."""

    num_samples: int = Field(64, ge=1)


class Drawing(Sharing, NumSamples):
    """How candidates are drawn, whatever the proposal."""


if TYPE_CHECKING:

    class FixedSection(Drawing, FixedProposal):
        """A ``sampler:`` section whose proposal is a fixed one."""
