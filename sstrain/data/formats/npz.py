"""Sparse matrices as ``scipy.sparse.save_npz`` writes them, with labels beside them."""

import io
import os
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import PrivateAttr, model_validator

from sstrain.data.bad_lines import BadLineError
from sstrain.data.base import Source
from sstrain.data.files import is_regular
from sstrain.data.formats.npz_matrix import MatrixRows, open_matrix
from sstrain.data.formats.npz_targets import (
    ArrayTargets,
    Targets,
    beyond_text,
    label_ids,
    label_problem,
    open_targets,
)
from sstrain.data.npy_files import damaged, member_of, members
from sstrain.data.numbering import NameTable, number_ids
from sstrain.data.reader import Reader, Rows, summed_repeats
from sstrain.data.reading import Reading
from sstrain.data.sample import Sample
from sstrain.data.wording import shown
from sstrain.errors import UserError
from sstrain.progress import bar
from sstrain.section import FilePaths

__all__ = ["Npz", "NpzReader"]

_MAGIC = b"PK\x03\x04"
_IN_ONE = "targets"
_INSIDE = f"an array {_IN_ONE!r} in the file"
_FINITE = f"a finite number up to {np.finfo(np.float32).max:.4g}"


class Npz(Source):
    """A sparse matrix of scipy's, a row an example, and a label for each row.

    The labels are an array ``targets`` in the same file, or a file of their own. Columns are the
    features, by their numbers from 0; entries of one column in a row are added up, as scipy does.
    """

    format: Literal["npz"] = "npz"
    #: The labels, a file for each of ``path``: a .npy array, or text with a label a line; None:
    #: they are in ``path``.
    targets_path: FilePaths | None = None
    _is_alone: bool = PrivateAttr(default=False)  # where no config can name a file of labels

    @model_validator(mode="after")
    def _in_pairs(self) -> "Npz":
        if self.targets_path is not None and len(self.targets_path) != len(self.path):
            raise ValueError(
                f"found {len(self.path)} path and {len(self.targets_path)} targets_path; expected "
                "one for each"
            )
        return self

    def reader(self, fitted: Mapping[str, Any], labelled: bool = True) -> "NpzReader":
        """Return a reader; without labels it looks at none."""
        targets_paths = self.targets_path if labelled else None
        places = _INSIDE if self._is_alone else f"{_INSIDE}, or targets_path"
        return NpzReader(targets_paths, fitted.get("hash_bits"), labelled, places)

    def at(self, *paths: str) -> Self:
        """Return the same way to read other files, in which their labels stand."""
        source = super().at(*paths)
        source._is_alone = True
        return source

    @classmethod
    def path_keys(cls) -> set[str]:
        """Return the keys that name files."""
        return {"path", "targets_path"}

    @classmethod
    def fits(cls, sample: Sample) -> bool:
        """Whether it is a zip file with a sparse matrix."""
        if not sample.start.startswith(_MAGIC) or not is_regular(sample.path):
            return False
        try:
            with zipfile.ZipFile(sample.path) as archive:
                return {"format.npy", "shape.npy", "data.npy"} <= set(archive.namelist())
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
            return False


