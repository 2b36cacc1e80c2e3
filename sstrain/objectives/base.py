"""What every objective has in common."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.section import Section

if TYPE_CHECKING:
    from sstrain.kernels import Candidates

__all__ = ["Examples", "Float32", "Moments", "Objective", "SampledObjective", "State"]

Float32 = NDArray[np.float32]
#: Arrays with a number for each training example, by name, as a checkpoint keeps them.
State = dict[str, NDArray[Any]]


class Objective(Section):
    """A loss of the scores, by its name and its own keys."""

    type: str

    #: Whether the loss is a sum over drawn candidates rather than over all classes.
    sampled: ClassVar[bool]
    #: Whether the best scores are the log-probabilities less log q, which must not change then.
    shifts_by_log_q: ClassVar[bool] = False

    @property
    def excludes_targets(self) -> bool:
        """Whether an example's own target is never drawn as a candidate."""
        return False

    def uniform_loss(self, num_classes: int, num_samples: int) -> float:
        """Return about the loss of equal scores, in nats: a run whose loss is far above fails."""
        return math.log(num_classes)


class Examples(NamedTuple):
    """What a sampled objective may know of a batch beside its scores."""

    weights: Float32  # [B]
    ids: NDArray[np.int64]  # [B], places in the objective's state
    squared_norms: Float32  # [B], |x|^2, where the objective asks for them; else [0]
    rate: float  # the learning rate of the step


@dataclass(frozen=True)
class Moments:
    """Exact expectations over the draws, at given scores.

    Attributes
    ----------
    errors : float64 array of shape [B, V]
        The bias of each example's own score gradient (unweighted).
    negatives_variance, target_variance : float64 arrays of shape [B]
        The variances of the score gradient, summed over all classes but the target, and of it.
    log_bias, log_variance : float64 arrays of shape [B]
        Of log Z~.
    partition_variance : float64 array of shape [B]
        Var(Z~) / Z^2.
    """

    errors: NDArray[np.float64]
    negatives_variance: NDArray[np.float64]
    target_variance: NDArray[np.float64]
    log_bias: NDArray[np.float64]
    log_variance: NDArray[np.float64]
    partition_variance: NDArray[np.float64]


class SampledObjective(Objective):
    """A loss of the target's score and of drawn candidates' scores.

    It is a pure function of small arrays: it knows no weights and no data. What it must remember of
    each training example is a state that it is given, and changes in place.
    """

    sampled: ClassVar[bool] = True

    #: Whether loss and target's score add up to the log of an estimate of Z.
    estimates_partition: ClassVar[bool] = False
    #: Whether draws are independent where the config does not say.
    replacement: ClassVar[bool] = True
    #: Whether draws must be independent.
    needs_replacement: ClassVar[bool] = False
    #: Whether a draw that equals the target stays among the negatives, as the optimum needs it.
    keeps_hits: ClassVar[bool] = False
    #: Whether `gradient` is to be given the squared norms of the examples' features.
    needs_squared_norms: ClassVar[bool] = False

    def caveat(self, replacement: bool) -> str | None:
        """Return what a report must say of the objective, with draws that may repeat or not."""
        return None

    def memory_bytes(self, num_examples: int) -> int:
        """Return the bytes of `state`, before it is made."""
        return 0

    def state(self, num_examples: int) -> State:
        """Return what the objective remembers of each training example, before the first step."""
        return {}

    @abstractmethod
    def gradient(
        self,
        target_scores: Float32,
        scores: Float32,
        candidates: "Candidates",
        hits: NDArray[np.int32],
        examples: Examples,
        state: State,
        losses: NDArray[np.float64],
        d_targets: Float32,
        d_scores: Float32,
    ) -> int:
        """Write losses and score gradients of the weighted mean loss.

        Parameters
        ----------
        target_scores : float32 array of shape [B]
        scores : float32 array of shape [B, K]
        candidates : Candidates
        hits : int32 array of shape [B]
            Each target's place among its candidates, or -1.
        examples : Examples
        state : dict
            Of `state`; changed in place.
        losses : float64 array of shape [B]
            Written, unweighted.
        d_targets, d_scores : float32 arrays of shape [B] and [B, K]
            Written. A hit that counts as a negative has its share in ``d_scores`` at its place,
            apart from ``d_targets``.

        Returns
        -------
        int
            How many losses are not finite.
        """

    def moments(
        self,
        scores: Float32,
        targets: NDArray[np.int32],
        log_q: NDArray[np.float64],
        num_samples: int,
    ) -> Moments | None:
        """Return exact expectations over independent draws; None where no closed form is known.

        Parameters
        ----------
        scores : float32 array of shape [B, V]
            Of all classes.
        targets : int32 array of shape [B]
        log_q : float64 array of shape [1, V] or [B, V]
        num_samples : int
            K.
        """
        return None
