"""U-max: the exact likelihood by drawn classes, with one number to remember for each example."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain import kernels
from sstrain.objectives.base import Examples, Float32, SampledObjective, State

if TYPE_CHECKING:
    from sstrain.kernels import Candidates

__all__ = ["Umax"]


class Umax(SampledObjective):
    """``l = u + exp(-u) (1 + sum_{j in S, j != c} (n_j / m_j) exp(z_j - z_c)) - 1``.

    n_j is how often class j was drawn, m_j the expected number. Whatever u is, the mean of l over
    the draws is at least the exact log-loss, and equal to it for the best u, log Z - z_c: each
    example has a u of its own that follows it. Where u does not depend on the draws of the step,
    the mean of the gradient is the exact one times exp(log Z - z_c - u): drawing changes how much
    an example counts, and not where its gradient points. An example's first step, which has no u
    yet, takes the draws' own estimate, and is a step of the importance objective.

    Fagan and Iyengar (2018), "Unbiased scalable softmax optimization", with a step of u that does
    not depend on the learning rate.
    """

    type: Literal["umax"] = "umax"
    needs_squared_norms: ClassVar[bool] = True

    #: How far u may be below the least that the classes drawn allow before it is raised to it;
    #: null: any distance, which is plain SGD.
    delta: float | None = Field(1.0, gt=0)
    #: The share of a step's own estimate of exp(u) in the running one; 1: the estimate of an
    #: example's last step alone.
    u_rate: float = Field(1.0, gt=0, le=1)
    #: Whether a step's gradient is the one at its end (implicit, or proximal, SGD) for each
    #: example by itself; for optimizer sgd and model dense.
    implicit: bool = False

    def memory_bytes(self, num_examples: int) -> int:
        """Return the bytes of `state`, before it is made."""
        return 4 * num_examples

    def state(self, num_examples: int) -> State:
        """Return u of each training example: none before its first step."""
        return {"u": np.full(num_examples, -np.inf, np.float32)}

    def uniform_loss(self, num_classes: int, num_samples: int) -> float:
        """Return about the loss of equal scores, with one draw that counts for V / K classes."""
        return math.log(num_classes) + num_classes / num_samples

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
        """Write losses and score gradients of the weighted mean loss; move each example's u."""
        return kernels.umax_gradient(
            target_scores,
            scores,
            candidates,
            hits,
            examples.weights,
            examples.ids,
            self._step_sizes(examples),
            state["u"],
            self.u_rate,
            np.inf if self.delta is None else self.delta,
            losses,
            d_targets,
            d_scores,
        )

    def _step_sizes(self, examples: Examples) -> NDArray[np.float64]:
        """Return how far each example's part of an SGD step moves a score for a unit of slope.

        Its weights move by rate x, its bias by the rate: the score by the rate times |x|^2 + 1.
        """
        if not self.implicit:
            return np.empty(0)
        shares = examples.weights.astype(np.float64) / len(examples.weights)
        return examples.rate * shares * (examples.squared_norms + 1.0)
