"""Uniform averages of the weights over the steps, kept by a companion array of the same shape."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels

if TYPE_CHECKING:
    from sstrain.kernels import Averaged, HalfAveraged, NotAveraged

__all__ = ["Average", "AveragedTensor", "Tensor", "kernel_average"]

#: Bytes of a tensor that are computed at once.
_BLOCK_BYTES = 1 << 22


class Average:
    """The companion array u of one table of weights (docs/derivation.md, equations 31 and 32).

    Attributes
    ----------
    u : float32 array of the table's shape
    steps : int
        t, the steps taken in so far.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.u = np.zeros(shape, np.float32)
        self.steps = 0


class AveragedTensor:
    """The averaged weights ``w - u / t``, computed block by block as they are read."""

    def __init__(self, weight: NDArray[Any], average: Average) -> None:
        self.shape = weight.shape
        self.dtype = weight.dtype
        self._weight = weight
        self._average = average

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Yield consecutive rows as arrays of the weights' type."""
        inverse = np.float32(1 / max(self._average.steps, 1))
        rows = max(1, _BLOCK_BYTES // max(self._weight[:1].nbytes, 1))
        for start in range(0, len(self._weight), rows):
            part = slice(start, start + rows)
            weight, u = self._weight[part], self._average.u[part]
            if self.dtype == np.float32:
                yield weight - u * inverse
                continue
            # As kernels compute it, that what is saved is what was evaluated.
            mean = weight.astype(np.float64) - u.astype(np.float64) * np.float64(inverse)
            yield mean.astype(np.float32).astype(self.dtype)

    def whole(self) -> NDArray[Any]:
        """Return the averaged weights as one array."""
        return np.concatenate(list(self))


Tensor = NDArray[Any] | AveragedTensor


def kernel_average(
    average: Average | None, half: bool = False
) -> "Averaged | HalfAveraged | NotAveraged":
    """Return the NamedTuple by whose type kernels keep an average or none.

    ``half``: of weights in bfloat16, in which averages are saved too.
    """
    if average is None or average.steps == 0:
        return kernels.NotAveraged()
    before, inverse = np.float32(average.steps - 1), np.float32(1 / average.steps)
    kind = kernels.HalfAveraged if half else kernels.Averaged
    return kind(average.u.reshape(-1), before, inverse)
