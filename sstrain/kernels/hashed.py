"""A table of 2^bits weights that features and classes share by their hash.

The low four bits of a class's key are kept, so that a line of 16 cells holds 16 neighbouring
classes of one feature, and one hash serves them all.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel, unsigned
from sstrain.kernels.averaging import averaged
from sstrain.kernels.counter import mix
from sstrain.kernels.storage import stored
from sstrain.kernels.tables import find_cell, likely_cell, table_weight

__all__ = [
    "ClassRuns",
    "HashedTable",
    "class_runs",
    "first_cell",
    "gather_run",
    "line_hash",
    "sign_in_line",
]

_FOUR, _FIRST_SIGN = np.int64(4), np.int64(48)
_LOW_FOUR = np.int64(15)
_FEATURE_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_LINE_MULTIPLIER = np.uint64(0xD1342543DE82EF95)
_PLUS, _MINUS = np.float32(1), np.float32(-1)


class HashedTable(NamedTuple):
    """Weights by the hash of their feature's and their class's keys."""

    values: NDArray[Any]  # [2^bits], see `storage`
    feature_keys: NDArray[np.int64]  # [D]
    class_keys: NDArray[np.int64]  # [V]
    line_mask: np.uint64  # 2^(bits - 4) - 1
    signs: np.uint64  # 1 if the hash gives each weight a sign, else 0
    key: np.uint64  # of what is stored at this step


class ClassRuns(NamedTuple):
    """Classes that follow one another in a line of the table, so that one hash serves them."""

    classes: NDArray[np.int32]  # [runs + 1], each run's first class, and V
    of_block: NDArray[np.int32]  # [blocks + 1], each block's first run, and how many runs there are


@inline
def line_hash(table: HashedTable, feature_key: int, class_key: int) -> np.uint64:
    """Return the hash of a feature and a class's line: low bits for the place, high for signs.

    SplitMix64's finaliser of a sum that is another for every pair.
    """
    line = np.uint64(class_key >> _FOUR)
    return mix(np.uint64(feature_key) * _FEATURE_MULTIPLIER + line * _LINE_MULTIPLIER)


@inline
def first_cell(table: HashedTable, bits: np.uint64) -> int:
    """Return the first of the 16 cells of the line that a hash says."""
    return np.int64(bits & table.line_mask) << _FOUR  # type: ignore[return-value]


@inline
def sign_in_line(table: HashedTable, bits: np.uint64, lane: int) -> np.float32:
    """Return the sign with which a cell of a line counts for the feature and the class."""
    odd = (bits >> np.uint64(_FIRST_SIGN + lane)) & table.signs
    return _MINUS if odd else _PLUS


@inline
def lane_of(class_key: int) -> int:
    """Return which of a line's 16 cells a class has."""
    return class_key & _LOW_FOUR  # type: ignore[return-value]


def _find_hashed(table: HashedTable, row: int, column: int) -> int:
    class_key = table.class_keys[column]
    bits = line_hash(table, table.feature_keys[row], class_key)
    return first_cell(table, bits) + lane_of(class_key)


def _weight_hashed(table: HashedTable, row: int, column: int) -> np.float32:
    class_key = table.class_keys[column]
    bits = line_hash(table, table.feature_keys[row], class_key)
    lane = lane_of(class_key)
    weight = stored(table.values, unsigned(first_cell(table, bits) + lane))
    return np.float32(sign_in_line(table, bits, lane) * weight)


find_cell.register(HashedTable, _find_hashed)
likely_cell.register(HashedTable, _find_hashed)
table_weight.register(HashedTable, _weight_hashed)


@kernel
def class_runs(class_keys: NDArray[np.int64], block: int, out: ClassRuns) -> None:
    """Find the runs of classes, none of which leaves its block of so many classes."""
    runs = 0
    for j in range(len(class_keys)):
        starts_block = j % block == 0
        if starts_block:
            out.of_block[j // block] = runs
        key = class_keys[j]
        if starts_block or lane_of(key) == 0 or key != class_keys[j - 1] + 1:
            out.classes[runs] = j
            runs += 1
    out.of_block[(len(class_keys) + block - 1) // block] = runs
    out.classes[runs] = len(class_keys)


@inline
def gather_run(
    table: HashedTable,
    average: Any,
    row: int,
    start: int,
    weights: NDArray[np.float32],
) -> None:
    """Write a feature's weights of the run of classes from ``start``, as scores add them."""
    class_key = table.class_keys[start]
    bits = line_hash(table, table.feature_keys[row], class_key)
    lane = lane_of(class_key)
    first = first_cell(table, bits) + lane
    for k in range(len(weights)):
        cell = unsigned(first + k)
        weight = averaged(average, stored(table.values, cell), cell)
        weights[k] = sign_in_line(table, bits, lane + k) * weight
