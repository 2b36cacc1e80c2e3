"""Importance-sampled softmax: the target exactly, the other classes by draws from q."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.objectives.base import Examples, Float32, Moments, SampledObjective, State

if TYPE_CHECKING:
    from sstrain.kernels import Candidates


class Importance(SampledObjective):
    """``l~ = -log(exp(z_c) / Z~)`` with ``Z~ = exp(z_c) + (1/K) sum_{j in S} exp(z_j) / q_j``.

    Bengio and Senecal (2003), "Quick training of probabilistic neural nets by importance
    sampling", with the target's own term taken exactly; docs/derivation.md, equations (7) to (16).
    """

    type: Literal["importance"] = "importance"

    estimates_partition: ClassVar[bool] = True

    #: What becomes of a draw that equals the target: left out, kept in the sum, or drawn again
    #: from q restricted to the other classes (needs ``share: example``).
    accidental_hits: Literal["drop", "keep", "resample"] = "drop"

    @property
    def excludes_targets(self) -> bool:
        """Whether an example's own target is never drawn as a candidate."""
        return self.accidental_hits == "resample"

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
        """Write losses and score gradients of the weighted mean loss."""
        keep = self.accidental_hits == "keep"
        return kernels.importance_gradient(
            target_scores,
            scores,
            candidates,
            hits,
            keep,
            examples.weights,
            losses,
            d_targets,
            d_scores,
        )

    def moments(
        self,
        scores: Float32,
        targets: NDArray[np.int32],
        log_q: NDArray[np.float64],
        num_samples: int,
    ) -> Moments:
        """Return exact expectations over independent draws; equations (33) to (38)."""
        hits = ("drop", "keep", "resample").index(self.accidental_hits)
        errors, figures = np.empty(scores.shape), np.empty((len(targets), 5))
        kernels.importance_moments(scores, targets, log_q, num_samples, hits, errors, figures)
        return Moments(errors, *figures.T)
