"""``label index:value ...`` lines, as libsvm, liblinear and scikit-learn write them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.ahead import ahead
from sstrain.data.bad_lines import BadLineError
from sstrain.data.base import MultiLabelSource
from sstrain.data.blocks import Block
from sstrain.data.formats.svmlight_mistakes import mistake, token_at
from sstrain.data.numbering import Numbering, number_ids
from sstrain.data.reader import LineReader, Rows, each_once, summed_repeats
from sstrain.data.reading import Reading
from sstrain.data.sample import Sample

if TYPE_CHECKING:
    from sstrain.kernels import SvmlightOptions, SvmlightResult, SvmlightRows

__all__ = ["ROW_PATTERN", "LabelledLines", "Parsed", "Svmlight", "SvmlightReader"]

_LABEL = rb"[-+]?[\d.]+(?:[eE][-+]?\d+)?"
#: A line with labels, or none where it begins with a blank, and features, query ids, a comment.
ROW_PATTERN = re.compile(
    rb"(?:\s*%b(?:,\s*%b)*|(?=\s))(?:\s+(?:qid|\d+):[^\s#]+)*\s*(?:#.*)?" % (_LABEL, _LABEL)
)
_LARGEST_INDEX = 10**18 - 1
_LARGEST_LABEL = 2**53


class Svmlight(MultiLabelSource):
    """svmlight / libsvm text.

    A label is a whole number in any spelling, several are ``3,7`` or ``3, 7``; a line of a label
    alone is an example without features. Indices may stand in any order, but none twice in a line.
    ``#`` begins a comment; ``qid:N`` is ignored.
    """

    format: Literal["svmlight"] = "svmlight"
    #: ``auto`` is 0 if index 0 occurs in the training file, else 1; then fixed for other files.
    index_base: Literal["auto", 0, 1] = "auto"

    def reader(self, fitted: Mapping[str, Any], labelled: bool = True) -> "SvmlightReader":
        """Return a reader, with the training files' index base if they have been read."""
        base = fitted.get("index_base", self.index_base)
        return SvmlightReader(self, fitted, labelled, None if base == "auto" else int(base))

    @classmethod
    def fitting_lines(cls, sample: Sample) -> dict[int, bool]:
        """Return which lines are labels and ``index:value`` pairs; one pair at least there is."""
        tried = sample.tried(ROW_PATTERN.fullmatch)
        rows = {line: fits for line, fits in tried.items() if _content(sample, line)}
        has_pairs = any(fits and b":" in _content(sample, line) for line, fits in rows.items())
        return rows if has_pairs else {}


@dataclass(frozen=True)
class Parsed:
    """A block as the kernel has parsed it, up to the first mistake."""

    block: Block
    options: "SvmlightOptions"
    result: "SvmlightResult"
    rows: "SvmlightRows"


