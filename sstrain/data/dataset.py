"""Encoded examples: what training, evaluation and prediction read."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Dataset", "concatenated"]

#: Sets below this size are shuffled row by row, for they stay in memory once they are read.
_LARGE = 1 << 30
_BLOCK_BYTES = 1 << 18
_PART = 1 << 20


@dataclass(frozen=True)
class Dataset:
    """Examples as CSR rows over the feature ids of a vocabulary.

    There are R rows and N examples. As a rule they are the same; where a row may have several
    labels, each of its m labels makes an example with the row's features.

    Attributes
    ----------
    indptr : int64 array of shape [R + 1]
    indices : int32 array of shape [nnz]
        Feature ids, rising inside a row, each at most once.
    values : float32 array of shape [nnz]
    lines : int64 array of shape [R]
        Line number of each row, from 1, running on over the files of a source.
    targets : int32 array of shape [N]
        Class ids; -1 for a label that training never saw (never in a training split).
    weights : float32 array of shape [N]
        Example weights: ones unless the data has them, divided by m for the labels of a row.
    rows : int64 array of shape [N], optional
        The row of each example, rising; None where each example is a row of its own.
    num_skipped : int
        Positions of a sequence whose token is no class: they are no examples.
    num_unlabelled : int
        Rows without any label, which are left out.
    num_unknown_labels : int
        Examples whose target is -1.
    num_unknown_features : int
        Occurrences of features that the vocabulary has not; they are left out.
    unknown_label : str or None
        The first label that training never saw.
    unknown_line : int
        Its line; 0 if there is none.
    num_empty : int
        Rows without a feature.
    files : tuple of (str, int)
        Each file that rows come from, with the number of lines before it.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float32]
    lines: NDArray[np.int64]
    targets: NDArray[np.int32]
    weights: NDArray[np.float32]
    rows: NDArray[np.int64] | None = None
    num_skipped: int = 0
    num_unlabelled: int = 0
    num_unknown_labels: int = 0
    num_unknown_features: int = 0
    unknown_label: str | None = None
    unknown_line: int = 0
    num_empty: int = 0
    files: tuple[tuple[str, int], ...] = ()

    @property
    def num_examples(self) -> int:
        """N."""
        return len(self.targets)

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.lines)

    @property
    def example_lines(self) -> NDArray[np.int64]:
        """The line number of each example, int64 of shape [N]."""
        return self.lines if self.rows is None else self.lines[self.rows]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by their names."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}

    @property
    def plain(self) -> dict[str, Any]:
        """All but the arrays, by their names, as JSON values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: values[name] for name in values.keys() - self.arrays.keys() - {"rows"}}

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the arrays take; those that are mapped from files take none."""
        return sum(array.nbytes for array in self.arrays.values() if not _is_mapped(array))

    @property
    def shuffle_block(self) -> int:
        """How many neighbouring examples an epoch's order keeps near each other; 1 if none.

        It follows from the data alone, so that the order is the same wherever they are kept.
        """
        num_bytes = 8 * len(self.indices) + 24 * self.num_examples
        if num_bytes < _LARGE:
            return 1
        examples = max(1, _BLOCK_BYTES * self.num_examples // num_bytes)
        return max(16, 1 << examples.bit_length() - 1)

    def is_sound(self, num_features: int, num_classes: int) -> bool:
        """Return whether the arrays fit together and hold ids of a vocabulary alone.

        Kernels take any index as it is. This reads all of a data set that is mapped.
        """
        rows = self.rows
        return (
            len(self.indptr) == self.num_rows + 1
            and self.indptr[0] == 0
            and self.indptr[-1] == len(self.indices) == len(self.values)
            and len(self.weights) == self.num_examples
            and len(self.targets) == (self.num_rows if rows is None else len(rows))
            and _rise_within(self.indptr, 0, len(self.indices))
            and _within(self.indices, 0, num_features - 1)
            and _within(self.targets, -1, num_classes - 1)
            and (rows is None or _rise_within(rows, 0, self.num_rows - 1))
        )

    def place(self, line: int) -> str:
        """Return ``file:line`` for a line number that runs on over the files."""
        name, before = next(file for file in reversed(self.files) if file[1] < line)
        return f"{name}:{line - before}"

    def head(self, count: int) -> "Dataset":
        """Return the first examples, as views; the counts are the whole's."""
        if self.rows is None:
            num_rows, rows = count, None
        else:
            rows = self.rows[:count]
            num_rows = int(rows[-1]) + 1 if len(rows) else 0
        indptr = self.indptr[: num_rows + 1]
        return replace(
            self,
            indptr=indptr,
            indices=self.indices[: indptr[-1]],
            values=self.values[: indptr[-1]],
            lines=self.lines[:num_rows],
            targets=self.targets[:count],
            weights=self.weights[:count],
            rows=rows,
        )


def _parts(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield an array in parts that share their ends, so that little of it is in memory at once."""
    for start in range(0, len(array), _PART):
        yield array[start : start + _PART + 1]


def _within(ids: NDArray[Any], least: int, most: int) -> bool:
    return all(least <= int(part.min()) and int(part.max()) <= most for part in _parts(ids))


def _rise_within(array: NDArray[np.int64], least: int, most: int) -> bool:
    rising = all(bool((part[1:] >= part[:-1]).all()) for part in _parts(array))
    return rising and _within(array, least, most)


def _is_mapped(array: NDArray[Any]) -> bool:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return type(base).__name__ == "mmap"


def concatenated(parts: Iterable[Dataset]) -> Dataset:
    """Return several data sets, at least one, as one in memory."""
    kept = list(parts)
    first = kept[0]
    row_starts = np.cumsum([0, *(part.num_rows for part in kept)])
    entry_starts = np.cumsum([0, *(len(part.indices) for part in kept)])
    indptr = [part.indptr[1:] + start for part, start in zip(kept, entry_starts, strict=False)]
    rows = None
    if first.rows is not None:
        rows = _joined(
            part.rows + start
            for part, start in zip(kept, row_starts, strict=False)
            if part.rows is not None
        )
    values: dict[str, Any] = {
        name: _joined(part.arrays[name] for part in kept)
        for name in ("indices", "values", "lines", "targets", "weights")
    }
    values["indptr"] = _joined([np.zeros(1, np.int64), *indptr])
    return replace(first, **values, rows=rows, **totals(kept))


def totals(parts: Iterable[Dataset]) -> dict[str, Any]:
    """Return what counts for all of several data sets, by the names of the attributes."""
    kept = list(parts)
    unknown = next((part for part in kept if part.unknown_label is not None), kept[-1])
    counts = {
        field.name: sum(getattr(part, field.name) for part in kept)
        for field in fields(Dataset)
        if field.name.startswith("num_")
    }
    return {
        **counts,
        "unknown_label": unknown.unknown_label,
        "unknown_line": unknown.unknown_line,
    }


def _joined(arrays: Iterable[NDArray[Any]]) -> NDArray[Any]:
    # Read-only as mapped arrays are, so that kernels are compiled for one kind of array.
    joined = np.concatenate(list(arrays))
    joined.flags.writeable = False
    return joined
