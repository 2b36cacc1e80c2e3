"""AdaGrad with one accumulator a weight."""

from typing import ClassVar, Literal

from pydantic import Field

from sstrain.optim.base import Optimizer


class AdaGrad(Optimizer):
    """``G <- G + g^2; w <- w - rate * g / sqrt(G)``, each weight with its own G.

    Duchi, Hazan and Singer (2011), the diagonal form.
    """

    type: Literal["adagrad"] = "adagrad"
    #: G before the first step, on the scale of the mean loss; None takes the model's default.
    initial_accumulator: float | None = Field(None, gt=0)
    adaptive: ClassVar[bool] = True
