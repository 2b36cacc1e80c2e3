"""AdaGrad with one accumulator a weight."""

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from sstrain import kernels
from sstrain.optim.base import Arrays, Optimizer, Shape

if TYPE_CHECKING:
    from sstrain.kernels import AdaGradState


class AdaGrad(Optimizer):
    """``G <- G + g^2; w <- w - rate * g / sqrt(G)``, each weight with its own G.

    Duchi, Hazan and Singer (2011), the diagonal form.
    """

    type: Literal["adagrad"] = "adagrad"
    #: G before the first step, on the scale of the mean loss; None takes the model's default.
    initial_accumulator: float | None = Field(None, gt=0)
    adaptive: ClassVar[bool] = True

    def allocate(self, rows: int, shape: Shape) -> Arrays:
        """Return the accumulators, less their initial value: zeros of the table's shape."""
        return {"sum_of_squares": np.zeros(shape, np.float32)}

    def kernel_state(self, arrays: Arrays, rate: float) -> "AdaGradState":
        """Return the rule as kernels take it."""
        initial = np.float32(self.initial_accumulator)
        return kernels.AdaGradState(arrays["sum_of_squares"].reshape(-1), initial, np.float32(rate))

    @classmethod
    def state_bytes(cls, rows: int, cells: int) -> int:
        """Return the accumulators' size."""
        return 4 * cells