class LabelledLines(LineReader):
    """Parses lines of labels and ``index:value`` pairs.

    Parameters
    ----------
    source : MultiLabelSource
    fitted : mapping
        As `Source.reader` is given it.
    labelled : bool
        False where a line need not have a label, and is a row whatever it holds.
    """

    def __init__(self, source: MultiLabelSource, fitted: Mapping[str, Any], labelled: bool) -> None:
        self._multilabel = source.multilabel
        self._labelled = labelled
        self._hashed = fitted.get("hash_bits") is not None
        self._labels = Numbering()
        self._indices = number_ids(fitted.get("hash_bits"))
        self._query_id_place = ""

    def options(self, block: Block) -> "SvmlightOptions":
        """Return what a block's lines may hold; called from two threads."""
        return kernels.SvmlightOptions(
            labelled=self._labelled,
            one_label=self._multilabel == "error",
            all_labels=self._multilabel == "split",
            unlabelled_rows=self._multilabel == "split",
            lowest_index=0,
            highest_index=_LARGEST_INDEX,
            lowest_label=-_LARGEST_LABEL,
            highest_label=_LARGEST_LABEL,
        )

    def parsed(self, block: Block) -> Parsed:
        """Parse a block, which changes nothing of the reader: it may run in another thread."""
        text = np.frombuffer(block.data, np.uint8)
        options = self.options(block)
        num_commas = int(np.count_nonzero(text == ord(","))) if options.all_labels else 0
        num_colons = int(np.count_nonzero(text == ord(":")))
        rows = _room(block.num_lines, block.num_lines + num_commas, num_colons)
        return Parsed(block, options, kernels.parse_svmlight(text, options, rows), rows)

    def taken(self, parsed: Parsed) -> Rows:
        """Return a parsed block's examples, with its labels and features numbered.

        Raises
        ------
        BadLineError
            For the first bad line, with nothing of the block taken in yet.
        """
        block, result, rows = parsed.block, parsed.result, parsed.rows
        if result.error:
            raise mistake(block, result.error.name, result.position, parsed.options)
        _settle_uncertain(parsed)
        if result.has_query_ids and not self._query_id_place:
            self._query_id_place = block.place(block.data.find(b"qid:"))
        indptr = rows.starts[: result.num_rows + 1].copy()
        features = self._indices.ids(rows.indices[: result.num_entries])
        values = rows.values[: result.num_entries].copy()
        if self._hashed:
            indptr, features, values = summed_repeats(indptr, features, values, block.name)
        labels, label_indptr = self._labels_of(result, rows)
        lines = rows.lines[: result.num_rows] + block.first_line
        return Rows(indptr, features, values, labels, lines, label_indptr)

    def read(self, block: Block) -> Rows:
        """Return the block's examples."""
        return self.taken(self.parsed(block))

    def chunks(self, reading: Reading) -> Iterator[Rows]:
        """Yield the examples of each block, while a thread reads and parses the next one."""
        for parsed in ahead(self.parsed(block) for block in reading.blocks()):
            try:
                rows = self.taken(parsed)
            except BadLineError:
                yield from self.good_rows(parsed.block, reading)
            else:
                yield rows

    def _labels_of(
        self, result: "SvmlightResult", rows: "SvmlightRows"
    ) -> tuple[NDArray[np.int32], NDArray[np.int64] | None]:
        """Return the labels, and where each row's begin if it may have several."""
        numbers = self._labels.ids(rows.labels[: result.num_labels])
        label_indptr = rows.label_starts[: result.num_rows + 1]
        if self._multilabel == "split" and self._labelled:
            return each_once(numbers, label_indptr.copy())
        labels = np.full(result.num_rows, -1, np.int32)
        labels[np.diff(label_indptr) > 0] = numbers
        return labels, None

    @property
    def label_names(self) -> list[str]:
        """The labels as integers' shortest texts."""
        return [str(label) for label in self._labels.keys.tolist()]

    @property
    def feature_names(self) -> NDArray[np.int64]:
        """The indices, as the file has them; where they are hashed, their buckets."""
        return self._indices.keys

    def notes(self) -> list[str]:
        """Return a note if there are query ids."""
        return [f"qid is ignored, as in {self._query_id_place}"] if self._query_id_place else []


class SvmlightReader(LabelledLines):
    """Parses svmlight text.

    Parameters
    ----------
    source, fitted, labelled
        As of `LabelledLines`.
    index_base : int or None
        The lowest index that is allowed; None if it is to be found.
    """

    def __init__(
        self, source: Svmlight, fitted: Mapping[str, Any], labelled: bool, index_base: int | None
    ) -> None:
        super().__init__(source, fitted, labelled)
        self._index_base = index_base
        self._has_index_0 = False

    def options(self, block: Block) -> "SvmlightOptions":
        """Return what a block's lines may hold: no index below the base."""
        return super().options(block)._replace(lowest_index=self._index_base or 0)

    def taken(self, parsed: Parsed) -> Rows:
        """Return a parsed block's examples; see whether index 0 is among their features."""
        rows = super().taken(parsed)
        indices = parsed.rows.indices[: parsed.result.num_entries]
        self._has_index_0 = self._has_index_0 or bool(np.min(indices, initial=1) == 0)
        return rows

    def absence(self) -> str:
        """Return what was found where no example was."""
        return "found no line with a label; expected lines of label index:value ..."

    def fitted(self) -> dict[str, Any]:
        """Return the index base."""
        if self._index_base is not None:
            return {"index_base": self._index_base}
        return {"index_base": 0 if self._has_index_0 else 1}


def _content(sample: Sample, line: int) -> bytes:
    """Return a line without its comment."""
    return sample.lines[line - 1].partition(b"#")[0].strip()


def _room(num_lines: int, num_labels: int, num_colons: int) -> "SvmlightRows":
    """Return arrays for the most rows, labels and entries that a text can hold."""
    return kernels.SvmlightRows(
        starts=np.empty(num_lines + 1, np.int64),
        lines=np.empty(num_lines, np.int64),
        label_starts=np.empty(num_lines + 1, np.int64),
        labels=np.empty(num_labels, np.int64),
        indices=np.empty(num_colons, np.int64),
        values=np.empty(num_colons, np.float32),
        uncertain=np.empty((num_colons, 2), np.int64),
    )


def _settle_uncertain(parsed: Parsed) -> None:
    """Convert the values of which the kernel was not certain."""
    for entry, position in parsed.rows.uncertain[: parsed.result.num_uncertain].tolist():
        with np.errstate(over="ignore"):
            value = np.float32(float(token_at(parsed.block.data, position)))
        if np.isinf(value):
            raise mistake(parsed.block, "HUGE_VALUE", position, parsed.options)
        parsed.rows.values[entry] = value
