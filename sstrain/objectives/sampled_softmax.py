"""Softmax over the target and the draws, all corrected by their expected counts."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from sstrain import kernels
from sstrain.objectives.example_loss import ExampleLoss

if TYPE_CHECKING:
    from sstrain.kernels import SampledSoftmaxLoss

__all__ = ["SampledSoftmax"]


class SampledSoftmax(ExampleLoss):
    """``l = -log softmax(z_i - log m_i)`` of the target, over it and the classes drawn.

    m is a class's expected count among the draws, the target's own included. Jean, Cho, Memisevic
    and Bengio (2015), "On using very large target vocabulary for neural machine translation", as
    TensorFlow's ``sampled_softmax_loss`` means it: with distinct draws. Its best scores are the
    log-probabilities up to a constant, as the number of distinct draws grows.
    """

    type: Literal["sampled_softmax"] = "sampled_softmax"
    replacement: ClassVar[bool] = False

    #: What becomes of a draw that equals the target: left out, or kept among the negatives.
    accidental_hits: Literal["drop", "keep"] = "drop"

    def kernel_loss(self) -> "SampledSoftmaxLoss":
        """Return the loss's settings."""
        return kernels.SampledSoftmaxLoss(self.accidental_hits == "keep")

    def uniform_loss(self, num_classes: int, num_samples: int) -> float:
        """Return the loss of equal scores under a uniform q."""
        return math.log1p(num_samples)

    def caveat(self, replacement: bool) -> str | None:
        """Say that independent draws leave a bias, however many they are."""
        if not replacement:
            return None
        return (
            "sampled_softmax with independent draws: the weight of the target's own term, one over "
            "its expected count, shrinks as K grows, so that the gradient's bias has a floor; "
            "distinct draws (replacement: false) have none"
        )
