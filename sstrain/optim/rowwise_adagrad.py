"""AdaGrad with one accumulator a row of weights: half the memory of the diagonal form."""

from typing import ClassVar, Literal

from pydantic import Field

from sstrain.optim.base import Optimizer


class RowwiseAdaGrad(Optimizer):
    """``G_f <- G_f + sum_c g_fc^2; w_fc <- w_fc - rate * g_fc / sqrt(G_f)`` for each row f."""

    type: Literal["rowwise_adagrad"] = "rowwise_adagrad"
    #: G before the first step, on the scale of the mean loss; None takes the model's default.
    initial_accumulator: float | None = Field(None, gt=0)
    adaptive: ClassVar[bool] = True
