"""Parsing svmlight text: a buffer of bytes in, CSR rows out."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel
from sstrain.kernels.borrowed import borrowed
from sstrain.kernels.decimals import (
    MAX_DIGITS,
    nearest_float32,
    read_decimal,
    read_digits,
    whole_number,
)
from sstrain.kernels.sorting import sort_entries

__all__ = ["SvmlightError", "SvmlightResult", "SvmlightRows", "parse_svmlight"]

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
    MISSING_COLON = 6
    BAD_INDEX = 7
    NEGATIVE_INDEX = 8
    HUGE_INDEX = 9
    LOW_INDEX = 10
    REPEATED_INDEX = 11
    BAD_VALUE = 12
    HUGE_VALUE = 13


class SvmlightRows(NamedTuple):
    """Where the parser writes: R is at most the number of lines, M that of colons."""

    starts: NDArray[np.int64]  # [R + 1], each row's first entry
    lines: NDArray[np.int64]  # [R], the line of each row, from 0
    labels: NDArray[np.int64]  # [R]
    indices: NDArray[np.int64]  # [M], as the file has them
    values: NDArray[np.float32]  # [M]
    uncertain: NDArray[np.int64]  # [M, 2], entries left to the caller, and where their values begin


class SvmlightResult(NamedTuple):
    """How far the parser came, and the first mistake."""

    num_rows: int
    num_entries: int
    num_uncertain: int
    has_query_ids: bool
    error: SvmlightError
    position: int  # of the token that is wrong


class _Feature(NamedTuple):
    error: SvmlightError
    position: int  # the position after it, or that of the mistake
    number: int  # its index, -1 where it is a query id
    value: np.float32
    uncertain_position: int  # where a value that is left to the caller begins, or -1


@inline
def _ends_line(text: NDArray[np.uint8], position: int) -> bool:
    """Return whether nothing but a comment or the line's end follows."""
    byte = text[position]
    if byte == _RETURN:
        return bool(text[position + 1] == _NEWLINE)
    return bool(byte == _NEWLINE or byte == _HASH)


@inline
def _ends_token(text: NDArray[np.uint8], position: int) -> bool:
    return text[position] == _SPACE or text[position] == _TAB or _ends_line(text, position)


@inline
def _skip_spaces(text: NDArray[np.uint8], position: int) -> int:
    while text[position] == _SPACE or text[position] == _TAB:
        position += 1
    return position


@inline
def _token_end(text: NDArray[np.uint8], position: int) -> int:
    while not _ends_token(text, position):
        position += 1
    return position


@inline
def _token_holds(text: NDArray[np.uint8], position: int, byte: int) -> bool:
    while not _ends_token(text, position):
        if text[position] == byte:
            return True
        position += 1
    return False


@inline
def _read_label(text: NDArray[np.uint8], start: int) -> tuple[SvmlightError, int, int]:
    """Return the error, the position after the label, and the label."""
    decimal = read_decimal(text, start)
    if decimal.end < 0 or not _ends_token(text, decimal.end):
        error = SvmlightError.BAD_LABEL
        if _token_holds(text, start, _COLON):
            error = SvmlightError.MISSING_LABEL
        elif _token_holds(text, start, _COMMA):
            error = SvmlightError.SEVERAL_LABELS
        return error, start, 0
    label, is_whole = whole_number(decimal)
    if not is_whole:
        return SvmlightError.FRACTIONAL_LABEL, start, label
    if abs(label) > _LARGEST_LABEL:
        return SvmlightError.HUGE_LABEL, start, label
    return SvmlightError.NONE, decimal.end, label


@inline
def _index_error(text: NDArray[np.uint8], start: int) -> SvmlightError:
    """Return what is wrong with a token that does not begin with an index and a colon."""
    if not _token_holds(text, start, _COLON):
        return SvmlightError.MISSING_COLON
    first = start + (text[start] == _MINUS)
    end, _ = read_digits(text, first, 0)
    if end == first or text[end] != _COLON:
        return SvmlightError.BAD_INDEX
    if first > start:
        return SvmlightError.NEGATIVE_INDEX
    return SvmlightError.HUGE_INDEX if end - first > MAX_DIGITS else SvmlightError.LOW_INDEX


@inline
def _read_value(text: NDArray[np.uint8], start: int) -> tuple[SvmlightError, int, np.float32, bool]:
    """Return the error, the position after the value, the value, and whether it is certain."""
    end, whole = read_digits(text, start, 0)
    if start < end < start + 8 and _ends_token(text, end):  # 7 digits are exact as a float32
        return SvmlightError.NONE, end, np.float32(whole), True
    decimal = read_decimal(text, start)
    if decimal.end < 0 or not _ends_token(text, decimal.end):
        return SvmlightError.BAD_VALUE, start, np.float32(0), True
    value, is_certain = nearest_float32(decimal)
    if is_certain and np.isinf(value):
        return SvmlightError.HUGE_VALUE, start, value, True
    return SvmlightError.NONE, decimal.end, value, is_certain