class NpzReader(Reader):
    """Reads matrices and their labels.

    Parameters
    ----------
    targets_paths : tuple of str, optional
        The labels' files, if they have any.
    hash_bits : int, optional
    labelled : bool
        False where rows have no labels.
    places : str
        Where labels may stand, for messages.
    """

    def __init__(
        self,
        targets_paths: tuple[str, ...] | None,
        hash_bits: int | None,
        labelled: bool,
        places: str,
    ) -> None:
        self._places = places
        self._targets_paths = targets_paths
        self._labelled = labelled
        self._labels = NameTable()
        self._columns = number_ids(hash_bits)
        self._hashed = hash_bits is not None

    def chunks(self, reading: Reading) -> Iterator[Rows]:
        """Yield the rows of each matrix."""
        targets_paths = self._targets_paths or [None] * len(reading.paths)
        if len(targets_paths) != len(reading.paths):
            raise UserError(
                f"{reading.paths[0]}: labels are in another number of files; found "
                f"{len(targets_paths)} targets_path; expected {len(reading.paths)}"
            )
        for path, targets_path in zip(reading.paths, targets_paths, strict=True):
            with ExitStack() as stack:
                yield from self._rows_of(path, targets_path, reading, stack)

    def _rows_of(
        self, path: str, targets_path: str | None, reading: Reading, stack: ExitStack
    ) -> Iterator[Rows]:
        if path == "-" or (os.path.exists(path) and not is_regular(path)):
            raise UserError(f"{path}: is read in no fixed order; found no plain file; expected one")
        targets = None if targets_path is None else open_targets(targets_path, reading, stack)
        reading.whole(path)
        before = os.stat(path)
        with damaged(path):
            # Closed at the end, whatever of it the archive's members still hold.
            file = stack.enter_context(io.BufferedReader(io.FileIO(path)))
            archive = stack.enter_context(zipfile.ZipFile(file))
            matrix = open_matrix(archive, path)
        if self._labelled:
            targets = self._targets(archive, path, targets)
            targets.check(matrix.num_rows)
        advance = stack.enter_context(
            bar(matrix.num_rows, f"reading {os.path.basename(path)}", "rows")
        )
        rows, row = matrix.rows(), 0
        while True:
            with damaged(path):
                if (part := next(rows, None)) is None:
                    break
            count = len(part.indptr) - 1
            with damaged(targets_path or path):
                labels = None if targets is None else targets.take(count)
            yield self._numbered(part, labels, reading, path, row)
            row += count
            advance(count)
        if targets is not None:
            targets.finish()
        after = os.stat(path)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise UserError(f"{path}: has changed while it was read; expected a file at rest")

    def _targets(self, archive: zipfile.ZipFile, path: str, targets: Targets | None) -> Targets:
        """Return the labels, which stand in one of two places."""
        with damaged(path):
            inside = members(archive, path).get(_IN_ONE)
            if targets is None and inside is not None:
                return ArrayTargets(member_of(archive, inside, path))
        if targets is None or inside is not None:
            found = "none" if targets is None else "both"
            raise UserError(f"{path}: where are the labels? found {found}; expected {self._places}")
        return targets

    def _numbered(
        self,
        part: MatrixRows,
        labels: NDArray[Any] | None,
        reading: Reading,
        path: str,
        first: int,
    ) -> Rows:
        """Return some rows without the bad ones, with labels and columns numbered."""
        count = len(part.indptr) - 1
        with np.errstate(over="ignore"):
            values = part.values.astype(np.float32)
        problems = _bad_labels(labels) | _bad_values(part, values)
        lines = np.arange(count, dtype=np.int64) + reading.num_lines + 1
        reading.add_lines(count)
        for row in sorted(problems):
            problem, found, expected = problems[row]
            reading.bad_line(
                BadLineError(
                    f"{path}: row {first + row + 1}: {problem}; found {found}; expected {expected}"
                )
            )
        kept = np.ones(count, bool)
        kept[list(problems)] = False
        lengths = np.diff(part.indptr)
        in_kept = np.repeat(kept, lengths)
        indptr = np.concatenate([[0], np.cumsum(lengths[kept])])
        columns, values = part.columns[in_kept], values[in_kept]
        features = self._columns.ids(columns)
        if self._hashed or not _rises(indptr, columns):
            indptr, features, values = summed_repeats(indptr, features, values, path)
        ids = np.full(len(indptr) - 1, -1, np.int32)
        if labels is not None:
            ids = label_ids(labels[kept], self._labels)
        return Rows(indptr, features, values, ids, lines[kept])

    @property
    def label_names(self) -> list[str]:
        """The labels by their ids."""
        return self._labels.names

    @property
    def feature_names(self) -> NDArray[np.int64]:
        """The columns' numbers, from 0; where they are hashed, their buckets."""
        return self._columns.keys

    def absence(self) -> str:
        """Return what was found where no example was."""
        return "found a matrix without rows; expected a row an example"


#: By row: what is wrong, what was found, what was expected.
_Problems = dict[int, tuple[str, str, str]]


def _bad_labels(labels: NDArray[Any] | None) -> _Problems:
    problems: _Problems = {}
    if labels is None or labels.dtype.kind in "biu":
        return problems
    if labels.dtype.kind == "f":
        numbers = labels.astype(np.float64)  # float16 knows no 2^53
        if np.all(np.abs(numbers) <= 2**53) and np.all(numbers % 1 == 0):
            return problems
    if labels.dtype.kind == "U" and (beyond := beyond_text(labels)).any():
        problems = dict.fromkeys(
            np.flatnonzero(beyond).tolist(),
            ("the label is no UTF-8", f"a character above U+{sys.maxunicode:X}", "text"),
        )
        labels = np.where(beyond, "x", labels)
    for row, label in enumerate(labels.tolist()):
        if wrong := label_problem(label):
            problems[row] = (wrong[0], shown(label), wrong[1])
    return problems


def _bad_values(part: MatrixRows, values: NDArray[np.float32]) -> _Problems:
    problems: _Problems = {}
    for entry in np.flatnonzero(~np.isfinite(values)).tolist():
        row = int(np.searchsorted(part.indptr, entry, side="right")) - 1
        found = f"{part.values[entry]} in column {part.columns[entry]}"
        problems.setdefault(row, ("the value is no finite number", found, _FINITE))
    return problems


def _rises(indptr: NDArray[np.int64], columns: NDArray[np.int64]) -> bool:
    """Return whether each row's columns rise, so that none stands twice."""
    rising = np.diff(columns) > 0
    starts = indptr[1:-1]
    rising[starts[(starts > 0) & (starts < len(columns))] - 1] = True
    return bool(np.all(rising))
