"""Softmax over all classes."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.objectives.base import Objective

if TYPE_CHECKING:
    from sstrain.kernels import Partials


class Exact(Objective):
    """``l = -log p_c`` with the exact gradient; docs/derivation.md, equations (1) to (6)."""

    type: Literal["exact"] = "exact"
    sampled: ClassVar[bool] = False

    def log_partition(self, partials: "Partials", out: NDArray[np.float64]) -> None:
        """Write each example's log Z, float64 [B]: the one reduction over blocks of classes.

        A model whose classes are spread over several processes merges their partial sums here.
        """
        kernels.merge_log_partition(partials.highest, partials.total, out)

    def losses(
        self,
        target_scores: NDArray[np.float32],
        log_partitions: NDArray[np.float64],
        losses: NDArray[np.float64],
    ) -> int:
        """Write ``log Z - z_c`` of each example; return how many are not finite."""
        return kernels.exact_losses(target_scores, log_partitions, losses)
