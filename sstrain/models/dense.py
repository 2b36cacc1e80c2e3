"""A table of D x V weights, one row a feature."""

from typing import ClassVar, Literal

from sstrain.models.base import Model


class Dense(Model):
    """``z = W^T x + b`` with every weight kept."""

    type: Literal["dense"] = "dense"
    default_learning_rates: ClassVar[dict[str, float]] = {
        "sgd": 1.0,
        "adagrad": 0.5,
        "rowwise_adagrad": 3.0,
    }
