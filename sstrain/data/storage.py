"""Where rows and examples are kept: in memory, or in the files of a folder, which are mapped."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sstrain.data.array_files import ArrayFiles, map_arrays
from sstrain.data.dataset import Dataset, concatenated, totals
from sstrain.data.reader import Rows

__all__ = [
    "InFolder",
    "InMemory",
    "Storage",
    "StoredRows",
    "read_dataset",
    "rows_of",
    "write_dataset",
    "write_rows",
]

_CHUNK_ROWS = 1 << 16
_CHUNK_ENTRIES = 1 << 21
#: Arrays that say where each row's entries begin, with one element more than there are rows.
_POINTERS = ("indptr", "label_indptr")


class Storage(Protocol):
    """Keeps what is read."""

    def rows(self, chunks: Iterable[Rows]) -> Iterable[Rows]:
        """Keep all of a reader's rows; what is returned gives them every time."""

    def dataset(self, name: str, parts: Iterable[Dataset]) -> Dataset:
        """Keep all parts, at least one, of a split as one."""


class InMemory:
    """Keeps all in memory."""

    def rows(self, chunks: Iterable[Rows]) -> Iterable[Rows]:
        """Keep all of a reader's rows."""
        return list(chunks)

    def dataset(self, name: str, parts: Iterable[Dataset]) -> Dataset:
        """Keep all parts of a split as one."""
        return concatenated(parts)


class InFolder:
    """Keeps all in files of a folder; memory holds a chunk at a time.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._num_sources = 0

    def rows(self, chunks: Iterable[Rows]) -> Iterable[Rows]:
        """Keep all of a reader's rows."""
        folder = self._folder / f"rows-{self._num_sources}"
        self._num_sources += 1
        write_rows(folder, chunks)
        return StoredRows(folder)

    def dataset(self, name: str, parts: Iterable[Dataset]) -> Dataset:
        """Keep all parts of a split as one."""
        plain = write_dataset(self._folder / name, parts)
        return read_dataset(self._folder / name, plain)

    def forget_rows(self) -> None:
        """Remove the rows that were kept; the splits stay."""
        for number in range(self._num_sources):
            shutil.rmtree(self._folder / f"rows-{number}", ignore_errors=True)


def write_rows(folder: Path, chunks: Iterable[Rows]) -> None:
    """Write a reader's rows as arrays of a folder; all chunks have the same optional ones.

    Raises
    ------
    OSError
        If the disk does not take them.
    """
    names: set[str] = set()
    with ArrayFiles(folder) as files:
        pointers = _Pointers(files)
        for chunk in chunks:
            arrays = {name: array for name, array in vars(chunk).items() if array is not None}
            if (names := names or set(arrays)) != set(arrays):
                raise TypeError(f"rows with {sorted(arrays)} after rows with {sorted(names)}")
            for name, array in arrays.items():
                if name in _POINTERS:
                    pointers.append(name, array)
                else:
                    files.append(name, array)
        files.finish()


class _Pointers:
    """Appends row pointers that run on over the parts."""

    def __init__(self, files: ArrayFiles) -> None:
        self._files = files
        self._last: dict[str, int] = {}

    def append(self, name: str, indptr: NDArray[np.int64]) -> None:
        if name not in self._last:
            self._last[name] = 0
            self._files.append(name, np.zeros(1, np.int64))
        self._files.append(name, indptr[1:] - indptr[0] + self._last[name])
        self._last[name] += int(indptr[-1] - indptr[0])


@dataclass(frozen=True)
class StoredRows:
    """The rows of a folder that `write_rows` wrote, some at a time.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    def __iter__(self) -> Iterator[Rows]:
        return rows_of(map_arrays(self.folder))


def rows_of(arrays: dict[str, NDArray[Any]]) -> Iterator[Rows]:
    """Yield the rows that arrays hold by the names of `Rows`, some at a time; of none, none."""
    if not arrays:
        return
    indptr, num_rows = arrays["indptr"], len(arrays["lines"])
    start = 0
    while start < num_rows:
        stop = min(start + _CHUNK_ROWS, num_rows)
        last_entry = int(indptr[start]) + _CHUNK_ENTRIES
        within = np.searchsorted(indptr[start : stop + 1], last_entry, side="right") - 1
        stop = start + max(1, int(within))
        yield Rows(**_slices(arrays, start, stop))
        start = stop


def _slices(arrays: dict[str, NDArray[Any]], start: int, stop: int) -> dict[str, NDArray[Any]]:
    """Return copies of the parts of all arrays that belong to some rows."""
    parts: dict[str, NDArray[Any]] = {}
    for pointer, names in (("indptr", ("features", "values")), ("label_indptr", ("labels",))):
        if pointer in arrays:
            indptr = np.array(arrays[pointer][start : stop + 1])
            parts |= {name: np.array(arrays[name][indptr[0] : indptr[-1]]) for name in names}
            parts[pointer] = indptr - indptr[0]
    rest = arrays.keys() - parts.keys()
    return parts | {name: np.array(arrays[name][start:stop]) for name in rest}


def write_dataset(folder: Path, parts: Iterable[Dataset]) -> dict[str, Any]:
    """Write a split as arrays of a folder; return what is no array, as JSON values.

    Raises
    ------
    OSError
        If the disk does not take them.
    """
    summary: Dataset | None = None
    num_rows = 0
    with ArrayFiles(folder) as files:
        pointers = _Pointers(files)
        for part in parts:
            for name, array in part.arrays.items():
                if name == "indptr":
                    pointers.append(name, array)
                else:
                    files.append(name, array + num_rows if name == "rows" else array)
            num_rows += part.num_rows
            summary = part if summary is None else replace(part, **totals([summary, part]))
        files.finish()
    assert summary is not None
    return summary.plain


def read_dataset(folder: Path, plain: dict[str, Any]) -> Dataset:
    """Return a split that `write_dataset` wrote, its arrays mapped.

    Raises
    ------
    OSError, ValueError, TypeError
        If the files are not what was written.
    """
    files = tuple((name, before) for name, before in plain["files"])
    values: dict[str, Any] = {**map_arrays(folder), **plain, "files": files}
    return Dataset(**values)
