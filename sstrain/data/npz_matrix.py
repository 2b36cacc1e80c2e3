"""The matrix that ``scipy.sparse.save_npz`` wrote, a bounded number of rows at a time."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain.data.npz_arrays import InMemory, Stream, member_of, members, small_array, stream_of
from sstrain.errors import UserError

__all__ = ["Matrix", "MatrixRows", "open_matrix"]

_ROWS = 1 << 14
_ENTRIES = 1 << 20
#: scipy's layouts that are read whole, and made rows of in memory.
_OTHER_LAYOUTS = ("csc", "coo", "bsr", "dia")
#: A matrix of another layout may have so many rows, and one more for each byte.
_MOST_EMPTY_ROWS = 10**6


@dataclass(frozen=True)
class MatrixRows:
    """Some rows: int64 ``indptr`` from 0, int64 ``columns``, ``values`` as they are stored."""

    indptr: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[Any]


@dataclass(frozen=True)
class Matrix:
    """A sparse matrix in rows.

    Attributes
    ----------
    path : str
    num_rows, num_columns : int
    indptr, indices, data : Stream
    """

    path: str
    num_rows: int
    num_columns: int
    indptr: Stream
    indices: Stream
    data: Stream

    def rows(self) -> Iterator[MatrixRows]:
        """Yield all rows, some thousands at a time.

        Raises
        ------
        UserError
            If the arrays contradict each other.
        """
        end = self._ends(1, 0)[0]
        if end != 0:
            raise self._error(f"indptr begins with {end}; expected 0")
        first = 0
        while first < self.num_rows:
            ends = self._ends(min(_ROWS, self.num_rows - first), end)
            while len(ends):
                count = max(1, int(np.searchsorted(ends, end + _ENTRIES, side="right")))
                indptr = np.concatenate([[end], ends[:count]])
                end, ends = int(indptr[-1]), ends[count:]
                yield self._rows(indptr - indptr[0], first)
                first += count

    def _ends(self, count: int, start: int) -> NDArray[np.int64]:
        """Return the next elements of ``indptr``, which rise from a start to the last entry."""
        ends = self.indptr.take(count).astype(np.int64)
        if np.any(np.diff(ends, prepend=start) < 0) or ends[-1] > self.data.length:
            raise self._error(
                f"indptr does not rise from 0 to the number of entries, {self.data.length:,}"
            )
        return ends

    def _rows(self, indptr: NDArray[np.int64], first: int) -> MatrixRows:
        columns = self.indices.take(int(indptr[-1])).astype(np.int64)
        outside = (columns < 0) | (columns >= self.num_columns)
        if np.any(outside):
            entry = int(np.argmax(outside))
            row = first + int(np.searchsorted(indptr, entry, side="right"))
            raise UserError(
                f"{self.path}: row {row}: a column that is not there; found {columns[entry]}; "
                f"expected one from 0 to {self.num_columns - 1}"
            )
        return MatrixRows(indptr, columns, self.data.take(int(indptr[-1])))

    def _error(self, problem: str) -> UserError:
        return UserError(f"{self.path}: the matrix contradicts itself; {problem}")


def open_matrix(archive: zipfile.ZipFile, path: str) -> Matrix:
    """Return the matrix in a zip file; csr is read as it is needed, all other layouts at once.

    Raises
    ------
    UserError
        If there is none, or its arrays contradict each other.
    Others
        See `npz_arrays.damaged`.
    """
    arrays = members(archive, path)
    if not {"format", "shape", "data"} <= arrays.keys():
        raise UserError(
            f"{path}: no sparse matrix; found the arrays {', '.join(sorted(arrays)[:20]) or 'none'}"
            "; expected those that scipy.sparse.save_npz writes"
        )
    layout = _text(small_array(archive, arrays["format"], path))
    if layout in _OTHER_LAYOUTS:
        return _converted(archive, path)
    if layout != "csr" or not {"indices", "indptr"} <= arrays.keys():
        raise UserError(
            f"{path}: no layout of scipy's that is known; found {layout[:20]!r}; expected csr, "
            f"{', '.join(_OTHER_LAYOUTS)}, with its arrays"
        )
    shape = small_array(archive, arrays["shape"], path)
    indptr, indices, data = (
        stream_of(archive, arrays[name], path) for name in ("indptr", "indices", "data")
    )
    return _checked(path, shape, indptr, indices, data)


def _checked(
    path: str, shape: NDArray[Any], indptr: Stream, indices: Stream, data: Stream
) -> Matrix:
    if len(shape) != 2 or shape.dtype.kind not in "iu" or shape.min() < 0:
        raise UserError(
            f"{path}: shape is none of a matrix; found {shape.tolist()!r}; expected two numbers"
        )
    if indptr.dtype.kind not in "iu" or indices.dtype.kind not in "iu":
        raise UserError(
            f"{path}: indptr and indices are no whole numbers; found {indptr.dtype} and "
            f"{indices.dtype}"
        )
    if data.dtype.kind not in "biuf" or data.dtype.itemsize > 8:
        raise UserError(
            f"{path}: the values are no real numbers; found {data.dtype}; expected as float32"
        )
    matrix = Matrix(path, int(shape[0]), int(shape[1]), indptr, indices, data)
    if indptr.length != matrix.num_rows + 1 or indices.length != data.length:
        raise UserError(
            f"{path}: the matrix contradicts itself; found {matrix.num_rows:,} rows in shape, "
            f"{indptr.length - 1:,} in indptr, {indices.length:,} indices, {data.length:,} values"
        )
    return matrix


def _converted(archive: zipfile.ZipFile, path: str) -> Matrix:
    """Return a matrix of another layout, made rows of in memory."""
    from scipy import sparse

    arrays = members(archive, path)
    shape = small_array(archive, arrays["shape"], path)
    num_bytes = sum(info.file_size for info in arrays.values())
    if len(shape) != 2 or not 0 <= int(shape[0]) <= _MOST_EMPTY_ROWS + num_bytes:
        raise UserError(
            f"{path}: shape is none of a matrix that is here; found {shape.tolist()!r} for "
            f"{num_bytes:,} bytes; expected two numbers in proportion"
        )
    for info in arrays.values():  # before scipy allocates what they say
        member_of(archive, info, path)
    loaded: Any = sparse.load_npz(path)
    csr = loaded.tocsr()
    return _checked(path, shape, InMemory(csr.indptr), InMemory(csr.indices), InMemory(csr.data))


def _text(array: NDArray[Any]) -> str:
    """Return the only element of an array as a text."""
    element = array[0] if len(array) == 1 else b""
    return element.decode(errors="replace") if isinstance(element, bytes) else str(element)
