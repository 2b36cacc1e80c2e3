"""What every update rule has in common: the rate's schedule, weight decay and averaging."""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sstrain.optim.schedules import Schedule
from sstrain.section import Duration, Section, Span

__all__ = ["Arrays", "Optimizer", "Shape"]

Arrays = dict[str, NDArray[np.float32]]
Shape = tuple[int, ...]


class Optimizer(Section):
    """An update rule, by its name and its own keys, and what surrounds any rule."""

    type: str

    #: The rate at its highest; None takes the default that the model names for the rule.
    learning_rate: float | None = Field(None, gt=0)
    schedule: Schedule = "constant"
    #: A linear rise of the rate from 0 over the first steps.
    warmup: Duration = Span(0, "steps")
    #: Decoupled weight decay; the bias is never decayed.
    l2: float = Field(0.0, ge=0)
    #: Steps between two sweeps that apply the decay (default 100 where ``l2`` is not 0).
    l2_interval: int | None = Field(None, ge=1)
    #: The step or epoch after which weights are averaged; None for no averaging.
    average_from: Duration | None = None

    #: Whether the rule keeps accumulators, and so has an ``initial_accumulator``.
    adaptive: ClassVar[bool] = False

    @abstractmethod
    def allocate(self, rows: int, shape: Shape) -> Arrays:
        """Return the rule's state for one table of weights, before the first step.

        Parameters
        ----------
        rows : int
            How many rows of weights the table holds; each has one gradient a step.
        shape : tuple of int
            Of the table.
        """

    @abstractmethod
    def kernel_state(self, arrays: Arrays, rate: float) -> Any:
        """Return the NamedTuple by whose type kernels choose the rule, for one step's rate."""

    @classmethod
    def state_bytes(cls, rows: int, cells: int) -> int:
        """Return the size in bytes of what `allocate` returns for a table of so many cells."""
        return 0
