"""Parsing Vowpal Wabbit's text: a buffer of bytes in, CSR rows out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel
from sstrain.kernels.borrowed import borrowed
from sstrain.kernels.vw_labels import find_bar, read_label_part
from sstrain.kernels.vw_tokens import (
    LARGEST_VW_VALUE,
    SCALES,
    VALUES,
    WEIGHTS,
    VwError,
    VwResult,
    VwRows,
    ends_line,
    ends_token,
    note_uncertain,
    read_number,
)

__all__ = ["join_names", "parse_vw"]

_TAB, _NEWLINE, _SPACE, _COLON, _CARET, _BAR = 9, 10, 32, 58, 94, 124
_LONGEST_NAMESPACE = 255
_ONE = np.float32(1)


@inline
def _name_end(text: NDArray[np.uint8], position: int) -> int:
    while text[position] != _COLON and not ends_token(text, position):
        position += 1
    return position


class _Namespace(NamedTuple):
    error: VwError
    position: int  # the position after it, or that of the mistake
    end: int  # the position after its name
    scale: np.float32
    uncertain: int  # where a scale that is left to the caller begins, or -1


@inline
def _read_namespace(text: NDArray[np.uint8], start: int) -> _Namespace:
    """Read the ``ns:scale`` behind a bar."""
    end = start if ends_token(text, start) else _name_end(text, start)
    if end - start > _LONGEST_NAMESPACE:
        return _Namespace(VwError.LONG_NAMESPACE, start, end, _ONE, -1)
    if text[end] != _COLON:
        return _Namespace(VwError.NONE, end, end, _ONE, -1)
    if end == start:
        return _Namespace(VwError.EMPTY_NAMESPACE, start, end, _ONE, -1)
    number = read_number(text, end + 1)
    if number.end < 0 or abs(number.value) > LARGEST_VW_VALUE:
        return _Namespace(VwError.BAD_SCALE, end + 1, end, _ONE, -1)
    return _Namespace(VwError.NONE, number.end, end, number.value, number.uncertain)


class _Feature(NamedTuple):
    error: VwError
    position: int  # the position after it, or that of the mistake
    end: int  # the position after its name
    value: np.float32
    uncertain: int  # where a value that is left to the caller begins, or -1


@inline
def _read_feature(text: NDArray[np.uint8], start: int) -> _Feature:
    """Read ``feature`` or ``feature:value``."""
    end = _name_end(text, start)
    if end == start:
        error = VwError.EMPTY_NAME if text[start] == _COLON else VwError.STRAY_RETURN
        return _Feature(error, start, end, _ONE, -1)
    if text[end] != _COLON:
        return _Feature(VwError.NONE, end, end, _ONE, -1)
    number = read_number(text, end + 1)
    if number.end < 0 or abs(number.value) > LARGEST_VW_VALUE:
        return _Feature(VwError.BAD_VALUE, end + 1, end, _ONE, -1)
    return _Feature(VwError.NONE, number.end, end, number.value, number.uncertain)


@inline
def _read_features(text: NDArray[np.uint8], out: VwRows, so_far: VwResult) -> VwResult:
    """Read all from a line's first bar to its end."""
    row, entry, namespace, num_uncertain, error, position = so_far
    while error == VwError.NONE:
        if text[position] == _SPACE or text[position] == _TAB:
            position += 1
        elif text[position] == _BAR:
            start = position + 1
            error, position, end, scale, uncertain = _read_namespace(text, start)
            out.namespace_starts[namespace], out.namespace_ends[namespace] = start, end
            out.scales[namespace] = scale
            if uncertain >= 0:
                num_uncertain = note_uncertain(
                    out.uncertain, num_uncertain, SCALES, namespace, uncertain
                )
            namespace += 1
        elif ends_line(text, position):
            break
        else:
            start = position
            error, position, end, value, uncertain = _read_feature(text, start)
            if error != VwError.NONE:
                break
            out.namespaces[entry] = namespace - 1
            out.starts[entry], out.ends[entry], out.values[entry] = start, end, value
            if uncertain >= 0:
                num_uncertain = note_uncertain(
                    out.uncertain, num_uncertain, VALUES, entry, uncertain
                )
            entry += 1
    return VwResult(row, entry, namespace, num_uncertain, error, position)


