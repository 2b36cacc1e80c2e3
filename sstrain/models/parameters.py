"""The arrays that training changes, each with its optimiser state and its average."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.buffers import aligned_zeros
from sstrain.models.averaging import Average, AveragedTensor, Tensor, kernel_average
from sstrain.optim.base import Optimizer, Shape

__all__ = ["DType", "Parameter", "Parameters", "item_bytes"]

#: How weights are stored; they are computed with in float32.
DType = Literal["float32", "bfloat16"]


def item_bytes(dtype: DType) -> int:
    """Return the bytes of one weight."""
    return 4 if dtype == "float32" else 2


class Parameter:
    """One array of weights.

    Parameters
    ----------
    shape : tuple of int
    rows : int
        How many rows of weights it holds, as update rules see it.
    optimizer : Optimizer
    dtype : "float32" or "bfloat16"

    Attributes
    ----------
    values : array of the given shape
        float32; for bfloat16 uint16, the upper halves of float32 numbers.
    state : dict of str to float32 array
        The update rule's.
    average : Average or None
    """

    def __init__(
        self, shape: Shape, rows: int, optimizer: Optimizer, dtype: DType = "float32"
    ) -> None:
        self.values: NDArray[Any] = np.zeros(shape, np.float32 if dtype == "float32" else np.uint16)
        self.state = optimizer.allocate(rows, shape)
        self.average = Average(shape) if optimizer.average_from is not None else None
        self._optimizer = optimizer

    @property
    def flat(self) -> NDArray[Any]:
        """The values as kernels take them, in one row."""
        return self.values.reshape(-1)

    @property
    def tensor(self) -> NDArray[Any]:
        """The values as a checkpoint has them: float32 or bfloat16, in the same memory."""
        if self.values.dtype == np.float32:
            return self.values
        from ml_dtypes import bfloat16

        return self.values.view(bfloat16)

    def as_float32(self) -> NDArray[np.float32]:
        """Return the values as float32: themselves, or a copy of bfloat16 ones."""
        return np.asarray(self.tensor, np.float32)

    def assign(self, values: NDArray[np.float32]) -> None:
        """Set all values, rounded to the nearest that can be stored."""
        self.tensor[...] = values

    def align(self) -> None:
        """Let the values, and what is of their shape, begin at a cache line; before any is set."""
        # Each is let go before its successor is made, or both would be there at once.
        shape, dtype = self.values.shape, self.values.dtype
        self.values = np.empty(0, dtype)
        self.values = aligned_zeros(shape, dtype)
        for name in [name for name, array in self.state.items() if array.shape == shape]:
            del self.state[name]
            self.state[name] = aligned_zeros(shape, np.dtype(np.float32))
        if self.average is not None:
            self.average.u = np.empty(0, np.float32)
            self.average.u = aligned_zeros(shape, np.dtype(np.float32))

    def rule(self, rate: float) -> Any:
        """Return the update rule's state as kernels take it."""
        return self._optimizer.kernel_state(self.state, rate)

    def kernel_average(self, averaged: bool = True) -> Any:
        """Return the average as kernels take it; ``averaged=False``: none."""
        half = self.values.dtype != np.float32
        return kernel_average(self.average if averaged else None, half)


class Parameters(dict[str, Parameter]):
    """All parameters of a model, by the names that checkpoints use."""

    def sweep(self, factor: float, key: int) -> int:
        """Multiply all weights but the bias by the pending decay; return the bad parts."""
        return sum(
            # Cells at the same place in two tables are not rounded alike.
            kernels.sweep(one.flat, one.kernel_average(), np.float32(factor), key ^ place)
            for place, (name, one) in enumerate(self.items())
            if name != "bias"
        )

    def count_averaged_step(self) -> None:
        """Begin a step that the average takes in."""
        for one in self.values():
            if one.average is not None:
                one.average.steps += 1

    @property
    def averaged_steps(self) -> int:
        """The number of steps that the average has taken in."""
        return max((one.average.steps for one in self.values() if one.average), default=0)

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Return what a checkpoint keeps, by part: ``model`` and ``optimizer``."""
        model: dict[str, Tensor] = {}
        optimizer: dict[str, Tensor] = {}
        for name, one in self.items():
            model[name] = one.tensor
            optimizer |= {f"{name}.{part}": array for part, array in one.state.items()}
            if one.average is not None and one.average.steps:
                optimizer |= {f"{name}.live": one.tensor, f"{name}.u": one.average.u}
                model[name] = AveragedTensor(one.tensor, one.average)
        return {"model": model, "optimizer": optimizer}

    def live_arrays(self, averaged_steps: int) -> dict[str, dict[str, NDArray[Any]]]:
        """Return the arrays that a checkpoint is read into, by part and by the names it uses."""
        model: dict[str, NDArray[Any]] = {}
        optimizer: dict[str, NDArray[Any]] = {}
        for name, one in self.items():
            optimizer |= {f"{name}.{part}": array for part, array in one.state.items()}
            if one.average is None or not averaged_steps:
                model[name] = one.tensor
                continue
            one.average.steps = averaged_steps
            optimizer |= {f"{name}.live": one.tensor, f"{name}.u": one.average.u}
        return {"optimizer": optimizer} | ({"model": model} if model else {})