@inline
def _read_feature(text: NDArray[np.uint8], start: int, lowest_index: int) -> _Feature:
    """Read ``index:value``, or skip ``qid:N``."""
    end, index = read_digits(text, start, 0)
    if text[end] != _COLON or not start < end <= start + MAX_DIGITS or index < lowest_index:
        if text[start] == _Q and text[start + 1] == _I and text[start + 2] == _D:
            if text[start + 3] == _COLON:
                return _Feature(SvmlightError.NONE, _token_end(text, start), -1, np.float32(0), -1)
        return _Feature(_index_error(text, start), start, -1, np.float32(0), -1)
    error, position, value, is_certain = _read_value(text, end + 1)
    return _Feature(error, position, index, value, -1 if is_certain else end + 1)


@inline
def _has_repeats(out: SvmlightRows, start: int, end: int) -> bool:
    """Return whether two entries have the same index."""
    indices, values = out.indices[start:end].copy(), out.values[start:end].copy()
    sort_entries(indices, values, 0, end - start)
    for entry in range(1, end - start):
        if indices[entry] == indices[entry - 1]:
            return True
    return False


@inline
def _read_features(
    text: NDArray[np.uint8],
    position: int,
    lowest_index: int,
    out: SvmlightRows,
    so_far: SvmlightResult,
) -> SvmlightResult:
    """Read a row's features up to the line's end, and add them to the result so far."""
    row_position = position
    num_rows, entry, num_uncertain, has_query_ids, error, _ = so_far
    previous, in_order = -1, True
    while error == SvmlightError.NONE:
        position = _skip_spaces(text, position)
        if _ends_line(text, position):
            break
        feature = _read_feature(text, position, lowest_index)
        error, position = feature.error, feature.position
        if feature.number < 0:
            has_query_ids = True
            continue
        in_order = in_order and feature.number > previous
        previous = feature.number
        out.indices[entry] = feature.number
        out.values[entry] = feature.value
        if feature.uncertain_position >= 0:
            out.uncertain[num_uncertain, 0] = entry
            out.uncertain[num_uncertain, 1] = feature.uncertain_position
            num_uncertain += 1
        entry += 1
    if error == SvmlightError.NONE and not in_order:
        if _has_repeats(out, so_far.num_entries, entry):
            error, position = SvmlightError.REPEATED_INDEX, row_position
    return SvmlightResult(num_rows + 1, entry, num_uncertain, has_query_ids, error, position)


@inline
def _read_row(
    text: NDArray[np.uint8],
    position: int,
    line: int,
    labelled: bool,
    lowest_index: int,
    out: SvmlightRows,
    so_far: SvmlightResult,
) -> SvmlightResult:
    """Read a row from its first token to the line's end, and add it to the result so far."""
    error, label = SvmlightError.NONE, 0
    if labelled:
        error, position, label = _read_label(text, position)
    elif not _token_holds(text, position, _COLON):
        position = _token_end(text, position)
    row = so_far.num_rows
    if error != SvmlightError.NONE:
        return SvmlightResult(row, 0, 0, False, error, position)
    out.starts[row] = so_far.num_entries
    out.lines[row] = line
    out.labels[row] = label
    return _read_features(text, position, lowest_index, out, so_far)


@kernel
def parse_svmlight(
    text: NDArray[np.uint8], labelled: bool, lowest_index: int, out: SvmlightRows
) -> SvmlightResult:
    """Parse lines of svmlight text up to the end or the first mistake.

    Parameters
    ----------
    text : uint8 array
        Whole lines, the last one ended by a newline too.
    labelled : bool
        Whether lines begin with a label. If not, a label is skipped where there is one, and every
        line is a row, blank lines and comments too.
    lowest_index : int
        The lowest index that is allowed.
    out : SvmlightRows
        Filled in place. A value is the float64 that is nearest to what the text says, rounded to
        float32; the rare ones of which that is not certain are listed for the caller.

    Returns
    -------
    SvmlightResult
        At a mistake, the position is that of the token that is wrong; for an index that stands
        twice, that of the row's features.
    """
    text = borrowed(text)
    out = SvmlightRows(
        borrowed(out.starts),
        borrowed(out.lines),
        borrowed(out.labels),
        borrowed(out.indices),
        borrowed(out.values),
        borrowed(out.uncertain),
    )
    result = SvmlightResult(0, 0, 0, False, SvmlightError.NONE, 0)
    position, line = 0, 0
    while position < len(text) and result.error == SvmlightError.NONE:
        position = _skip_spaces(text, position)
        if not (labelled and _ends_line(text, position)):
            result = _read_row(text, position, line, labelled, lowest_index, out, result)
            position = result.position
        while text[position] != _NEWLINE:
            position += 1
        position += 1
        line += 1
    out.starts[result.num_rows] = result.num_entries
    return result
