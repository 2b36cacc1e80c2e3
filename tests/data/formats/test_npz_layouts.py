"""``npz`` files in scipy's other layouts: its compiled code takes bad indices as they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from read_rows import rows_of, source_of
from scipy import sparse

from sstrain.data.formats.npz import Npz
from sstrain.errors import UserError

BLOCKS = np.ones((1, 3, 2))

OTHER_LAYOUTS: list[tuple[bytes, dict[str, Any], str]] = [
    (b"csc", {"indptr": np.zeros(4, int)}, "indptr holds 4 elements of int64; 5 whole numbers fit"),
    (b"csc", {"indptr": np.array([0, 1, 1, 2, 2])}, "indptr does not rise from 0 to the number"),
    (b"csc", {"indptr": np.array([0, 3, 1, 3, 3])}, "indptr does not rise from 0 to the number"),
    (b"csc", {"indptr": np.array([1, 1, 1, 3, 3])}, "indptr does not rise from 0 to the number"),
    (b"csc", {"indptr": np.array([0, 1, 9, 3, 3])}, "indptr holds 9; 0 to 3 fits"),
    (b"csc", {"indptr": np.zeros(5)}, "indptr holds 5 elements of float64; 5 whole numbers fit"),
    (b"csc", {"indices": np.array([0, 3, 1])}, "indices holds 3; 0 to 2 fits"),
    (b"csc", {"indices": np.array([0, -1, 1])}, "indices holds -1; 0 to 2 fits"),
    (b"csc", {"indptr": None}, "there is no array 'indptr'"),
    (b"csc", {"data": np.ones((3, 1))}, "data is of the shape (3, 1); 1 dimensions fit"),
    (b"coo", {}, "there is no array 'row'"),
    (b"coo", {"row": np.array([0, 1, 3]), "col": np.zeros(3, int)}, "row holds 3; 0 to 2 fits"),
    (b"coo", {"row": np.zeros(3, int), "col": np.array([0, -1, 3])}, "col holds -1; 0 to 3 fits"),
    (
        b"coo",
        {"row": np.array([0, 2**64 - 1, 0], np.uint64), "col": np.zeros(3, int)},
        "row holds 18446744073709551615; 0 to 2 fits",
    ),
    (b"coo", {"row": np.zeros(2, int), "col": np.zeros(3, int)}, "row holds 2 elements of int64"),
    (b"dia", {"data": np.ones((1, 3)), "offsets": np.array([4])}, "offsets holds 4; -2 to 3 fits"),
    (b"dia", {"data": np.ones((1, 3)), "offsets": np.array([-3])}, "offsets holds -3; -2 to 3"),
    (b"dia", {"data": np.ones((2, 3)), "offsets": np.array([0])}, "offsets holds 1 elements"),
    (b"bsr", {"data": np.ones((1, 2, 2))}, "found blocks of 2 by 2 in a matrix of the shape (3, 4"),
    (b"bsr", {"data": np.ones((1, 0, 2))}, "found blocks of 0 by 2 in a matrix"),
    (
        b"bsr",
        {"data": BLOCKS, "indices": np.array([2]), "indptr": np.array([0, 1])},
        "indices holds 2; 0 to 1 fits",
    ),
    (b"bsr", {"data": BLOCKS, "indices": np.array([1])}, "indptr holds 4 elements of int64; 2"),
]  # fmt: skip


def saved(folder: Path, arrays: dict[str, Any]) -> Path:
    path = folder / "x.npz"
    usual: dict[str, Any] = {
        "shape": np.array([3, 4]),
        "indptr": np.array([0, 2, 2, 3]),
        "indices": np.array([0, 2, 1]),
        "data": np.array([1.0, 2.0, 3.0]),
        "targets": np.array([1, 2, 1]),
    }
    kept = {name: array for name, array in {**usual, **arrays}.items() if array is not None}
    np.savez(path, **kept)
    return path


@pytest.mark.parametrize(("layout", "arrays", "message"), OTHER_LAYOUTS)
def test_other_layouts_are_looked_at_before_scipy_is_given_them(
    layout: bytes, arrays: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, {"format": np.array(layout), **arrays})
    with pytest.raises(UserError) as error:
        rows_of(source_of(Npz, path))
    assert str(error.value).startswith(f"{path}: the matrix contradicts itself; {message}")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "<f2", "|i1", ">u8", "|b1"])
def test_arrays_of_any_type_and_order_are_read(kind: str, order: str, tmp_path: Path) -> None:
    dense = np.array([[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]])
    rows = [{str(column): 1.0 for column in np.flatnonzero(row)} for row in dense]
    for layout in ("csc", "coo", "dia", "bsr"):
        matrix: Any = sparse.csr_array(dense).asformat(layout)
        sparse.save_npz(tmp_path / "x.npz", matrix)
        with np.load(tmp_path / "x.npz") as arrays:
            members = dict(arrays.items())
        data = np.asarray(members["data"].astype(kind), order=order)  # type: ignore[call-overload]
        path = saved(tmp_path, {**members, "data": data})
        found = [values for _, values in rows_of(source_of(Npz, path))]
        assert [{c: v for c, v in row.items() if v} for row in found] == rows


def test_blocks_of_which_there_are_none_may_be_huge(tmp_path: Path) -> None:
    blocks = {"data": np.empty((0, 10**9, 10**9)), "indices": np.array([], int)}
    shape = {"shape": np.array([0, 10**9]), "indptr": np.array([0]), "targets": np.array([], int)}
    path = saved(tmp_path, {"format": np.array(b"bsr"), **blocks, **shape})
    assert rows_of(source_of(Npz, path)) == []
