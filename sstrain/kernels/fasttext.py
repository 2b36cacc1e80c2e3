"""Splitting fastText's lines into words and labels."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel
from sstrain.kernels.borrowed import borrowed

__all__ = ["FasttextError", "FasttextResult", "FasttextRows", "split_fasttext"]

_TAB, _NEWLINE, _RETURN, _SPACE = 9, 10, 13, 32


class FasttextError(IntEnum):
    """What is wrong with the line at which the parser stopped."""

    NONE = 0
    MISSING_LABEL = 1
    SEVERAL_LABELS = 2
    EMPTY_LABEL = 3


class FasttextRows(NamedTuple):
    """Where the parser writes: R is at most the number of lines, W that of white space."""

    lines: NDArray[np.int64]  # [R], the line of each row, from 0
    first_words: NDArray[np.int64]  # [R + 1], where each row's words begin
    first_labels: NDArray[np.int64]  # [R + 1]
    word_starts: NDArray[np.int64]  # [W]
    word_ends: NDArray[np.int64]  # [W]
    label_starts: NDArray[np.int64]  # [W], behind the prefix
    label_ends: NDArray[np.int64]  # [W]


class FasttextResult(NamedTuple):
    """How far the parser came, and the first mistake."""

    num_rows: int
    num_words: int
    num_labels: int
    error: FasttextError
    position: int  # the line's end, or that of the token that is wrong


@inline
def _is_space(byte: int) -> bool:
    """Return whether fastText splits at a byte; the newline is one of them."""
    return byte == _SPACE or _TAB <= byte <= _RETURN


@inline
def _has_prefix(text: NDArray[np.uint8], start: int, end: int, prefix: NDArray[np.uint8]) -> bool:
    if end - start < len(prefix):
        return False
    for offset in range(len(prefix)):
        if text[start + offset] != prefix[offset]:
            return False
    return True


@inline
def _read_tokens(
    text: NDArray[np.uint8],
    position: int,
    prefix: NDArray[np.uint8],
    out: FasttextRows,
    so_far: FasttextResult,
) -> FasttextResult:
    """Add the words and labels of a line to the result so far, which ends at the line's end."""
    row, word, label, error, _ = so_far
    while text[position] != _NEWLINE:
        start = position
        while not _is_space(text[position]):
            position += 1
        if position == start:
            position += 1
        elif _has_prefix(text, start, position, prefix):
            out.label_starts[label] = start + len(prefix)
            out.label_ends[label] = position
            label += 1
        else:
            out.word_starts[word] = start
            out.word_ends[word] = position
            word += 1
    return FasttextResult(row, word, label, error, position)


@inline
def _mistake(
    out: FasttextRows, before: FasttextResult, after: FasttextResult, one_label: bool
) -> tuple[FasttextError, int]:
    """Return what is wrong with a row's labels, and where."""
    first, end = before.num_labels, after.num_labels
    if first == end:
        return FasttextError.MISSING_LABEL, out.word_starts[before.num_words]
    for label in range(first, end):
        if out.label_starts[label] == out.label_ends[label]:
            return FasttextError.EMPTY_LABEL, out.label_starts[label]
        if label > first and one_label:
            return FasttextError.SEVERAL_LABELS, out.label_starts[label]
    return FasttextError.NONE, after.position


@kernel
def split_fasttext(
    text: NDArray[np.uint8],
    prefix: NDArray[np.uint8],
    labelled: bool,
    one_label: bool,
    out: FasttextRows,
) -> FasttextResult:
    """Find the words and labels of lines, up to the end or the first mistake.

    Parameters
    ----------
    text : uint8 array
        Whole lines, the last one ended by a newline too.
    prefix : uint8 array
        What a label begins with.
    labelled : bool
        Whether a line that is not blank must have a label, and a blank one is no row. If not, every
        line is a row.
    one_label : bool
        Whether a second label is a mistake.
    out : FasttextRows
        Filled in place.

    Returns
    -------
    FasttextResult
        At a mistake, the position is that of the first word where there is no label, else that
        behind the wrong label's prefix.
    """
    text, prefix = borrowed(text), borrowed(prefix)
    out = FasttextRows(
        borrowed(out.lines),
        borrowed(out.first_words),
        borrowed(out.first_labels),
        borrowed(out.word_starts),
        borrowed(out.word_ends),
        borrowed(out.label_starts),
        borrowed(out.label_ends),
    )
    result = FasttextResult(0, 0, 0, FasttextError.NONE, 0)
    position, line = 0, 0
    while position < len(text) and result.error == FasttextError.NONE:
        after = _read_tokens(text, position, prefix, out, result)
        position = after.position + 1
        row, word, label, error, place = after
        is_blank = word == result.num_words and label == result.num_labels
        if not (labelled and is_blank):
            out.lines[row] = line
            out.first_words[row], out.first_labels[row] = result.num_words, result.num_labels
            if labelled:
                error, place = _mistake(out, result, after, one_label)
            result = FasttextResult(row + 1, word, label, error, place)
        line += 1
    rows = result.num_rows
    out.first_words[rows], out.first_labels[rows] = result.num_words, result.num_labels
    return result
