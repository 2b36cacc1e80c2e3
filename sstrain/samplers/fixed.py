"""Proposals with a fixed q, and the one sampler of all of them, which draws by an alias table."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.errors import UserError
from sstrain.samplers.base import DataSize, Proposal, Sampler, Setting, State
from sstrain.samplers.drawn import DrawnSampler

if TYPE_CHECKING:
    from sstrain.data.batches import Batch
    from sstrain.data.vocabulary import Vocabulary
    from sstrain.kernels import AliasTable
    from sstrain.samplers.base import SamplerSection

__all__ = ["FixedProposal", "FixedSampler", "alias_state", "check_every_class"]


def alias_state(log_q: NDArray[np.float64]) -> State:
    """Return the alias table of a distribution, float64 [V], as a checkpoint keeps it."""
    state: State = {
        "threshold": np.empty(len(log_q)),
        "alias": np.empty(len(log_q), np.int32),
        "log_q": log_q,
    }
    kernels.build_alias(np.exp(log_q), state["threshold"], state["alias"])
    return state


def check_every_class(name: str, log_q: NDArray[np.float64], vocabulary: "Vocabulary") -> None:
    """Refuse a q that leaves a class out.

    Raises
    ------
    UserError
    """
    # exp(-745) is the smallest positive float64: below it a class would never be drawn.
    missing = np.flatnonzero(~(log_q > -745))
    if len(missing):
        label = vocabulary.classes[missing[0]]
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise UserError(
            f"sampler: {name} gives class {label!r}{others} of the training set zero "
            "probability; every class needs some, or its share of the sum is lost; "
            "mix it with uniform (type: mixture), or add the class"
        )


class FixedSampler(DrawnSampler):
    """Draws candidates from a proposal that depends on no example and no weight.

    Parameters
    ----------
    section : a sampler section of a config
    state : dict
        Of `alias_state`.
    setting : Setting
    """

    def __init__(self, section: "SamplerSection", state: State, setting: Setting) -> None:
        super().__init__(section, setting)
        self.table: AliasTable = kernels.AliasTable(
            state["threshold"], state["alias"], state["log_q"]
        )

    def proposal(self, batch: "Batch") -> Any:
        """Return the alias table, the same for every batch."""
        return self.table

    def tensors(self) -> State:
        """Return the alias table."""
        return self.table._asdict()


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

    def check(self, setting: Setting) -> None:
        """Refuse a q that leaves a class of the training set out."""
        check_every_class(self.type, self.log_q(setting.vocabulary), setting.vocabulary)

    def memory_bytes(self, size: DataSize) -> int:
        """Return the bytes of an alias table: threshold, alias, log q."""
        return 20 * size.num_classes

    def fit(self, setting: Setting) -> State:
        """Return the alias table of q."""
        return alias_state(self.log_q(setting.vocabulary))

    def sampler(self, state: State, setting: Setting) -> Sampler:
        """Return the one sampler that serves every fixed q."""
        return FixedSampler(cast("SamplerSection", self), state, setting)
