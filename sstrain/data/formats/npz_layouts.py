"""scipy's sparse layouts that are no rows, to entries: each index is looked at before its use."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LAYOUTS", "Entries"]

#: Of each entry its row and its column, int64, and its value; all of shape [nnz].
Entries = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]

_Arrays = Mapping[str, NDArray[Any]]
_Shape = tuple[int, int]


def _csc(arrays: _Arrays, shape: _Shape) -> Entries:
    data = _of_dimensions(arrays, "data", 1)
    rows = _indices(arrays, "indices", shape[0], len(data))
    return rows, _owners(arrays, shape[1], len(rows)), data


def _coo(arrays: _Arrays, shape: _Shape) -> Entries:
    data = _of_dimensions(arrays, "data", 1)
    rows = _indices(arrays, "row", shape[0], len(data))
    return rows, _indices(arrays, "col", shape[1], len(data)), data


def _dia(arrays: _Arrays, shape: _Shape) -> Entries:
    """Return what stands in the matrix's diagonals, without zeros, as scipy does."""
    data = _of_dimensions(arrays, "data", 2)[:, : shape[1]]
    # The place 0 serves the main diagonal of a matrix that has no rows.
    offsets = _indices(arrays, "offsets", max(shape[1], 1), len(data), min(1 - shape[0], 0))
    diagonals, columns = np.nonzero(data)
    rows = columns - offsets[diagonals]
    held = (rows >= 0) & (rows < shape[0])
    return rows[held], columns[held], data[diagonals[held], columns[held]]


def _bsr(arrays: _Arrays, shape: _Shape) -> Entries:
    data = _of_dimensions(arrays, "data", 3)
    height, width = data.shape[1:]
    if min(height, width) < 1 or shape[0] % height or shape[1] % width:
        raise ValueError(f"found blocks of {height} by {width} in a matrix of the shape {shape}")
    columns = _indices(arrays, "indices", shape[1] // width, len(data))
    rows = _owners(arrays, shape[0] // height, len(data))
    if not len(data):  # of which the blocks may be as large as they like
        return rows, columns, data.ravel()
    all_rows = (rows * height)[:, None, None] + np.arange(height)[:, None]
    all_columns = (columns * width)[:, None, None] + np.arange(width)
    return (
        np.broadcast_to(all_rows, data.shape).ravel(),
        np.broadcast_to(all_columns, data.shape).ravel(),
        data.ravel(),
    )


#: By scipy's name: returns the entries that a layout's arrays hold in a matrix of some shape;
#: raises ValueError for arrays that are missing or contradict each other.
LAYOUTS: dict[str, Callable[[_Arrays, _Shape], Entries]] = {
    "csc": _csc,
    "coo": _coo,
    "bsr": _bsr,
    "dia": _dia,
}


def _owners(arrays: _Arrays, num_owners: int, num_entries: int) -> NDArray[np.int64]:
    """Return the owner of each entry, a row or a column, as ``indptr`` says it."""
    indptr = _indices(arrays, "indptr", num_entries + 1, num_owners + 1)
    lengths = np.diff(indptr)
    if indptr[0] != 0 or indptr[-1] != num_entries or np.any(lengths < 0):
        raise ValueError(f"indptr does not rise from 0 to the number of entries, {num_entries:,}")
    return np.repeat(np.arange(num_owners), lengths)


def _indices(
    arrays: _Arrays, name: str, end: int, length: int, least: int = 0
) -> NDArray[np.int64]:
    """Return an array of whole numbers from ``least`` to below ``end``."""
    array = _of_dimensions(arrays, name, 1)
    if array.dtype.kind not in "iu" or len(array) != length:
        raise ValueError(
            f"{name} holds {len(array):,} elements of {array.dtype}; {length:,} whole numbers fit"
        )
    outside = (array < least) | (array >= end)
    if np.any(outside):
        raise ValueError(f"{name} holds {array[np.argmax(outside)]}; {least} to {end - 1} fits")
    return array.astype(np.int64)


def _of_dimensions(arrays: _Arrays, name: str, num_dimensions: int) -> NDArray[Any]:
    if (array := arrays.get(name)) is None:
        raise ValueError(f"there is no array {name!r}")
    if array.ndim != num_dimensions:
        raise ValueError(f"{name} is of the shape {array.shape}; {num_dimensions} dimensions fit")
    return array
