"""Update rules and learning-rate schedules: one rule a file, one line each in the table below."""

from typing import TYPE_CHECKING

from sstrain.optim.adagrad import AdaGrad
from sstrain.optim.adam import Adam
from sstrain.optim.base import Optimizer
from sstrain.optim.rowwise_adagrad import RowwiseAdaGrad
from sstrain.optim.schedules import NEEDS_LENGTH, SCHEDULES, learning_rate
from sstrain.optim.sgd import Sgd
from sstrain.section import one_of

__all__ = [
    "NEEDS_LENGTH",
    "OPTIMIZERS",
    "SCHEDULES",
    "Optimizer",
    "OptimizerSection",
    "learning_rate",
]

OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": Sgd,
    "adagrad": AdaGrad,
    "rowwise_adagrad": RowwiseAdaGrad,
    "adam": Adam,
}

if TYPE_CHECKING:
    OptimizerSection = Optimizer
else:
    OptimizerSection = one_of(OPTIMIZERS.values())
