"""Loops whose speed needs no explicit vectors: streams with two arrays, lines here and there."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from sstrain.kernels.exponential import exp32

__all__ = ["copy", "exponentials", "read_lines", "read_lines_ahead", "triad", "update_lines"]

#: Float32 numbers in a line of the cache.
LINE = 16
#: An exponential stays an exponential of something when its own is taken: exp(x) - 1 shrinks to 0.
_ONE = np.float32(1)
#: Lines that are asked for before they are read.
_AHEAD = 32

Array = NDArray[np.float32]


def _loop(function: Any) -> Any:
    return njit(parallel=True, nogil=True, fastmath=True)(function)


@_loop
def copy(rows: Array, repeats: int) -> float:
    """Copy the second half of each thread's row to the first."""
    half = rows.shape[1] // 2
    for thread in prange(len(rows)):
        for _ in range(repeats):
            for k in range(half):
                rows[thread, k] = rows[thread, half + k]
    return 0.0


@_loop
def triad(rows: Array, repeats: int) -> float:
    """Write ``b + s c`` to the first third of each thread's row."""
    third = rows.shape[1] // 3
    for thread in prange(len(rows)):
        for _ in range(repeats):
            for k in range(third):
                rows[thread, k] = (
                    rows[thread, third + k] + np.float32(0.5) * rows[thread, 2 * third + k]
                )
    return 0.0


@_loop
def exponentials(rows: Array, repeats: int) -> float:
    """Take the kernels' exponential of all numbers in place, less 1."""
    for thread in prange(len(rows)):
        for _ in range(repeats):
            for k in range(rows.shape[1]):
                rows[thread, k] = exp32(rows[thread, k]) - _ONE
    return 0.0


#: cgutils has no types.
_declared: Any = cgutils.get_or_insert_function


@intrinsic
def _prefetch(typing_context: Any, table: Any, place: Any) -> Any:
    """Ask for the line of a number that will be read, without waiting for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = _declared(builder.module, kind, "llvm.prefetch.p0")
        pointer = builder.bitcast(builder.gep(array.data, [arguments[1]]), byte)
        # To read it; into all levels of the cache; it is data.
        builder.call(function, [pointer, *(ir.Constant(number, each) for each in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(table, types.int64), generate


@_loop
def read_lines(table: Array, lines: NDArray[np.int32]) -> float:
    """Read one number of each listed line; each thread has its row of the list.

    The compiler is free to read several at once by one instruction.
    """
    totals = np.zeros(len(lines))
    for thread in prange(len(lines)):
        total = np.float32(0)
        for line in lines[thread]:
            total += table[np.int64(line) * LINE]
        totals[thread] = total
    return totals.sum()  # type: ignore[no-any-return]


@_loop
def read_lines_ahead(table: Array, lines: NDArray[np.int32]) -> float:
    """Do as `read_lines` does, and ask for each line some time before it is read."""
    totals = np.zeros(len(lines))
    for thread in prange(len(lines)):
        total = np.float32(0)
        for k in range(lines.shape[1] - _AHEAD):
            _prefetch(table, np.int64(lines[thread, k + _AHEAD]) * LINE)  # type: ignore[call-arg]
            total += table[np.int64(lines[thread, k]) * LINE]
        totals[thread] = total
    return totals.sum()  # type: ignore[no-any-return]


@_loop
def update_lines(table: Array, lines: NDArray[np.int32]) -> float:
    """Change one number of each listed line; no two threads list the same."""
    for thread in prange(len(lines)):
        for line in lines[thread]:
            table[np.int64(line) * LINE] += _ONE
    return 0.0
