"""The matrix that ``scipy.sparse.save_npz`` wrote, a bounded number of rows at a time."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain.data.formats.npz_layouts import LAYOUTS
from sstrain.data.npy_files import (
    InMemory,
    Stream,
    member_of,
    members,
    small_array,
    stream_of,
)
from sstrain.data.wording import listed, reason_of
from sstrain.errors import UserError

__all__ = ["Matrix", "MatrixRows", "open_matrix"]

_ROWS = 1 << 14
_ENTRIES = 1 << 20
_LARGEST_SIDE = 2**53
#: What the layouts that are read whole are made of.
_ARRAYS = frozenset(("data", "indices", "indptr", "row", "col", "offsets"))
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
        if np.any(ends < np.append(start, ends[:-1])) or ends[-1] > self.data.length:
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
            f"{path}: no sparse matrix; found the arrays {listed(sorted(arrays)) or 'none'}"
            "; expected those that scipy.sparse.save_npz writes"
        )
    layout = _text(small_array(archive, arrays["format"], path))
    is_csr = layout == "csr" and {"indices", "indptr"} <= arrays.keys()
    if not is_csr and layout not in LAYOUTS:
        raise UserError(
            f"{path}: no layout of scipy's that is known; found {layout[:20]!r}; expected csr, "
            f"{', '.join(LAYOUTS)}, with its arrays"
        )
    shape = _shape(small_array(archive, arrays["shape"], path), path)
    if not is_csr:
        return _converted(archive, layout, shape, path)
    indptr, indices, data = (
        stream_of(archive, arrays[name], path) for name in ("indptr", "indices", "data")
    )
    _check_values(data.dtype, path)
    if indptr.dtype.kind not in "iu" or indices.dtype.kind not in "iu":
        raise UserError(
            f"{path}: indptr and indices are no whole numbers; found {indptr.dtype} and "
            f"{indices.dtype}"
        )
    if indptr.length != shape[0] + 1 or indices.length != data.length:
        raise UserError(
            f"{path}: the matrix contradicts itself; found {shape[0]:,} rows in shape, "
            f"{indptr.length - 1:,} in indptr, {indices.length:,} indices, {data.length:,} values"
        )
    return Matrix(path, *shape, indptr, indices, data)


def _shape(shape: NDArray[Any], path: str) -> tuple[int, int]:
    is_shape = len(shape) == 2 and shape.dtype.kind in "iu"
    if not is_shape or shape.min() < 0 or shape.max() > _LARGEST_SIDE:
        raise UserError(
            f"{path}: shape is none of a matrix; found {shape.tolist()[:5]!r:.60}; expected two "
            "numbers from 0 to 2^53"
        )
    return int(shape[0]), int(shape[1])


def _check_values(dtype: np.dtype[Any], path: str) -> None:
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise UserError(
            f"{path}: the values are no real numbers; found {dtype}; expected as float32"
        )


def _converted(archive: zipfile.ZipFile, layout: str, shape: tuple[int, int], path: str) -> Matrix:
    """Return a matrix of another layout, made rows of in memory."""
    from scipy import sparse

    infos = members(archive, path)
    num_bytes = sum(info.file_size for info in infos.values())
    if shape[0] > _MOST_EMPTY_ROWS + num_bytes:
        raise UserError(
            f"{path}: shape is none of a matrix that is here; found {list(shape)!r} for "
            f"{num_bytes:,} bytes; expected two numbers in proportion"
        )
    opened = {name: member_of(archive, infos[name], path) for name in infos if name in _ARRAYS}
    _check_values(opened["data"].dtype, path)
    arrays = {name: member.whole() for name, member in opened.items()}
    try:
        rows, columns, values = LAYOUTS[layout](arrays, shape)
    except ValueError as error:
        raise UserError(f"{path}: the matrix contradicts itself; {reason_of(error)}") from None
    # scipy knows neither float16 nor another byte order here.
    is_single = values.dtype.kind == "f" and values.dtype.itemsize <= 4
    values = values.astype(np.float32 if is_single else np.float64)
    # Its coordinates are in range, of which scipy's compiled code does not make sure.
    csr: Any = sparse.coo_array((values, (rows, columns)), shape).tocsr()
    parts = (InMemory(array) for array in (csr.indptr, csr.indices, csr.data))
    return Matrix(path, *shape, *parts)


def _text(array: NDArray[Any]) -> str:
    """Return the only element of an array as a text."""
    element = array[0] if len(array) == 1 else b""
    return element.decode(errors="replace") if isinstance(element, bytes) else str(element)
