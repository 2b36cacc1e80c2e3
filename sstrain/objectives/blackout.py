"""BlackOut: a softmax over target and draws that also tells each draw from the target."""

import math
from typing import TYPE_CHECKING, Literal

from sstrain import kernels
from sstrain.objectives.example_loss import ExampleLoss

if TYPE_CHECKING:
    from sstrain.kernels import BlackoutLoss

__all__ = ["Blackout"]


class Blackout(ExampleLoss):
    """``l = -log p~_c - sum_{j in S, j != c} n_j log(1 - p~_j)``.

    ``p~_i ~ exp(z_i) / m_i`` over the target and every draw, m being expected counts, which for
    independent draws are K q. Ji, Vishwanathan, Satish, Anderson and Dubey (2016), "BlackOut:
    speeding up recurrent neural network language models with very large vocabularies", equations
    (5) and (7). Its best scores tend to the log-probabilities, up to a constant, as K grows.
    """

    type: Literal["blackout"] = "blackout"

    def kernel_loss(self) -> "BlackoutLoss":
        """Return the loss's settings: none."""
        return kernels.BlackoutLoss()

    def uniform_loss(self, num_classes: int, num_samples: int) -> float:
        """Return about the loss of equal scores under a uniform q: log(1 + K) and about 1."""
        return math.log1p(num_samples) + 1.0
