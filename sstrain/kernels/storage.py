"""Weights as they are stored: float32, or bfloat16 with stochastic rounding of what is written.

Kernels compute in float32 and take an array of weights of either type: float32, or uint16 with the
upper halves of float32 numbers.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from sstrain.kernels._jit import FLAGS, finite, inline

__all__ = ["keep", "nearest_half", "stored", "stored_rows"]

_16, _15, _13 = np.uint32(16), np.uint32(15), np.uint32(13)
_LOW_HALF = np.uint32(0xFFFF)
_BELOW_HALF, _ODD = np.uint32(0x7FFF), np.uint32(1)
_QUIET = np.uint32(1 << 22)
_MULTIPLIER_1, _MULTIPLIER_2 = np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)


@intrinsic
def _float_of(typing_context: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), generate


@intrinsic
def _bits_of(typing_context: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), generate


@inline
def _noise(cell: int, key: np.uint64) -> np.uint32:
    """Return 16 random bits, a pure function of the step's key and the cell.

    The finaliser of MurmurHash3, whose multiplications of 32 bits fit vector registers.
    """
    # Numba's product of two uint32 is a uint64; each is cut back to 32 bits.
    bits = np.uint32(np.uint32(cell) * _MULTIPLIER_1)
    bits ^= np.uint32(key) ^ np.uint32(key >> np.uint64(32))
    bits = np.uint32((bits ^ (bits >> _16)) * _MULTIPLIER_1)
    bits = np.uint32((bits ^ (bits >> _13)) * _MULTIPLIER_2)
    return np.uint32((bits ^ (bits >> _16)) & _LOW_HALF)


@inline
def _rounded(number: np.float32, cell: int, key: np.uint64) -> np.uint16:
    """Return the upper half of a float32, rounded up as often as its lower half says."""
    bits: np.uint32 = _bits_of(number)  # type: ignore[call-arg]
    if finite(number):
        bits = np.uint32(bits + _noise(cell, key))
    elif number != number:
        bits |= _QUIET  # else a NaN whose payload is in the lower half would become infinite
    return np.uint16(bits >> _16)


@inline
def nearest_half(number: np.float32) -> np.float32:
    """Return the bfloat16 number next to a float32 one; of two as near, the even one."""
    bits: np.uint32 = _bits_of(number)  # type: ignore[call-arg]
    if finite(number):
        bits = np.uint32(bits + _BELOW_HALF + ((bits >> _16) & _ODD))
    return _float_of((bits >> _16) << _16)


def stored(values: Any, cell: int) -> np.float32:
    """Return one weight as float32."""
    raise TypeError("compiled code alone calls this")


def keep(values: Any, cell: int, number: np.float32, key: np.uint64) -> np.float32:
    """Store one weight and return it as it is stored; ``key`` decides how bfloat16 rounds."""
    raise TypeError("compiled code alone calls this")


def stored_rows(values: Any, start: int, rows: Any) -> Any:
    """Return as many rows from ``start`` on, float32 of the shape of ``rows``.

    Those stored as float32 are returned where they lie; bfloat16 ones are written into ``rows``.
    """
    raise TypeError("compiled code alone calls this")


@overload(stored, jit_options=FLAGS)  # type: ignore[arg-type]
def _stored(values: Any, cell: Any) -> Any:
    if values.dtype == types.float32:

        def whole(values: Any, cell: Any) -> Any:
            return values[cell]

        return whole

    def half(values: Any, cell: Any) -> Any:
        return _float_of(np.uint32(np.uint32(values[cell]) << _16))  # type: ignore[call-arg]

    return half


@overload(keep, jit_options=FLAGS)  # type: ignore[arg-type]
def _keep(values: Any, cell: Any, number: Any, key: Any) -> Any:
    if values.dtype == types.float32:

        def keep_whole(values: Any, cell: Any, number: Any, key: Any) -> Any:
            values[cell] = number
            return number

        return keep_whole

    def keep_half(values: Any, cell: Any, number: Any, key: Any) -> Any:
        values[cell] = _rounded(number, cell, key)
        return stored(values, cell)

    return keep_half


@overload(stored_rows, jit_options=FLAGS)  # type: ignore[arg-type]
def _stored_rows(values: Any, start: Any, rows: Any) -> Any:
    if values.dtype == types.float32:

        def in_place(values: Any, start: Any, rows: Any) -> Any:
            first = start * rows.shape[1]
            return values[first : first + rows.size].reshape(rows.shape)

        return in_place

    def copied(values: Any, start: Any, rows: Any) -> Any:
        first = start * rows.shape[1]
        for k in range(rows.shape[0]):
            for d in range(rows.shape[1]):
                rows[k, d] = stored(values, first + k * rows.shape[1] + d)
        return rows

    return copied
