"""What every objective has in common."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from sstrain.section import Section

if TYPE_CHECKING:
    from sstrain.kernels import Candidates

__all__ = ["Float32", "Moments", "Objective", "SampledObjective"]

Float32 = NDArray[np.float32]


class Objective(Section):
    """A loss of the scores, by its name and its own keys."""

    type: str

    #: Whether the loss is a sum over drawn candidates rather than over all classes.
    sampled: ClassVar[bool]

    @property
    def excludes_targets(self) -> bool:
        """Whether an example's own target is never drawn as a candidate."""
        return False


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
    """A loss of the target's score and of drawn candidates' scores."""

    sampled: ClassVar[bool] = True

    #: Whether loss and target's score add up to the log of an estimate of Z.
    estimates_partition: ClassVar[bool] = False

    @abstractmethod
    def gradient(
        self,
        target_scores: Float32,
        scores: Float32,
        candidates: "Candidates",
        hits: NDArray[np.int32],
        weights: Float32,
        losses: NDArray[np.float64],
        d_targets: Float32,
        d_scores: Float32,
    ) -> int:
        """Write losses and score gradients of the weighted mean loss; know no weights, no data.

        Parameters
        ----------
        target_scores : float32 array of shape [B]
        scores : float32 array of shape [B, K]
        candidates : Candidates
        hits : int32 array of shape [B]
            Each target's place among its candidates, or -1.
        weights : float32 array of shape [B]
        losses : float64 array of shape [B]
            Written, unweighted.
        d_targets, d_scores : float32 arrays of shape [B] and [B, K]
            Written.

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
