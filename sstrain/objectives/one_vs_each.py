"""One-vs-each: a bound on the softmax by pairs of the target and another class."""

import math
from typing import TYPE_CHECKING, Literal

from sstrain import kernels
from sstrain.objectives.example_loss import ExampleLoss

if TYPE_CHECKING:
    from sstrain.kernels import OneVsEachLoss

__all__ = ["OneVsEach"]


class OneVsEach(ExampleLoss):
    """``l = sum_{j in S, j != c} (n_j / m_j) log(1 + exp(z_j - z_c))``.

    n is how often a class was drawn, m its expected count, so that l is on average the sum over
    all classes but the target, which is at least the log-loss. Titsias (2016), "One-vs-each
    approximation to softmax for scalable estimation of probabilities". Where the scores are free
    for each context, the best differences of scores are those of log-probabilities (proposition 2).
    """

    type: Literal["one_vs_each"] = "one_vs_each"

    def kernel_loss(self) -> "OneVsEachLoss":
        """Return the loss's settings: none."""
        return kernels.OneVsEachLoss()

    def uniform_loss(self, num_classes: int, num_samples: int) -> float:
        """Return the loss of equal scores."""
        return max(num_classes - 1, 1) * math.log(2)
