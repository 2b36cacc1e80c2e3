"""Parsing svmlight and xc text: a buffer of bytes in, CSR rows out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel
from sstrain.kernels.borrowed import borrowed
from sstrain.kernels.sorting import sort_entries
from sstrain.kernels.svmlight_tokens import (
    SvmlightError,
    after_comma,
    ends_line,
    read_feature,
    read_label,
    skip_labels,
    skip_spaces,
    token_has_colon,
)

__all__ = ["SvmlightOptions", "SvmlightResult", "SvmlightRows", "parse_svmlight"]

_NEWLINE, _HASH = 10, 35


class SvmlightOptions(NamedTuple):
    """What a line may hold."""

    labelled: bool  # if not, labels are skipped where there are any, and every line is a row
    one_label: bool  # whether several labels are a mistake
    all_labels: bool  # whether all of several labels are kept, or the first alone
    unlabelled_rows: bool  # whether a line that begins with a blank or a feature has no labels
    lowest_index: int
    highest_index: int
    lowest_label: int
    highest_label: int


class SvmlightRows(NamedTuple):
    """Where the parser writes: room for as many rows as lines, M entries as colons.

    Room for labels: one a line, and with ``all_labels`` one a comma besides.
    """

    starts: NDArray[np.int64]  # [R + 1], each row's first entry
    lines: NDArray[np.int64]  # [R], the line of each row, from 0
    label_starts: NDArray[np.int64]  # [R + 1], each row's first label
    labels: NDArray[np.int64]  # [L], a repeated one as often as it stands there
    indices: NDArray[np.int64]  # [M], as the file has them
    values: NDArray[np.float32]  # [M]
    uncertain: NDArray[np.int64]  # [M, 2], entries left to the caller, and where their values begin


class SvmlightResult(NamedTuple):
    """How far the parser came, and the first mistake."""

    num_rows: int
    num_labels: int
    num_entries: int
    num_uncertain: int
    has_query_ids: bool
    error: SvmlightError
    position: int  # of what is wrong


@inline
def _read_labels(
    text: NDArray[np.uint8],
    start: int,
    options: SvmlightOptions,
    labels: NDArray[np.int64],
    num_labels: int,
) -> tuple[SvmlightError, int, int]:
    """Read ``3`` or ``3,7`` or ``3, 7``.

    Returns
    -------
    error, position, num_labels
        The position is that after the labels, or that of the mistake.
    """
    first, position, following = num_labels, start, start
    while following >= 0:
        error, position, label = read_label(
            text, following, options.lowest_label, options.highest_label
        )
        if error != SvmlightError.NONE:
            if position == start and token_has_colon(text, start):
                error = SvmlightError.MISSING_LABEL
            return error, position, num_labels
        if num_labels == first or options.all_labels:
            labels[num_labels] = label
            num_labels += 1
        elif options.one_label and label != labels[first]:
            return SvmlightError.SEVERAL_LABELS, start, num_labels
        following = after_comma(text, position)
    return SvmlightError.NONE, position, num_labels


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
    options: SvmlightOptions,
    out: SvmlightRows,
    so_far: SvmlightResult,
) -> SvmlightResult:
    """Read a row's features up to the line's end, and add them to the result so far."""
    row_position = position
    num_rows, num_labels, entry, num_uncertain, has_query_ids, error, _ = so_far
    previous, in_order = -1, True
    while error == SvmlightError.NONE:
        position = skip_spaces(text, position)
        if ends_line(text, position):
            break
        feature = read_feature(text, position, options.lowest_index, options.highest_index)
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
    return SvmlightResult(
        num_rows + 1, num_labels, entry, num_uncertain, has_query_ids, error, position
    )


@inline
def _read_row(
    text: NDArray[np.uint8],
    position: int,
    line: int,
    options: SvmlightOptions,
    out: SvmlightRows,
    so_far: SvmlightResult,
) -> SvmlightResult:
    """Read a row from its first token to the line's end, and add it to the result so far."""
    row, num_labels, num_entries, num_uncertain, has_query_ids, error, _ = so_far
    out.starts[row] = num_entries
    out.lines[row] = line
    out.label_starts[row] = num_labels
    if not options.labelled:
        position = skip_labels(text, position)
    elif not (
        options.unlabelled_rows and (ends_line(text, position) or token_has_colon(text, position))
    ):
        error, position, num_labels = _read_labels(text, position, options, out.labels, num_labels)
    so_far = SvmlightResult(
        row, num_labels, num_entries, num_uncertain, has_query_ids, error, position
    )
    if error != SvmlightError.NONE:
        return so_far
    return _read_features(text, position, options, out, so_far)


@kernel
def parse_svmlight(
    text: NDArray[np.uint8], options: SvmlightOptions, out: SvmlightRows
) -> SvmlightResult:
    """Parse lines of svmlight text up to the end or the first mistake.

    Parameters
    ----------
    text : uint8 array
        Whole lines, the last one ended by a newline too.
    options : SvmlightOptions
    out : SvmlightRows
        Filled in place. A value is the float64 that is nearest to what the text says, rounded to
        float32; the rare ones of which that is not certain are listed for the caller.

    Returns
    -------
    SvmlightResult
        At a mistake, the position is that of the label or the value that is wrong, the first label
        where there are several, the token in all other cases; for an index that stands twice, that
        of the row's features.
    """
    text = borrowed(text)
    out = SvmlightRows(
        borrowed(out.starts),
        borrowed(out.lines),
        borrowed(out.label_starts),
        borrowed(out.labels),
        borrowed(out.indices),
        borrowed(out.values),
        borrowed(out.uncertain),
    )
    result = SvmlightResult(0, 0, 0, 0, False, SvmlightError.NONE, 0)
    position, line = 0, 0
    while position < len(text) and result.error == SvmlightError.NONE:
        start = position
        position = skip_spaces(text, start)
        is_empty_row = options.unlabelled_rows and position > start and text[position] != _HASH
        if is_empty_row or not options.labelled or not ends_line(text, position):
            result = _read_row(text, position, line, options, out, result)
            position = result.position
        while text[position] != _NEWLINE:
            position += 1
        position += 1
        line += 1
    out.starts[result.num_rows] = result.num_entries
    out.label_starts[result.num_rows] = result.num_labels
    return result
