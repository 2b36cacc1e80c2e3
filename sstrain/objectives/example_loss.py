"""Objectives whose loss of an example depends on nothing but its own scores and draws."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.objectives.base import Examples, Float32, SampledObjective, State

if TYPE_CHECKING:
    from sstrain.kernels import Candidates

__all__ = ["ExampleLoss"]


class ExampleLoss(SampledObjective):
    """A loss that a kernel computes example by example, chosen by the type of a NamedTuple."""

    @abstractmethod
    def kernel_loss(self) -> Any:
        """Return the loss's settings, as `sstrain.kernels.sampled_gradient` takes them."""

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
        return kernels.sampled_gradient(
            self.kernel_loss(),
            target_scores,
            scores,
            candidates,
            hits,
            examples.weights,
            losses,
            d_targets,
            d_scores,
        )