@inline
def _read_row(
    text: NDArray[np.uint8], start: int, line: int, labelled: bool, out: VwRows, so_far: VwResult
) -> VwResult:
    """Read a line, and add it to the result so far."""
    row, entry, namespace, num_uncertain, _, _ = so_far
    out.lines[row], out.indptr[row], out.weights[row] = line, entry, _ONE
    out.labels[row], out.label_starts[row], out.label_ends[row] = 0, -1, -1
    error, bar = find_bar(text, start, labelled)
    if error != VwError.NONE:
        return VwResult(row + 1, entry, namespace, num_uncertain, error, bar)
    if labelled:
        label = read_label_part(text, start, bar)
        if label.error != VwError.NONE:
            return VwResult(row + 1, entry, namespace, num_uncertain, label.error, label.start)
        if label.is_number:
            out.labels[row] = label.number
        else:
            out.label_starts[row], out.label_ends[row] = label.start, label.end
        out.weights[row] = label.weight.value
        if label.weight.uncertain >= 0:
            num_uncertain = note_uncertain(
                out.uncertain, num_uncertain, WEIGHTS, row, label.weight.uncertain
            )
    so_far = VwResult(row + 1, entry, namespace, num_uncertain, error, bar)
    return _read_features(text, out, so_far)


@inline
def _is_blank(text: NDArray[np.uint8], position: int) -> bool:
    while text[position] == _SPACE or text[position] == _TAB:
        position += 1
    return ends_line(text, position)


@kernel
def parse_vw(text: NDArray[np.uint8], labelled: bool, out: VwRows) -> VwResult:
    """Parse lines of Vowpal Wabbit's text up to the end or the first mistake.

    Parameters
    ----------
    text : uint8 array
        Whole lines, the last one ended by a newline too.
    labelled : bool
        Whether lines must have a label, and blank ones are no row. If not, what stands before the
        first bar is skipped, and every line is a row.
    out : VwRows
        Filled in place. Values are as the text has them, not yet multiplied by their namespace's
        scale. A number is the float64 that is nearest to what the text says, rounded to float32;
        the rare ones of which that is not certain are listed for the caller.

    Returns
    -------
    VwResult
        At a mistake, the position is that of the token or of the number that is wrong.
    """
    text = borrowed(text)
    out = VwRows(
        borrowed(out.lines),
        borrowed(out.indptr),
        borrowed(out.labels),
        borrowed(out.label_starts),
        borrowed(out.label_ends),
        borrowed(out.weights),
        borrowed(out.namespace_starts),
        borrowed(out.namespace_ends),
        borrowed(out.scales),
        borrowed(out.namespaces),
        borrowed(out.starts),
        borrowed(out.ends),
        borrowed(out.values),
        borrowed(out.uncertain),
    )
    result = VwResult(0, 0, 0, 0, VwError.NONE, 0)
    position, line = 0, 0
    while position < len(text) and result.error == VwError.NONE:
        if not _is_blank(text, position):
            result = _read_row(text, position, line, labelled, out, result)
            position = result.position
        elif not labelled:
            row = result.num_rows
            out.lines[row], out.indptr[row], out.weights[row] = line, result.num_entries, _ONE
            result = VwResult(row + 1, *result[1:])
        while text[position] != _NEWLINE:
            position += 1
        position += 1
        line += 1
    out.indptr[result.num_rows] = result.num_entries
    return result


@kernel
def join_names(
    text: NDArray[np.uint8],
    namespaces: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    names: NDArray[np.uint8],
) -> None:
    """Write each feature's full name, ``namespace^feature``, one behind the other.

    Parameters
    ----------
    text : uint8 array
    namespaces : tuple of arrays
        The namespace of each feature (int32 of shape [N]), and where namespaces start and end
        (int64 of shape [S]); a feature of an empty one has no ``^``.
    starts, ends : int64 arrays of shape [N]
        Where each feature's name stands in the text; where the full name stands afterwards.
    names : uint8 array
        Long enough for all of them.
    """
    numbers, namespace_starts, namespace_ends = namespaces
    place = 0
    for i in range(len(starts)):
        first = place
        start, end = namespace_starts[numbers[i]], namespace_ends[numbers[i]]
        for position in range(start, end):
            names[place] = text[position]
            place += 1
        if end > start:
            names[place] = _CARET
            place += 1
        for position in range(starts[i], ends[i]):
            names[place] = text[position]
            place += 1
        starts[i], ends[i] = first, place
