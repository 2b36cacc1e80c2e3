"""Sixteen float32 numbers that a kernel holds in a vector register, and tiles of eight of those.

A loop over an example's features that adds to an array of scores loads and stores each score once
a feature; lanes stay in registers from the first feature to the last. LLVM makes of them what the
machine has: one register of AVX-512, two of AVX, four of SSE or NEON.
"""

from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model
from numpy.typing import NDArray

from sstrain.kernels._jit import CHECKED, inline

__all__ = [
    "LANES",
    "TILE",
    "Lanes",
    "Tile",
    "add_to_tile",
    "fetch",
    "highest",
    "load_lanes",
    "load_tile",
    "multiply_add",
    "store_lanes",
    "store_tile",
]

LANES = 16
#: Numbers in a tile: half of the registers of AVX-512, all of those of AVX.
TILE = 8 * LANES

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INT32 = ir.IntType(32)
_ZEROS = ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES)
#: Of a float32 number: arrays are aligned to their items, not to whole vectors.
_ALIGNMENT = 4

Lanes: TypeAlias = Any
Tile: TypeAlias = tuple[Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes]


class _LanesType(types.Type):
    """The type of lanes in kernels."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


_LANES_TYPE: Any = _LanesType()


def _intrinsic(function: Any) -> Any:
    """Let kernels call what generates code, with other arguments than it has itself."""
    return intrinsic(function)


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


def _pointer(context: Any, builder: Any, item: Any, kind: Any, array: Any, index: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), item.as_pointer())


@_intrinsic
def load_lanes(typing_context: Any, array: Any, index: Any) -> Any:
    """Return `LANES` numbers of a float32 array of one dimension; nothing checks the index."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = builder.load(_pointer(context, builder, _VECTOR, array, *arguments))
        lanes.align = _ALIGNMENT
        return lanes

    return _LANES_TYPE(array, types.intp), generate


@_intrinsic
def store_lanes(typing_context: Any, array: Any, index: Any, lanes: Any) -> Any:
    """Write lanes into a float32 array of one dimension; nothing checks the index."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _pointer(context, builder, _VECTOR, array, *arguments[:2])
        builder.store(arguments[2], place).align = _ALIGNMENT
        return context.get_dummy_value()

    return types.void(array, types.intp, _LANES_TYPE), generate


@_intrinsic
def multiply_add(typing_context: Any, x: Any, lanes: Any, added: Any) -> Any:
    """Return x times some lanes, plus others."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first = builder.insert_element(_VECTOR(ir.Undefined), arguments[0], _INT32(0))
        every = builder.shuffle_vector(first, _VECTOR(ir.Undefined), _ZEROS)
        product = builder.fmul(every, arguments[1], flags=("contract",))
        return builder.fadd(product, arguments[2], flags=("contract",))

    return _LANES_TYPE(types.float32, _LANES_TYPE, _LANES_TYPE), generate


def _select_larger(builder: Any, first: Any, second: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", first, second), first, second)


@_intrinsic
def _larger(typing_context: Any, first: Any, second: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _select_larger(builder, *arguments)

    return _LANES_TYPE(_LANES_TYPE, _LANES_TYPE), generate


@_intrinsic
def _largest_lane(typing_context: Any, lanes: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (left,) = arguments
        width = LANES
        while width > 1:
            width //= 2
            kind = ir.VectorType(_INT32, width)
            halves = [
                builder.shuffle_vector(left, left, kind(list(range(start, start + width))))
                for start in (0, width)
            ]
            left = _select_larger(builder, *halves)
        return builder.extract_element(left, _INT32(0))

    return types.float32(_LANES_TYPE), generate


@_intrinsic
def _prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _pointer(context, builder, ir.IntType(8), array, *arguments)
        kind = ir.FunctionType(ir.VoidType(), [place.type, _INT32, _INT32, _INT32])
        function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, kind, "llvm.prefetch.p0i8"
        )
        # To be read, into every level of the cache, as data.
        builder.call(function, [place, _INT32(0), _INT32(3), _INT32(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@inline
def _check(array: NDArray[np.float32], at: int, size: int) -> None:
    """Raise IndexError where indices are checked: lanes reach memory past numba's own checks."""
    if CHECKED and (at < 0 or at + size > len(array)):
        raise IndexError("lanes out of bounds")


@inline
def fetch(array: NDArray[Any], at: int) -> None:
    """Ask for the line of memory that a cell lies in; a cell out of bounds does no harm."""
    _prefetch(array, at)


@inline
def load_tile(array: NDArray[np.float32], at: int) -> Tile:
    """Return `TILE` numbers of a float32 array of one dimension, from ``at`` on."""
    _check(array, at, TILE)
    return (
        load_lanes(array, at),
        load_lanes(array, at + 16),
        load_lanes(array, at + 32),
        load_lanes(array, at + 48),
        load_lanes(array, at + 64),
        load_lanes(array, at + 80),
        load_lanes(array, at + 96),
        load_lanes(array, at + 112),
    )


@inline
def store_tile(array: NDArray[np.float32], at: int, tile: Tile) -> None:
    """Write a tile into a float32 array of one dimension, from ``at`` on."""
    _check(array, at, TILE)
    store_lanes(array, at, tile[0])
    store_lanes(array, at + 16, tile[1])
    store_lanes(array, at + 32, tile[2])
    store_lanes(array, at + 48, tile[3])
    store_lanes(array, at + 64, tile[4])
    store_lanes(array, at + 80, tile[5])
    store_lanes(array, at + 96, tile[6])
    store_lanes(array, at + 112, tile[7])


@inline
def add_to_tile(tile: Tile, x: np.float32, array: NDArray[np.float32], at: int) -> Tile:
    """Return a tile plus x times the numbers of an array from ``at`` on."""
    _check(array, at, TILE)
    return (
        multiply_add(x, load_lanes(array, at), tile[0]),
        multiply_add(x, load_lanes(array, at + 16), tile[1]),
        multiply_add(x, load_lanes(array, at + 32), tile[2]),
        multiply_add(x, load_lanes(array, at + 48), tile[3]),
        multiply_add(x, load_lanes(array, at + 64), tile[4]),
        multiply_add(x, load_lanes(array, at + 80), tile[5]),
        multiply_add(x, load_lanes(array, at + 96), tile[6]),
        multiply_add(x, load_lanes(array, at + 112), tile[7]),
    )


@inline
def highest(numbers: NDArray[np.float32]) -> np.float32:
    """Return the largest of some numbers; a NaN may or may not be passed over.

    A plain loop may not pass over one, and so is not turned into vector code.
    """
    count = len(numbers)
    top: np.float32 = numbers[0]
    whole = count - count % LANES
    if whole:
        lanes = load_lanes(numbers, 0)
        for at in range(LANES, whole, LANES):
            lanes = _larger(load_lanes(numbers, at), lanes)
        top = _largest_lane(lanes)
    for at in range(whole, count):
        top = max(top, numbers[at])
    return top
