"""What is said of a line of svmlight or xc text that does not parse."""

import re
from typing import TYPE_CHECKING

import numpy as np

from sstrain.data.bad_lines import BadLineError
from sstrain.data.blocks import Block

if TYPE_CHECKING:
    from sstrain.kernels import SvmlightOptions

__all__ = ["mistake", "token_at"]

# Possessive, since the places to step back to would take more memory than a long token.
_TOKEN = re.compile(rb"(?:[^ \t#\r\n]++|\r(?!\n))*+")
_LABEL = re.compile(rb"(?:[^ \t#\r\n,]++|\r(?!\n))*+")
_LABELS = re.compile(rb"[^ \t#\r\n,]*+(?:,[ \t]*+[^ \t#\r\n,]*+)*+")

_WHOLE = "a whole number from -2^53 to 2^53"
_FEATURE = "index:value"
_INDEX_RANGE = "an index from {0.lowest_index} to {0.highest_index}"
_LABEL_RANGE = "a label from {0.lowest_label} to {0.highest_label}"

#: What is wrong, what was expected, and what is shown, by the name of the kernel's error.
_MISTAKES = {
    "MISSING_LABEL": ("no label", "label index:value ...", _TOKEN),
    "SEVERAL_LABELS": ("several labels", "one label, or multilabel: first or split", _LABELS),
    "BAD_LABEL": ("the label is no number", _WHOLE, _LABEL),
    "FRACTIONAL_LABEL": ("the label is no whole number", _WHOLE, _LABEL),
    "HUGE_LABEL": ("the label is too large", _WHOLE, _LABEL),
    "LOW_LABEL": ("the label is negative", _LABEL_RANGE, _LABEL),
    "HIGH_LABEL": ("the label is not below the header's count", _LABEL_RANGE, _LABEL),
    "MISSING_COLON": ("a feature without a colon", _FEATURE, _TOKEN),
    "BAD_INDEX": ("the index is no whole number", _FEATURE, _TOKEN),
    "NEGATIVE_INDEX": ("the index is negative", "an index from {0.lowest_index}", _TOKEN),
    "HUGE_INDEX": ("the index is too large", "an index of at most 18 digits", _TOKEN),
    "LOW_INDEX": ("the index is below the index base", "an index from {0.lowest_index}", _TOKEN),
    "HIGH_INDEX": ("the index is not below the header's count", _INDEX_RANGE, _TOKEN),
    "REPEATED_INDEX": ("an index stands twice", "each index once in a line", _TOKEN),
    "BAD_VALUE": ("the value is no finite number", _FEATURE, _TOKEN),
    "HUGE_VALUE": (
        "the value is too large",
        f"a number up to {np.finfo(np.float32).max:.4g}",
        _TOKEN,
    ),
}


def token_at(data: bytes, position: int) -> bytes:
    """Return the token that begins at a position; it may be empty."""
    return _matched(_TOKEN, data, position)


def mistake(block: Block, error: str, position: int, options: "SvmlightOptions") -> BadLineError:
    """Return the error of a block's first bad line.

    Parameters
    ----------
    block : Block
    error : str
        The name of the kernel's error.
    position : int
        Where the kernel stopped.
    options : SvmlightOptions
        What the lines may hold.
    """
    problem, expected, shown = _MISTAKES[error]
    if shown is _TOKEN:  # in a feature the kernel stops at its value
        position = 1 + max(block.data.rfind(blank, 0, position) for blank in (b" ", b"\t", b"\n"))
    if error == "REPEATED_INDEX":
        position = _repeated(block.data, position)
    found = _matched(shown, block.data, position)
    return block.bad(position, problem, found, expected.format(options))


def _repeated(data: bytes, start: int) -> int:
    """Return where the first feature is whose index stands in the line before it."""
    seen: set[int] = set()
    line = data[start : data.index(b"\n", start)].partition(b"#")[0]
    for match in _TOKEN.finditer(line):
        index, colon, _ = match[0].partition(b":")
        if colon and index.isdigit():
            if int(index) in seen:
                return start + match.start()
            seen.add(int(index))
    return start


def _matched(pattern: re.Pattern[bytes], data: bytes, position: int) -> bytes:
    match = pattern.match(data, position)
    return match[0] if match else b""
