"""The tokens of svmlight and xc text: labels, features, blanks.

Every function reads ``text`` from a position on, and relies on a newline at its end.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline
from sstrain.kernels.decimals import (
    MAX_DIGITS,
    nearest_float32,
    read_decimal,
    read_digits,
    whole_number,
)

__all__ = ["SvmlightError"]

_TAB, _NEWLINE, _RETURN, _SPACE, _HASH, _COLON, _COMMA, _MINUS = 9, 10, 13, 32, 35, 58, 44, 45
_Q, _I, _D = 113, 105, 100
_LARGEST_LABEL = 2**53


class SvmlightError(IntEnum):
    """What is wrong with the token at which the parser stopped."""

    NONE = 0
    MISSING_LABEL = 1
    SEVERAL_LABELS = 2
    BAD_LABEL = 3
    FRACTIONAL_LABEL = 4
    HUGE_LABEL = 5
    LOW_LABEL = 6
    HIGH_LABEL = 7
    MISSING_COLON = 8
    BAD_INDEX = 9
    NEGATIVE_INDEX = 10
    HUGE_INDEX = 11
    LOW_INDEX = 12
    HIGH_INDEX = 13
    REPEATED_INDEX = 14
    BAD_VALUE = 15
    HUGE_VALUE = 16


class Feature(NamedTuple):
    """A feature as it was read."""

    error: SvmlightError
    position: int  # the position after it, or that of the mistake
    number: int  # its index, -1 where it is a query id
    value: np.float32
    uncertain_position: int  # where a value that is left to the caller begins, or -1


@inline
def ends_line(text: NDArray[np.uint8], position: int) -> bool:
    """Return whether nothing but a comment or the line's end follows."""
    byte = text[position]
    if byte == _RETURN:
        return bool(text[position + 1] == _NEWLINE)
    return bool(byte == _NEWLINE or byte == _HASH)


@inline
def ends_token(text: NDArray[np.uint8], position: int) -> bool:
    """Return whether a blank, a comment or the line's end stands here."""
    return text[position] == _SPACE or text[position] == _TAB or ends_line(text, position)


@inline
def skip_spaces(text: NDArray[np.uint8], position: int) -> int:
    """Return the position after blanks."""
    while text[position] == _SPACE or text[position] == _TAB:
        position += 1
    return position


@inline
def token_end(text: NDArray[np.uint8], position: int) -> int:
    """Return the position after the token."""
    while not ends_token(text, position):
        position += 1
    return position


@inline
def token_has_colon(text: NDArray[np.uint8], position: int) -> bool:
    """Return whether a colon stands in the token that begins here."""
    while not ends_token(text, position):
        if text[position] == _COLON:
            return True
        position += 1
    return False


@inline
def read_label(
    text: NDArray[np.uint8], start: int, lowest: int, highest: int
) -> tuple[SvmlightError, int, int]:
    """Return the error, the position after the label, and the label."""
    decimal = read_decimal(text, start)
    if decimal.end < 0 or not (text[decimal.end] == _COMMA or ends_token(text, decimal.end)):
        return SvmlightError.BAD_LABEL, start, 0
    label, is_whole = whole_number(decimal)
    error = SvmlightError.NONE
    if not is_whole:
        error = SvmlightError.FRACTIONAL_LABEL
    elif abs(label) > _LARGEST_LABEL:
        error = SvmlightError.HUGE_LABEL
    elif label < lowest:
        error = SvmlightError.LOW_LABEL
    elif label > highest:
        error = SvmlightError.HIGH_LABEL
    return error, decimal.end if error == SvmlightError.NONE else start, label


@inline
def after_comma(text: NDArray[np.uint8], position: int) -> int:
    """Return where the next label begins if a comma stands here, else -1."""
    return skip_spaces(text, position + 1) if text[position] == _COMMA else -1


@inline
def skip_labels(text: NDArray[np.uint8], position: int) -> int:
    """Return the position after a token without a colon, and those that a comma adds to it."""
    while not token_has_colon(text, position):
        start = position
        position = token_end(text, position)
        if position == start or text[position - 1] != _COMMA:
            break
        position = skip_spaces(text, position)
    return position


@inline
def _index_error(text: NDArray[np.uint8], start: int, lowest: int) -> SvmlightError:
    """Return what is wrong with a token that does not begin with an index and a colon."""
    if not token_has_colon(text, start):
        return SvmlightError.MISSING_COLON
    first = start + (text[start] == _MINUS)
    end, index = read_digits(text, first, 0)
    if end == first or text[end] != _COLON:
        return SvmlightError.BAD_INDEX
    if first > start:
        return SvmlightError.NEGATIVE_INDEX
    if end - first > MAX_DIGITS:
        return SvmlightError.HUGE_INDEX
    return SvmlightError.LOW_INDEX if index < lowest else SvmlightError.HIGH_INDEX


@inline
def _read_value(text: NDArray[np.uint8], start: int) -> tuple[SvmlightError, int, np.float32, bool]:
    """Return the error, the position after the value, the value, and whether it is certain."""
    end, whole = read_digits(text, start, 0)
    if start < end < start + 8 and ends_token(text, end):  # 7 digits are exact as a float32
        return SvmlightError.NONE, end, np.float32(whole), True
    decimal = read_decimal(text, start)
    if decimal.end < 0 or not ends_token(text, decimal.end):
        return SvmlightError.BAD_VALUE, start, np.float32(0), True
    value, is_certain = nearest_float32(decimal)
    if is_certain and np.isinf(value):
        return SvmlightError.HUGE_VALUE, start, value, True
    return SvmlightError.NONE, decimal.end, value, is_certain


@inline
def read_feature(text: NDArray[np.uint8], start: int, lowest: int, highest: int) -> Feature:
    """Read ``index:value``, or skip ``qid:N``."""
    end, index = read_digits(text, start, 0)
    is_index = text[end] == _COLON and start < end <= start + MAX_DIGITS
    if not is_index or index < lowest or index > highest:
        if text[start] == _Q and text[start + 1] == _I and text[start + 2] == _D:
            if text[start + 3] == _COLON:
                return Feature(SvmlightError.NONE, token_end(text, start), -1, np.float32(0), -1)
        return Feature(_index_error(text, start, lowest), start, -1, np.float32(0), -1)
    error, position, value, is_certain = _read_value(text, end + 1)
    return Feature(error, position, index, value, -1 if is_certain else end + 1)
