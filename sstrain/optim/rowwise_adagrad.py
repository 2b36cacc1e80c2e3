"""AdaGrad with one accumulator a row of weights: half the memory of the diagonal form."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from sstrain import kernels
from sstrain.optim.base import Arrays, Optimizer, Shape

if TYPE_CHECKING:
    from sstrain.kernels import RowwiseAdaGradState


class RowwiseAdaGrad(Optimizer):
    """``G_f <- G_f + sum_c g_fc^2; w_fc <- w_fc - rate * g_fc / sqrt(G_f)`` for each row f."""

    type: Literal["rowwise_adagrad"] = "rowwise_adagrad"
    #: G before the first step, on the scale of the mean loss; None takes the model's default.
    initial_accumulator: float | None = Field(None, gt=0)
    adaptive: ClassVar[bool] = True

    def allocate(self, rows: int, shape: Shape) -> Arrays:
        """Return the accumulators, less their initial value: float32 [rows] of zeros."""
        return {"sum_of_squares": np.zeros(rows, np.float32)}

    def kernel_state(self, arrays: Arrays, rate: float) -> "RowwiseAdaGradState":
        """Return the rule as kernels take it."""
        initial = np.float32(self.initial_accumulator)
        return kernels.RowwiseAdaGradState(arrays["sum_of_squares"], initial, np.float32(rate))

    @classmethod
    def state_bytes(cls, rows: int, cells: int) -> int:
        """Return the accumulators' size."""
        return 4 * rows
