"""Negative sampling: the target told from draws, without a correction by q."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from sstrain import kernels
from sstrain.objectives.example_loss import ExampleLoss

if TYPE_CHECKING:
    from sstrain.kernels import NegativeSamplingLoss

__all__ = ["NegativeSampling"]


class NegativeSampling(ExampleLoss):
    """``l = -log s(z_c) - sum_{j in S} n_j log(1 - s(z_j))``, s the logistic function.

    Mikolov et al. (2013), "Distributed representations of words and phrases and their
    compositionality", equation 4. Its best scores are ``log p(j|x) - log(K q(j|x))``: evaluation
    and prediction add log q of every class. Draws are independent, and q stays as it is. A draw
    that equals the target is a draw like any other.
    """

    type: Literal["negative_sampling"] = "negative_sampling"
    keeps_hits: ClassVar[bool] = True
    needs_replacement: ClassVar[bool] = True
    shifts_by_log_q: ClassVar[bool] = True

    accidental_hits: Literal["keep"] = "keep"

    def kernel_loss(self) -> "NegativeSamplingLoss":
        """Return the loss's settings: none."""
        return kernels.NegativeSamplingLoss()

    def uniform_loss(self, num_classes: int, num_samples: int) -> float:
        """Return about the loss of scores of 0."""
        return (1 + num_samples) * math.log(2)
