"""Plain stochastic gradient descent."""

from typing import Literal

from sstrain.optim.base import Optimizer


class Sgd(Optimizer):
    """``w <- w - rate * g``."""

    type: Literal["sgd"] = "sgd"
