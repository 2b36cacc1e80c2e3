"""Noise-contrastive estimation: the target told from draws of noise."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from sstrain import kernels
from sstrain.objectives.example_loss import ExampleLoss

if TYPE_CHECKING:
    from sstrain.kernels import NceLoss

__all__ = ["Nce"]


class Nce(ExampleLoss):
    """``l = -log s(z_c - log m_c) - sum_{j in S} n_j log(1 - s(z_j - log m_j))``, s logistic.

    m is a class's expected count among the draws, n how often it was drawn. Gutmann and Hyvarinen
    (2010), "Noise-contrastive estimation"; for classes, Mnih and Teh (2012), "A fast and simple
    algorithm for training neural probabilistic language models". Its best scores are the
    log-probabilities themselves, with log Z near 0, whatever q and K. A draw that equals the target
    is a draw of noise like any other: without those draws the best scores would be log p/(1 - p).
    """

    type: Literal["nce"] = "nce"
    keeps_hits: ClassVar[bool] = True

    accidental_hits: Literal["keep"] = "keep"

    def kernel_loss(self) -> "NceLoss":
        """Return the loss's settings: none."""
        return kernels.NceLoss()

    def uniform_loss(self, num_classes: int, num_samples: int) -> float:
        """Return about the loss of the best of equal scores, z = -log V."""
        odds = math.log1p(num_samples)
        return odds + num_samples * math.log1p(1 / num_samples)
