"""The records of delimited text, whose quoted fields may hold delimiters and newlines."""

import numpy as np
from numpy.typing import NDArray

from sstrain.kernels._jit import inline, kernel

__all__ = ["LONE_RETURN", "TEXT_BEHIND_QUOTE", "find_records"]

#: What stands for the number of fields of a record that is no row.
TEXT_BEHIND_QUOTE, LONE_RETURN = -1, -2

_NEWLINE, _RETURN = ord("\n"), ord("\r")


@inline
def _after_quoted(text: NDArray[np.uint8], position: int, quote: int) -> int:
    """Return the position behind the quote that closes a field; past the end if none does."""
    while position < len(text):
        if text[position] == quote:
            if position + 1 == len(text) or text[position + 1] != quote:
                return position + 1
            position += 1
        position += 1
    return len(text) + 1


@kernel
def find_records(
    text: NDArray[np.uint8],
    delimiter: int,
    quote: int,
    starts: NDArray[np.int64],
    num_fields: NDArray[np.int64],
) -> int:
    r"""Find the records of a text, as pyarrow's parser does; empty lines are none.

    A quote opens a quoted field only where a field begins; in it two quotes are one. Outside quotes
    ``\n`` or ``\r\n`` ends a record.

    Parameters
    ----------
    text : uint8 array
    delimiter, quote : int
        Bytes; a quote of -1 is no byte.
    starts : int64 array of shape [M + 1]
        Filled with where each record starts, and in the end with where the last whole one ends;
        M is at least the number of ``\n`` in the text.
    num_fields : int64 array of shape [M]
        Filled with the number of fields of each, `TEXT_BEHIND_QUOTE` where text follows a closing
        quote, or `LONE_RETURN` where a ``\r`` is not before a ``\n``.

    Returns
    -------
    int
        How many whole records there are; what follows them is not ended.
    """
    num_records = 0
    starts[0] = 0
    start, position, fields = 0, 0, 1
    begins, mistake = True, 0
    while position < len(text):
        byte = text[position]
        if begins and byte == quote:
            position = _after_quoted(text, position + 1, quote)
            if position < len(text):
                byte = text[position]
                if byte != delimiter and byte != _NEWLINE and byte != _RETURN:
                    mistake = TEXT_BEHIND_QUOTE
            begins = False
            continue
        begins = byte == delimiter
        if begins:
            fields += 1
        position += 1
        if byte == _RETURN and (position == len(text) or text[position] != _NEWLINE):
            mistake = LONE_RETURN
        if byte == _NEWLINE:
            if position - start > 2 or (position - start == 2 and text[start] != _RETURN):
                starts[num_records] = start
                num_fields[num_records] = fields if mistake == 0 else mistake
                num_records += 1
            start, fields = position, 1
            begins, mistake = True, 0
            starts[num_records] = start
    return num_records
