"""Vowpal Wabbit's text: ``label importance 'tag|namespace:scale feature:value ...``."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.bad_lines import BadLineError
from sstrain.data.base import Source
from sstrain.data.blocks import Block
from sstrain.data.formats.bad_bytes import raise_first, unreadable
from sstrain.data.numbering import NameTable, Numbering, name_ids
from sstrain.data.reader import FeatureNames, LineReader, Rows, summed_repeats
from sstrain.data.sample import Sample

if TYPE_CHECKING:
    from sstrain.kernels import VwResult, VwRows

__all__ = ["Vw", "VwReader"]

_LINE = "label importance 'tag|namespace feature:value ..."
_LABEL = "one label, a whole number from -2^53 to 2^53 or a name"
_IMPORTANCE = "an importance, a finite number from 0 on"
_NAMESPACE = "a namespace's name of at most 255 bytes behind the |, or a space"
_NUMBER = "a number of at most 1e30"

_TOKEN = re.compile(rb"[^ \t\r\n|]*")
#: A label, an importance perhaps, and a tag perhaps, which begins with ' or touches the bar.
_ROW = re.compile(rb" *[^\s|:']+(?: +[-+.\deE]+)?(?: +| +'?[^\s|]+| +'[^\s|]* +)\|.*", re.DOTALL)
#: Above all numbers that are labels, from which names are numbered.
_FIRST_NAME = 1 << 60

#: What is wrong and what was expected, by the name of the kernel's error.
_MISTAKES = {
    "MISSING_BAR": ("no |", _LINE),
    "MISSING_LABEL": ("no label (what touches the | is a tag)", _LINE),
    "SEVERAL_LABELS": ("several labels", _LABEL),
    "COSTS": ("a label with costs", _LABEL),
    "NOT_FINITE_LABEL": ("the label is not finite", _LABEL),
    "FRACTIONAL_LABEL": ("the label is no whole number", _LABEL),
    "HUGE_LABEL": ("the label is too large", _LABEL),
    "BAD_IMPORTANCE": ("the importance is no finite number", _IMPORTANCE),
    "NEGATIVE_IMPORTANCE": ("the importance is negative", _IMPORTANCE),
    "INITIAL_PREDICTION": ("more than a label and an importance", _LINE),
    "TAB": ("a TAB before the |, up to which Vowpal Wabbit leaves the line out", "spaces"),
    "STRAY_RETURN": ("a carriage return inside a line", "lines that end with LF or CRLF"),
    "EMPTY_NAMESPACE": ("a namespace without a name", _NAMESPACE),
    "LONG_NAMESPACE": ("the namespace's name is too long", _NAMESPACE),
    "BAD_SCALE": ("the namespace's scale is no finite number, or too large", _NUMBER),
    "EMPTY_NAME": ("a feature without a name", "feature or feature:value"),
    "BAD_VALUE": ("the value is no finite number, or too large", _NUMBER),
}


class Vw(Source):
    """Vowpal Wabbit's lines for multiclass learning.

    A label is a name or a whole number in any spelling; the importance is the example's weight, the
    tag is ignored. A feature is named ``namespace^feature``, one of the default namespace
    ``feature``, and its value is multiplied by the namespace's scale.
    """

    format: Literal["vw"] = "vw"

    def reader(self, fitted: Mapping[str, Any], labelled: bool = True) -> "VwReader":
        """Return a reader."""
        return VwReader(fitted.get("hash_bits"), labelled)

    @classmethod
    def fitting_lines(cls, sample: Sample) -> dict[int, bool]:
        """Return which lines have a label part and a bar."""
        return sample.tried(_ROW.fullmatch) if sample.is_text else {}


class VwReader(LineReader):
    """Parses Vowpal Wabbit's text.

    Parameters
    ----------
    hash_bits : int or None
        Features are hashed to 2^bits buckets; None: their names are kept.
    labelled : bool
        False where what stands before the bar is ignored, and every line is a row.
    """

    def __init__(self, hash_bits: int | None, labelled: bool) -> None:
        self._labelled = labelled
        self._labels = _Labels()
        self._features = name_ids(hash_bits)

    def read(self, block: Block) -> Rows:
        """Return the block's examples."""
        text = np.frombuffer(block.data, np.uint8)
        parsed = _room(text, block.num_lines)
        result = kernels.parse_vw(text, self._labelled, parsed)
        mistake = _mistake(block, result.error.name, result.position) if result.error else None
        uncertain, too_large = _settle(block, result, parsed), _scale(block, result, parsed)
        raise_first(unreadable(block), mistake, uncertain, too_large)
        num_rows = result.num_rows
        return Rows(
            *summed_repeats(*self._entries(text, parsed, result), block.name),
            labels=self._label_ids(text, parsed, num_rows),
            lines=parsed.lines[:num_rows] + block.first_line,
            weights=parsed.weights[:num_rows].copy(),
        )

    def _entries(
        self, text: NDArray[np.uint8], parsed: "VwRows", result: "VwResult"
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
        """Return the rows' features; those of value 0 are none, as in Vowpal Wabbit."""
        kept = np.flatnonzero(parsed.values[: result.num_entries])
        indptr = np.searchsorted(kept, parsed.indptr[: result.num_rows + 1])
        starts, ends = parsed.starts[kept], parsed.ends[kept]
        namespaces = (parsed.namespaces[kept], parsed.namespace_starts, parsed.namespace_ends)
        lengths = (parsed.namespace_ends - parsed.namespace_starts)[namespaces[0]]
        num_bytes = int((ends - starts).sum() + lengths.sum() + np.count_nonzero(lengths))
        names = np.empty(num_bytes, np.uint8)
        kernels.join_names(text, namespaces, starts, ends, names)
        return indptr, self._features.ids_in(names, starts, ends), parsed.values[kept]

    def _label_ids(
        self, text: NDArray[np.uint8], parsed: "VwRows", num_rows: int
    ) -> NDArray[np.int32]:
        if not self._labelled:
            return np.full(num_rows, -1, np.int32)
        numbers, starts = parsed.labels[:num_rows], parsed.label_starts[:num_rows]
        return self._labels.ids(numbers, text, starts, parsed.label_ends[:num_rows])

    @property
    def label_names(self) -> list[str]:
        """The labels; whole numbers as integers' shortest texts."""
        return self._labels.names

    @property
    def feature_names(self) -> FeatureNames:
        """``namespace^feature`` or ``feature``; or the buckets."""
        return self._features.names

    def absence(self) -> str:
        """Return what was found where no example was."""
        return f"found no line with a label; expected lines of {_LINE}"


class _Labels:
    """Ids of labels, in the order of first sight: of whole numbers and of names."""

    def __init__(self) -> None:
        self._names = NameTable()
        self._keys = Numbering()

    def ids(
        self,
        numbers: NDArray[np.int64],
        text: NDArray[np.uint8],
        starts: NDArray[np.int64],
        ends: NDArray[np.int64],
    ) -> NDArray[np.int32]:
        """Return the id of each label: a number's, where a name's start is -1, or a name's."""
        keys = numbers.copy()
        named = np.flatnonzero(starts >= 0)
        keys[named] = _FIRST_NAME + self._names.ids_in(text, starts[named], ends[named]).astype(
            np.int64
        )
        return self._keys.ids(keys)

    @property
    def names(self) -> list[str]:
        """The labels by their ids."""
        names = self._names.names
        keys = self._keys.keys.tolist()
        return [str(key) if key < _FIRST_NAME else names[key - _FIRST_NAME] for key in keys]


def _room(text: NDArray[np.uint8], num_lines: int) -> "VwRows":
    """Return arrays for the most rows, namespaces and features that a text can hold."""
    num_spaces = int(np.count_nonzero(text <= ord(" ")))
    num_bars = int(np.count_nonzero(text == ord("|")))
    num_colons = int(np.count_nonzero(text == ord(":")))
    return kernels.VwRows(
        lines=np.empty(num_lines, np.int64),
        indptr=np.empty(num_lines + 1, np.int64),
        labels=np.empty(num_lines, np.int64),
        label_starts=np.empty(num_lines, np.int64),
        label_ends=np.empty(num_lines, np.int64),
        weights=np.empty(num_lines, np.float32),
        namespace_starts=np.zeros(num_bars, np.int64),
        namespace_ends=np.zeros(num_bars, np.int64),
        scales=np.empty(num_bars, np.float32),
        namespaces=np.empty(num_spaces, np.int32),
        starts=np.empty(num_spaces, np.int64),
        ends=np.empty(num_spaces, np.int64),
        values=np.empty(num_spaces, np.float32),
        uncertain=np.empty((num_colons + num_lines, 3), np.int64),
    )


def _settle(block: Block, result: "VwResult", parsed: "VwRows") -> BadLineError | None:
    """Convert the numbers of which the kernel was not certain, up to the first mistake."""
    arrays = (parsed.values, parsed.scales, parsed.weights)
    errors = ("BAD_VALUE", "BAD_SCALE", "BAD_IMPORTANCE")
    for array, index, position in parsed.uncertain[: result.num_uncertain].tolist():
        with np.errstate(over="ignore"):
            number = np.float32(float(_token(block.data, position)))
        arrays[array][index] = number
        if np.isinf(number):
            return _mistake(block, errors[array], position)
    return None


def _scale(block: Block, result: "VwResult", parsed: "VwRows") -> BadLineError | None:
    """Multiply the values by their namespaces' scales; return the first that is too large."""
    values = parsed.values[: result.num_entries]
    with np.errstate(over="ignore", invalid="ignore"):
        values *= parsed.scales[parsed.namespaces[: result.num_entries]]
        too_large = np.abs(values) > kernels.LARGEST_VW_VALUE
    if not too_large.any():
        return None
    return _mistake(block, "BAD_VALUE", int(parsed.starts[too_large.argmax()]))


def _mistake(block: Block, error: str, position: int) -> BadLineError:
    problem, expected = _MISTAKES[error]
    return block.bad(position, problem, _token(block.data, position), expected)


def _token(data: bytes, position: int) -> bytes:
    """Return the token that begins at a position; what ends it where it is empty."""
    match = _TOKEN.match(data, position)
    return match[0] if match and match[0] else data[position : position + 1].strip(b"\n")
