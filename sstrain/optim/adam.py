"""Adam by the rows that a step touches."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from sstrain import kernels
from sstrain.optim.base import Arrays, Optimizer, Shape

if TYPE_CHECKING:
    from sstrain.kernels import AdamState

#: Float32 numbers closer to 1 have few digits left for what they differ by.
_MOST = 0.999999


class Adam(Optimizer):
    """``m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; w <- w - rate_t m / (sqrt(v) + e)``.

    Kingma and Ba (2015), in the form at the end of their section 2, whose bias correction is part
    of the rate: ``rate_t = rate sqrt(1 - b2^t) / (1 - b1^t)``. It is lazy: a step changes the
    moments of the weights that it has a gradient for, and t counts the steps of each row.
    """

    type: Literal["adam"] = "adam"
    beta1: float = Field(0.9, ge=0, le=_MOST)
    beta2: float = Field(0.999, ge=0, le=_MOST)
    epsilon: float = Field(1e-8, ge=1e-30)

    def allocate(self, rows: int, shape: Shape) -> Arrays:
        """Return both moments, of the table's shape, and each row's steps, float32 [rows]."""
        return {
            "first_moment": np.zeros(shape, np.float32),
            "second_moment": np.zeros(shape, np.float32),
            "steps": np.zeros(rows, np.float32),
        }

    def kernel_state(self, arrays: Arrays, rate: float) -> "AdamState":
        """Return the rule as kernels take it."""
        return kernels.AdamState(
            arrays["first_moment"].reshape(-1),
            arrays["second_moment"].reshape(-1),
            arrays["steps"],
            np.float32(rate),
            np.float32(self.beta1),
            np.float32(self.beta2),
            np.float32(self.epsilon),
        )

    @classmethod
    def state_bytes(cls, rows: int, cells: int) -> int:
        """Return the size of moments and steps."""
        return 8 * cells + 4 * rows
