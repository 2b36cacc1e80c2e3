"""Loops of explicit vector instructions: what the processor can do, not what a compiler finds.

The compiler's own vectors may be narrower than the processor's: on some processors it takes half
the width on purpose. Here the width (a constant number of float32 lanes) is asked for by name, and
as many accumulators are kept as hide the latency of an addition.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["ACCUMULATORS", "LOOPS", "WIDTHS", "Loop"]

#: Lanes of float32 in a vector that are tried; the fastest counts.
WIDTHS = (4, 8, 16)
#: More than latency times throughput of any processor's additions, fewer than it has registers.
ACCUMULATORS = 12
#: Vectors that one turn of a loop over memory takes.
_UNROLL = 8
_FLOAT = ir.FloatType()

Array = NDArray[np.float32]
#: Passes over each thread's row of an array [threads, size] so many times; returns a sum.
Loop = Callable[[Array, int], float]


def _places(builder: Any, data: Any, first: Any, count: int, lanes: int) -> list[Any]:
    """Return pointers to consecutive vectors."""
    vector = ir.VectorType(_FLOAT, lanes).as_pointer()
    return [
        builder.bitcast(builder.gep(data, [builder.add(first, first.type(k * lanes))]), vector)
        for k in range(count)
    ]


def _sum_of(builder: Any, accumulators: list[Any], lanes: int) -> Any:
    total = ir.Constant(_FLOAT, 0.0)
    for accumulator in accumulators:
        vector = builder.load(accumulator)
        for lane in range(lanes):
            place = ir.Constant(ir.IntType(32), lane)
            total = builder.fadd(total, builder.extract_element(vector, place))
    return total


#: cgutils has no types.
_stack_slot: Any = cgutils.alloca_once_value


def _accumulators(builder: Any, count: int, lanes: int) -> list[Any]:
    """Return stack slots of vectors, which the compiler turns into registers; all are 0."""
    vector = ir.VectorType(_FLOAT, lanes)
    return [_stack_slot(builder, ir.Constant(vector, [0.0] * lanes)) for _ in range(count)]


def _over_array(lanes: int, body: Callable[[Any, list[Any], list[Any]], None]) -> Any:
    """Return a function of a row of float32 and a number of times that it is passed over.

    The body has a group of consecutive vectors at a time.
    """

    @intrinsic
    def over_array(typing_context: Any, row: Any, repeats: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            step = _UNROLL * lanes
            turns = builder.udiv(array.nitems, array.nitems.type(step))
            sums = _accumulators(builder, _UNROLL, lanes)
            with (
                cgutils.for_range(builder, arguments[1]),
                cgutils.for_range(builder, turns) as loop,
            ):
                first = builder.mul(loop.index, loop.index.type(step))
                body(builder, _places(builder, array.data, first, _UNROLL, lanes), sums)
            return _sum_of(builder, sums, lanes)

        return types.float32(row, types.int64), generate

    return over_array


def _read(builder: Any, places: list[Any], sums: list[Any]) -> None:
    for place, total in zip(places, sums, strict=True):
        vector = builder.load(place, align=4)
        builder.store(builder.fadd(builder.load(total), vector), total)


def _update(builder: Any, places: list[Any], sums: list[Any]) -> None:
    """Negate every number in place: read and written, and still a number after many turns."""
    for place in places:
        builder.store(builder.fneg(builder.load(place, align=4)), place, align=4)


def _multiply_add(lanes: int) -> Any:
    """Return a function of a factor and a number of turns of all accumulators' multiply-adds."""

    @intrinsic
    def multiply_add(typing_context: Any, factor: Any, turns: Any) -> Any:
        vector = ir.VectorType(_FLOAT, lanes)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            factors = ir.Constant(vector, ir.Undefined)
            for lane in range(lanes):
                place = ir.Constant(ir.IntType(32), lane)
                factors = builder.insert_element(factors, arguments[0], place)
            sums = _accumulators(builder, ACCUMULATORS, lanes)
            with cgutils.for_range(builder, arguments[1]):
                for total in sums:
                    # One instruction where the processor has it, as in the kernels.
                    product = builder.fmul(builder.load(total), factors, flags=["contract"])
                    builder.store(builder.fadd(product, factors, flags=["contract"]), total)
            return _sum_of(builder, sums, lanes)

        return types.float32(types.float32, types.int64), generate

    return multiply_add


def _parallel(one_row: Any) -> Loop:
    @njit(parallel=True, nogil=True)
    def loop(rows: Array, repeats: int) -> float:
        totals = np.zeros(len(rows))
        for thread in prange(len(rows)):
            totals[thread] = one_row(rows[thread], np.int64(repeats))
        return totals.sum()  # type: ignore[no-any-return]

    return loop


def _parallel_multiply_add(lanes: int) -> Loop:
    multiply_add = _multiply_add(lanes)

    @njit(parallel=True, nogil=True)
    def loop(rows: Array, repeats: int) -> float:
        totals = np.zeros(len(rows))
        for thread in prange(len(rows)):
            totals[thread] = multiply_add(rows[thread, 0], np.int64(repeats))
        return totals.sum()  # type: ignore[no-any-return]

    return loop


#: By what is measured and by the lanes of a vector; compiled when first called.
LOOPS: dict[str, dict[int, Loop]] = {
    "read": {lanes: _parallel(_over_array(lanes, _read)) for lanes in WIDTHS},
    "update": {lanes: _parallel(_over_array(lanes, _update)) for lanes in WIDTHS},
    "multiply_add": {lanes: _parallel_multiply_add(lanes) for lanes in WIDTHS},
}
