"""Parsing what stands before the first bar of Vowpal Wabbit's lines."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline
from sstrain.kernels.decimals import read_decimal, whole_number
from sstrain.kernels.vw_tokens import (
    Number,
    VwError,
    ends_line,
    read_number,
)

__all__ = ["LabelPart", "find_bar", "read_label_part"]

_TAB, _RETURN, _SPACE, _QUOTE, _COLON, _BAR = 9, 13, 32, 39, 58, 124
_PLUS, _COMMA, _MINUS = 43, 44, 45
_LOWER_CASE = 32  # the bit that tells a letter of the lower case
_LARGEST_LABEL = 2**53
_NAN, _INF = (110, 97, 110), (105, 110, 102)
_INFINITY = (105, 110, 102, 105, 110, 105, 116, 121)


class LabelPart(NamedTuple):
    """What stands before the first bar."""

    error: VwError
    start: int  # of the label, or of the token that is wrong
    end: int
    is_number: bool
    number: int
    weight: Number


@inline
def find_bar(text: NDArray[np.uint8], start: int, labelled: bool) -> tuple[VwError, int]:
    """Return the position of the line's first bar, or what must not stand before it."""
    wrong, position = -1, start
    while text[position] != _BAR:
        if ends_line(text, position):
            return VwError.MISSING_BAR, start
        if wrong < 0 and (text[position] == _TAB or text[position] == _RETURN):
            wrong = position
        position += 1
    if labelled and wrong >= 0:
        return VwError.TAB if text[wrong] == _TAB else VwError.STRAY_RETURN, wrong
    return VwError.NONE, position


@inline
def _is_word(text: NDArray[np.uint8], start: int, end: int, word: tuple[int, ...]) -> bool:
    """Return whether a stretch of the text is a word, in either case."""
    if end - start != len(word):
        return False
    for offset in range(len(word)):
        if text[start + offset] | _LOWER_CASE != word[offset]:
            return False
    return True


@inline
def _is_not_finite(text: NDArray[np.uint8], start: int, end: int) -> bool:
    """Return whether a token is ``nan``, ``inf`` or ``infinity``, as C reads numbers."""
    if text[start] == _PLUS or text[start] == _MINUS:
        start += 1
    return (
        _is_word(text, start, end, _NAN)
        or _is_word(text, start, end, _INF)
        or _is_word(text, start, end, _INFINITY)
    )


@inline
def _read_label(text: NDArray[np.uint8], start: int, end: int) -> tuple[VwError, bool, int]:
    """Return the error, whether a label is a whole number, in any spelling, and the number."""
    for position in range(start, end):
        if text[position] == _COLON:
            return VwError.COSTS, False, 0
    if _is_not_finite(text, start, end):
        return VwError.NOT_FINITE_LABEL, False, 0
    decimal = read_decimal(text, start)
    if 0 <= decimal.end < end and text[decimal.end] == _COMMA:
        return VwError.SEVERAL_LABELS, False, 0
    if decimal.end != end:
        return VwError.NONE, False, 0
    label, is_whole = whole_number(decimal)
    if not is_whole:
        return VwError.FRACTIONAL_LABEL, False, 0
    if abs(label) > _LARGEST_LABEL:
        return VwError.HUGE_LABEL, False, 0
    return VwError.NONE, True, label


@inline
def _next_token(text: NDArray[np.uint8], position: int, bar: int) -> tuple[int, int]:
    """Return where the next token before the bar begins and ends; it is empty at the bar."""
    while text[position] == _SPACE:
        position += 1
    end = position
    while end < bar and text[end] != _SPACE:
        end += 1
    return position, end


@inline
def _ends_labels(text: NDArray[np.uint8], start: int, end: int, bar: int) -> bool:
    """Return whether a token is the tag, which begins with ' or touches the bar, or the bar."""
    if text[start] != _QUOTE:
        return end == bar
    while text[end] == _SPACE:
        end += 1
    return end == bar


@inline
def read_label_part(text: NDArray[np.uint8], start: int, bar: int) -> LabelPart:
    """Read ``label importance 'tag`` from a line's start to its first bar."""
    weight = Number(start, np.float32(1), -1)
    start, end = _next_token(text, start, bar)
    if text[start] == _QUOTE or _ends_labels(text, start, end, bar):
        return LabelPart(VwError.MISSING_LABEL, start, end, False, 0, weight)
    error, is_number, number = _read_label(text, start, end)
    label = LabelPart(error, start, end, is_number, number, weight)
    start, end = _next_token(text, end, bar)
    if error != VwError.NONE or _ends_labels(text, start, end, bar):
        return label
    weight = read_number(text, start)
    if weight.end != end:
        error = VwError.BAD_IMPORTANCE
    elif weight.value < 0:
        error = VwError.NEGATIVE_IMPORTANCE
    else:
        other, other_end = _next_token(text, end, bar)
        if not _ends_labels(text, other, other_end, bar):
            error, start = VwError.INITIAL_PREDICTION, other
    if error != VwError.NONE:
        return LabelPart(error, start, end, False, 0, weight)
    return LabelPart(error, label.start, label.end, is_number, number, weight)
