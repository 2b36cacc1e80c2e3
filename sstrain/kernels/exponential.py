"""A float32 exponential that the compiler turns into vector code."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, precise

__all__ = ["exp32", "sum_of_exponentials", "to_exponentials"]

#: Numbers that are added up in float32 before they go into a sum of float64.
_CHUNK = 256

_LOG2_E = np.float32(1.4426950408889634)
# ln 2 in two parts (Cody and Waite): n * _LN2_HIGH is exact for the n that occur.
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_LOWEST = np.float32(-87.0)
_HIGHEST = np.float32(88.0)
_HALF, _ONE, _ZERO = np.float32(0.5), np.float32(1.0), np.float32(0.0)
# Minimax polynomial of (exp(r) - 1 - r) / r^2 on |r| <= ln(2) / 2, as in the Cephes library.
_C0 = np.float32(1.9875691500e-4)
_C1 = np.float32(1.3981999507e-3)
_C2 = np.float32(8.3334519073e-3)
_C3 = np.float32(4.1665795894e-2)
_C4 = np.float32(1.6666665459e-1)
_C5 = np.float32(5.0000001201e-1)


@intrinsic
def _float_from_bits(typing_context: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@precise
def exp32(x: np.float32) -> np.float32:
    """Return exp(x): relative error below 1.2e-7, 0 below -87, infinity above 88, NaN for NaN."""
    clipped = x
    if x < _LOWEST:
        clipped = _LOWEST
    if x > _HIGHEST:
        clipped = _HIGHEST
    n = np.floor(clipped * _LOG2_E + _HALF)
    r = clipped - n * _LN2_HIGH - n * _LN2_LOW
    polynomial = ((((_C0 * r + _C1) * r + _C2) * r + _C3) * r + _C4) * r + _C5
    bits = np.int32((np.int32(n) + np.int32(127)) << np.int32(23))
    power: np.float32 = _float_from_bits(bits)  # type: ignore[call-arg]
    result = (polynomial * r * r + r + _ONE) * power
    if x < _LOWEST:
        result = _ZERO
    if x > _HIGHEST:
        result = np.float32(np.inf)
    return np.float32(result)


# Loops over slices, from their first number to their last, are what becomes vector code.


@inline
def _to_exponentials(numbers: NDArray[np.float32], top: np.float32) -> np.float32:
    for k in range(len(numbers)):
        numbers[k] = exp32(numbers[k] - top)
    total = _ZERO
    for k in range(len(numbers)):
        total += numbers[k]
    return total


@inline
def to_exponentials(numbers: NDArray[np.float32], top: np.float32) -> float:
    """Turn each x into ``exp(x - top)``; return their sum."""
    total = 0.0
    for start in range(0, len(numbers), _CHUNK):
        total += float(_to_exponentials(numbers[start : start + _CHUNK], top))
    return total


@inline
def _sum_of_exponentials(numbers: NDArray[np.float32], top: np.float32) -> np.float32:
    total = _ZERO
    for k in range(len(numbers)):
        total += exp32(numbers[k] - top)
    return total


@inline
def sum_of_exponentials(numbers: NDArray[np.float32], top: np.float32) -> float:
    """Return the sum of ``exp(x - top)``."""
    total = 0.0
    for start in range(0, len(numbers), _CHUNK):
        total += float(_sum_of_exponentials(numbers[start : start + _CHUNK], top))
    return total
