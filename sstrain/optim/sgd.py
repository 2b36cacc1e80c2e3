"""Plain stochastic gradient descent."""

from typing import TYPE_CHECKING, Literal

import numpy as np

from sstrain import kernels
from sstrain.optim.base import Arrays, Optimizer, Shape

if TYPE_CHECKING:
    from sstrain.kernels import SgdState


class Sgd(Optimizer):
    """``w <- w - rate * g``."""

    type: Literal["sgd"] = "sgd"

    def allocate(self, rows: int, shape: Shape) -> Arrays:
        """Return nothing: the rule has no state."""
        return {}

    def kernel_state(self, arrays: Arrays, rate: float) -> "SgdState":
        """Return the rule as kernels take it."""
        return kernels.SgdState(np.float32(rate))
