"""``label index:value ...`` lines, as libsvm, liblinear and scikit-learn write them."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.base import Source
from sstrain.data.files import Block
from sstrain.data.numbering import Numbering
from sstrain.data.reader import Reader, Rows
from sstrain.errors import UserError

if TYPE_CHECKING:
    from sstrain.kernels import SvmlightResult, SvmlightRows

__all__ = ["Svmlight", "SvmlightReader"]

_TOKEN = re.compile(rb"(?:[^ \t#\r\n]|\r(?!\n))*")
_LONGEST_SHOWN = 60

_WHOLE = "a whole number from -2^53 to 2^53"
_FEATURE = "index:value"
_SIZE = f"a number up to {np.finfo(np.float32).max:.4g}"

#: What is wrong and what was expected, by the name of the kernel's error.
_MISTAKES = {
    "MISSING_LABEL": ("no label", "label index:value ..."),
    "SEVERAL_LABELS": ("several labels", "one label a line"),
    "BAD_LABEL": ("the label is no number", _WHOLE),
    "FRACTIONAL_LABEL": ("the label is no whole number", _WHOLE),
    "HUGE_LABEL": ("the label is too large", _WHOLE),
    "MISSING_COLON": ("a feature without a colon", _FEATURE),
    "BAD_INDEX": ("the index is no whole number", _FEATURE),
    "NEGATIVE_INDEX": ("the index is negative", "an index from {lowest}"),
    "HUGE_INDEX": ("the index is too large", "an index of at most 18 digits"),
    "LOW_INDEX": ("the index is below the index base", "an index from {lowest}"),
    "REPEATED_INDEX": ("an index stands twice", "each index once in a line"),
    "BAD_VALUE": ("the value is no finite number", _FEATURE),
    "HUGE_VALUE": ("the value is too large", _SIZE),
}


class Svmlight(Source):
    """svmlight / libsvm text.

    A label is a whole number in any spelling; a line of a label alone is an example without
    features. Indices may stand in any order, but none twice in a line. ``#`` begins a comment;
    ``qid:N`` is ignored.
    """

    format: Literal["svmlight"] = "svmlight"
    #: ``auto`` is 0 if index 0 occurs in the training file, else 1; then fixed for other files.
    index_base: Literal["auto", 0, 1] = "auto"

    def reader(self, fitted: Mapping[str, Any], labelled: bool = True) -> "SvmlightReader":
        """Return a reader, with the training files' index base if they have been read."""
        base = fitted.get("index_base", self.index_base)
        return SvmlightReader(None if base == "auto" else int(base), labelled)


class SvmlightReader(Reader):
    """Parses svmlight text.

    Parameters
    ----------
    index_base : int or None
        The lowest index that is allowed; None if it is to be found.
    labelled : bool
        False where a line need not have a label, and is a row whatever it holds.
    """

    def __init__(self, index_base: int | None, labelled: bool) -> None:
        self._index_base = index_base
        self._labelled = labelled
        self._labels = Numbering()
        self._indices = Numbering()
        self._query_id_place = ""

    def read(self, block: Block) -> Rows:
        """Return the block's examples."""
        text = np.frombuffer(block.data, np.uint8)
        parsed = _room(block.num_lines, int(np.count_nonzero(text == ord(":"))))
        result = kernels.parse_svmlight(text, self._labelled, self._index_base or 0, parsed)
        if result.error:
            raise UserError(
                _message(block, result.error.name, result.position, self._index_base or 0)
            )
        if result.has_query_ids and not self._query_id_place:
            self._query_id_place = block.place(block.data.find(b"qid:"))
        _settle_uncertain(block, result, parsed)
        labels = self._labels.ids(parsed.labels[: result.num_rows])
        return Rows(
            indptr=parsed.starts[: result.num_rows + 1].copy(),
            features=self._indices.ids(parsed.indices[: result.num_entries]),
            values=parsed.values[: result.num_entries].copy(),
            labels=labels if self._labelled else np.full_like(labels, -1),
            lines=parsed.lines[: result.num_rows] + block.first_line,
        )

    @property
    def label_names(self) -> list[str]:
        """The labels as integers' shortest texts."""
        return [str(label) for label in self._labels.keys.tolist()]

    @property
    def feature_names(self) -> NDArray[np.int64]:
        """The indices, as the file has them."""
        return self._indices.keys

    def absence(self) -> str:
        """Return what was found where no example was."""
        return "found no line with a label; expected lines of label index:value ..."

    def fitted(self) -> dict[str, Any]:
        """Return the index base."""
        if self._index_base is not None:
            return {"index_base": self._index_base}
        return {"index_base": 0 if 0 in self._indices.keys else 1}

    def notes(self) -> list[str]:
        """Return a note if there are query ids."""
        return [f"qid is ignored, as in {self._query_id_place}"] if self._query_id_place else []


def _room(num_lines: int, num_colons: int) -> "SvmlightRows":
    """Return arrays for the most rows and entries that a text can hold."""
    return kernels.SvmlightRows(
        starts=np.empty(num_lines + 1, np.int64),
        lines=np.empty(num_lines, np.int64),
        labels=np.empty(num_lines, np.int64),
        indices=np.empty(num_colons, np.int64),
        values=np.empty(num_colons, np.float32),
        uncertain=np.empty((num_colons, 2), np.int64),
    )


def _settle_uncertain(block: Block, result: "SvmlightResult", parsed: "SvmlightRows") -> None:
    """Convert the values of which the kernel was not certain."""
    for entry, position in parsed.uncertain[: result.num_uncertain].tolist():
        with np.errstate(over="ignore"):
            value = np.float32(float(_token(block.data, position)))
        if np.isinf(value):
            raise UserError(_message(block, "HUGE_VALUE", position, 0))
        parsed.values[entry] = value


def _token(data: bytes, position: int) -> bytes:
    """Return the token that begins at a position; it may be empty."""
    match = _TOKEN.match(data, position)
    return match[0] if match else b""


def _message(block: Block, error: str, position: int, lowest_index: int) -> str:
    start = max(block.data.rfind(space, 0, position) for space in (b" ", b"\t", b"\n")) + 1
    token = _token(block.data, start)
    if error == "REPEATED_INDEX":
        token = _repeated(block.data[position : block.data.index(b"\n", position)])
    found = repr(token.decode(errors="backslashreplace")[:_LONGEST_SHOWN])
    problem, expected = _MISTAKES[error]
    expected = expected.format(lowest=lowest_index)
    return f"{block.place(position)}: {problem}; found {found}; expected {expected}"


def _repeated(features: bytes) -> bytes:
    """Return the first feature whose index stands in the line before it."""
    seen: set[int] = set()
    for match in _TOKEN.finditer(features.partition(b"#")[0]):
        index, colon, _ = match[0].partition(b":")
        if colon and index.isdigit():
            if int(index) in seen:
                return match[0]
            seen.add(int(index))
    return b""
