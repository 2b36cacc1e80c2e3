"""What the parsers of Vowpal Wabbit's text share: their result, bytes that end tokens, numbers."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline
from sstrain.kernels.decimals import nearest_float32, read_decimal, read_digits

__all__ = [
    "LARGEST_VW_VALUE",
    "SCALES",
    "VALUES",
    "WEIGHTS",
    "Number",
    "VwError",
    "VwResult",
    "VwRows",
    "ends_line",
    "ends_token",
    "note_uncertain",
    "read_number",
]

#: The arrays that a number which is left to the caller belongs to.
VALUES, SCALES, WEIGHTS = 0, 1, 2
#: Of a value, a scale, and their product: no line is so long that its sum of them overflows.
LARGEST_VW_VALUE = 1e30

_TAB, _NEWLINE, _RETURN, _SPACE, _BAR = 9, 10, 13, 32, 124


class VwError(IntEnum):
    """What is wrong at the place where the parser stopped."""

    NONE = 0
    MISSING_BAR = 1
    MISSING_LABEL = 2
    SEVERAL_LABELS = 3
    COSTS = 4
    NOT_FINITE_LABEL = 5
    FRACTIONAL_LABEL = 6
    HUGE_LABEL = 7
    BAD_IMPORTANCE = 8
    NEGATIVE_IMPORTANCE = 9
    INITIAL_PREDICTION = 10
    TAB = 11
    STRAY_RETURN = 12
    EMPTY_NAMESPACE = 13
    LONG_NAMESPACE = 14
    BAD_SCALE = 15
    EMPTY_NAME = 16
    BAD_VALUE = 17


class VwRows(NamedTuple):
    """Where the parser writes.

    R is at most the number of lines, M that of spaces and tabs, S that of bars, U that of colons,
    spaces and lines.
    """

    lines: NDArray[np.int64]  # [R], the line of each row, from 0
    indptr: NDArray[np.int64]  # [R + 1]
    labels: NDArray[np.int64]  # [R], whole numbers
    label_starts: NDArray[np.int64]  # [R], where a label that is a name begins, -1 for a number
    label_ends: NDArray[np.int64]  # [R]
    weights: NDArray[np.float32]  # [R]
    namespace_starts: NDArray[np.int64]  # [S], a stretch of no bytes for the default one
    namespace_ends: NDArray[np.int64]  # [S]
    scales: NDArray[np.float32]  # [S]
    namespaces: NDArray[np.int32]  # [M], that of each entry
    starts: NDArray[np.int64]  # [M], where the name of each entry's feature begins
    ends: NDArray[np.int64]  # [M]
    values: NDArray[np.float32]  # [M]
    uncertain: NDArray[np.int64]  # [U, 3], numbers left to the caller: which array, which, where


class VwResult(NamedTuple):
    """How far the parser came, and the first mistake."""

    num_rows: int
    num_entries: int
    num_namespaces: int
    num_uncertain: int
    error: VwError
    position: int  # the line's end, or where the mistake is


class Number(NamedTuple):
    """A number as it is read."""

    end: int  # the position after it; -1 where there is no number
    value: np.float32
    uncertain: int  # where a number that is left to the caller begins, or -1


@inline
def ends_line(text: NDArray[np.uint8], position: int) -> bool:
    """Return whether a line ends there, by a newline or by a carriage return before one."""
    byte = text[position]
    return bool(byte == _NEWLINE or (byte == _RETURN and text[position + 1] == _NEWLINE))


@inline
def ends_token(text: NDArray[np.uint8], position: int) -> bool:
    """Return whether white space, a bar, or the line's end stands there."""
    byte = text[position]
    if byte > _SPACE:
        return bool(byte == _BAR)
    return bool(byte == _SPACE or byte == _TAB or byte == _NEWLINE or byte == _RETURN)


@inline
def read_number(text: NDArray[np.uint8], start: int) -> Number:
    """Read a number behind which a token ends."""
    end, whole = read_digits(text, start, 0)
    if start < end < start + 8 and ends_token(text, end):  # 7 digits are exact as a float32
        return Number(end, np.float32(whole), -1)
    decimal = read_decimal(text, start)
    if decimal.end < 0 or not ends_token(text, decimal.end):
        return Number(-1, np.float32(0), -1)
    value, is_certain = nearest_float32(decimal)
    if is_certain and np.isinf(value):
        return Number(-1, np.float32(0), -1)
    return Number(decimal.end, value, -1 if is_certain else start)


@inline
def note_uncertain(
    uncertain: NDArray[np.int64], number: int, array: int, index: int, position: int
) -> int:
    """List a number that is left to the caller, and return how many are listed now."""
    uncertain[number, 0] = array
    uncertain[number, 1] = index
    uncertain[number, 2] = position
    return number + 1
