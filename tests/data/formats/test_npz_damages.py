"""``npz`` files that are damaged, absurd or something else: one message, nothing allocated."""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from read_rows import chunks_of, names_of, rows_of, source_of
from scipy import sparse

from sstrain.data.bad_lines import BadLines
from sstrain.data.formats.npz import Npz
from sstrain.data.reading import Reading
from sstrain.data.sample import sample_of
from sstrain.errors import UserError

ARRAYS: dict[str, Any] = {
    "format": np.array(b"csr"),
    "shape": np.array([3, 4]),
    "indptr": np.array([0, 2, 2, 3]),
    "indices": np.array([0, 3, 1]),
    "data": np.array([1.0, 2.0, 3.0]),
    "targets": np.array([1, 2, 1]),
}


def saved(folder: Path, **arrays: Any) -> Path:
    path = folder / "x.npz"
    kept = {name: array for name, array in {**ARRAYS, **arrays}.items() if array is not None}
    np.savez(path, **kept)
    return path


def mistake(path: Path, **keys: Any) -> str:
    with pytest.raises(UserError) as error:
        rows_of(source_of(Npz, path, **keys))
    return str(error.value)


@pytest.mark.parametrize("layout", ["csr", b"csr"])
def test_the_arrays_are_whole_as_they_are(layout: str | bytes, tmp_path: Path) -> None:
    assert rows_of(source_of(Npz, saved(tmp_path, format=layout))) == [
        (["1"], {"0": 1.0, "3": 2.0}),
        (["2"], {}),
        (["1"], {"1": 3.0}),
    ]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"indptr": np.array([0, 2, 1, 3])}, "the matrix contradicts itself; indptr does not rise"),
        ({"indptr": np.array([0, 2, 2, 4])}, "the matrix contradicts itself; indptr does not rise"),
        ({"indptr": np.array([0, -2, 2, 3])}, "the matrix contradicts itself; indptr does not"),
        ({"indptr": np.array([1, 2, 2, 3])}, "the matrix contradicts itself; indptr begins with 1"),
        (
            {"indptr": np.array([0, 2, 3])},
            "the matrix contradicts itself; found 3 rows in shape, 2",
        ),
        ({"indptr": np.array([0.0, 2, 2, 3])}, "indptr and indices are no whole numbers"),
        (
            {"indices": np.array([0, 4, 1])},
            "row 1: a column that is not there; found 4; expected one from 0 to 3",
        ),
        ({"indices": np.array([0, 3, -1])}, "row 3: a column that is not there; found -1"),
        ({"indices": np.array([0, 3])}, "the matrix contradicts itself; found 3 rows"),
        ({"data": np.array([1j, 2, 3])}, "the values are no real numbers; found complex128"),
        ({"data": np.array(["1", "2", "3"])}, "the values are no real numbers; found <U1"),
        ({"data": np.array([1, 2, None])}, "data.npy: holds Python objects, which are never"),
        ({"data": np.ones((3, 1))}, "data.npy: expected one dimension; found the shape (3, 1)"),
        (
            {"shape": np.array([10**12, 4])},
            "the matrix contradicts itself; found 1,000,000,000,000",
        ),
        ({"shape": np.array([3, -4])}, "shape is none of a matrix; found [3, -4]"),
        ({"shape": np.array([3])}, "shape is none of a matrix; found [3]"),
        ({"shape": np.zeros(9999)}, "damaged, or no file of numpy's; shape.npy has 80,120 bytes"),
        ({"format": np.array("lil")}, "no layout of scipy's that is known; found 'lil'"),
        ({"format": np.array([1, 2])}, "no layout of scipy's that is known; found ''"),
        (
            {"format": None},
            "no sparse matrix; found the arrays 'data', 'indices', 'indptr', 'shape', "
            "'targets'; expected those that scipy.sparse.save_npz writes",
        ),
        (
            {"indices": None},
            "no layout of scipy's that is known; found 'csr'; expected csr, csc, "
            "coo, bsr, dia, with its arrays",
        ),
        ({"format": np.array(b"csc"), "data": np.array(["a"])}, "the values are no real numbers"),
        ({"format": np.array(b"coo"), "shape": np.array([3.0, 4])}, "shape is none of a matrix;"),
        ({"format": np.array(b"coo"), "shape": np.array([3, 2**60])}, "shape is none of a matrix;"),
        (
            {"format": np.array(b"csc"), "shape": np.array([10**12, 3])},
            "shape is none of a matrix that is here; found [1000000000000, 3] for",
        ),
    ],
)
def test_arrays_that_contradict_each_other(
    arrays: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, **arrays)
    assert mistake(path).startswith(f"{path}: {message}")


def test_rows_are_counted_over_the_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sstrain.data.formats.npz_matrix._ROWS", 2)
    for array, message in (
        ({"indices": np.array([0, 3, 9])}, "row 3: a column that is not there; found 9"),
        ({"data": np.array([1, 2, np.nan])}, "row 3: the value is no finite number; found nan"),
        ({"targets": np.array([1, 2, np.nan])}, "row 3: no label; found nan"),
    ):
        path = saved(tmp_path, **array)
        assert mistake(path).startswith(f"{path}: {message}")


def with_member(path: Path, name: str, content: bytes) -> None:
    """Write an archive anew with another content of one member."""
    with zipfile.ZipFile(path) as archive:
        members = {other: archive.read(other) for other in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for other, old in members.items():
            archive.writestr(other, content if other == name else old)


@pytest.mark.filterwarnings("error")
def test_whole_numbers_are_labels_in_each_type_and_as_python_2_wrote_them(tmp_path: Path) -> None:
    for labels in (np.array([1, 2048, 1], np.float16), np.array([1, 2048, 1], ">u2")):
        found = rows_of(source_of(Npz, saved(tmp_path, targets=labels)))
        assert [names for names, _ in found] == [["1"], ["2048"], ["1"]]
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (3L,), }".ljust(117) + b"\n"
    path = saved(tmp_path)
    labels = np.array([1, 5, 1])
    with_member(path, "targets.npy", b"\x93NUMPY\1\0v\0" + header + labels.tobytes())
    assert [names for names, _ in rows_of(source_of(Npz, path))] == [["1"], ["5"], ["1"]]


@pytest.mark.parametrize("code_point", [0xD800, 0xDCFF, 0x110000, 0x650000])
def test_a_label_of_what_is_no_character_is_a_bad_row(code_point: int, tmp_path: Path) -> None:
    labels = np.array(["a", "b", "c"])
    labels.view(np.uint32)[1] = code_point
    path = saved(tmp_path, targets=labels)
    message = mistake(path)
    assert message.startswith(f"{path}: row 2: the label is no UTF-8; found ")
    assert message.isprintable()
    reader, chunks = chunks_of(source_of(Npz, path), bad_lines=BadLines(skip=True))
    assert [names for names, _ in names_of(reader, chunks)] == [["a"], ["c"]]


def test_names_of_arrays_are_shown_in_quotes(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(12):
            archive.writestr(f"a\x1b[2J{number:02}" + 1000 * "b", b"")
    message = mistake(path)
    assert message.startswith(f"{path}: no sparse matrix; found the arrays 'a\\x1b[2J00bbb")
    assert "... and 2 more; expected those" in message
    assert message.isprintable()
    assert len(message) < 1000


@pytest.mark.filterwarnings("error")
def test_the_file_is_closed_whatever_is_wrong(tmp_path: Path) -> None:
    path = saved(tmp_path, indptr=np.array([0, 2, 2, 4]))
    before = len(os.listdir("/proc/self/fd"))
    errors = []
    for _ in range(3):
        with pytest.raises(UserError) as error:
            rows_of(source_of(Npz, path))
        errors.append(error)  # with the frames, and the members that they hold
        assert len(os.listdir("/proc/self/fd")) == before


def test_an_array_that_says_it_is_huge_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    for layout in (b"csr", b"csc"):
        path = saved(tmp_path, format=np.array(layout))
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
        )
        with_member(path, "data.npy", header.getvalue() + b"\0" * 24)
        assert "says that it has (1000000000000,) elements, in 152 bytes" in mistake(path)


def test_what_is_no_matrix_or_no_file(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    assert mistake(path) == f"{path}: no such file"
    assert mistake(tmp_path).startswith(f"{tmp_path}: is read in no fixed order; found no plain")
    path.write_bytes(b"1 1:1\n")
    assert mistake(path).startswith(f"{path}: damaged, or no file of numpy's; File is not a zip")
    np.savez(path, x=np.ones(3))
    assert mistake(path).startswith(f"{path}: no sparse matrix; found the arrays 'x'; expected")
    os.mkfifo(tmp_path / "pipe")
    assert mistake(tmp_path / "pipe").startswith(f"{tmp_path}/pipe: is read in no fixed order")


def test_targets_stand_in_one_place(tmp_path: Path) -> None:
    path, targets = saved(tmp_path), tmp_path / "y.npy"
    np.save(targets, ARRAYS["targets"])
    assert mistake(path, targets_path=str(targets)) == (
        f"{path}: where are the labels? found both; expected an array 'targets' in the file, or "
        "targets_path"
    )
    path = saved(tmp_path, targets=None)
    reader = source_of(Npz, tmp_path / "x", targets_path=str(targets)).at(str(path)).reader({})
    with pytest.raises(UserError, match=r"found none; expected an array 'targets' in the file$"):
        list(reader.chunks(Reading([str(path)])))
    assert mistake(path, targets_path=str(tmp_path / "z")) == f"{tmp_path / 'z'}: no such file"
    with pytest.raises(ValidationError, match="found 1 path and 2 targets_path"):
        source_of(Npz, path, targets_path=["a", "b"])


@settings(max_examples=400, deadline=None)
@given(
    layout=st.sampled_from([b"csr", b"csc", b"coo"]),
    compressed=st.booleans(),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1),
    length=st.floats(0.3, 1.0),
    apart=st.booleans(),
)
@pytest.mark.filterwarnings("ignore")
def test_any_damage_is_a_message(
    layout: bytes,
    compressed: bool,
    changes: list[tuple[float, int]],
    length: float,
    apart: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    path, targets = folder / "x.npz", folder / "y.npy"
    x: Any = sparse.csr_matrix((ARRAYS["data"], ARRAYS["indices"], ARRAYS["indptr"]), (3, 4))
    sparse.save_npz(path, x.asformat(layout.decode()), compressed)
    np.save(targets, ARRAYS["targets"])
    damaged = targets if apart else path
    data = bytearray(damaged.read_bytes())
    data = data[: max(1, int(len(data) * length))]
    for place, byte in changes:
        data[int(place * len(data))] = byte
    damaged.write_bytes(data)
    message = str(folder)
    try:
        rows_of(source_of(Npz, path, targets_path=str(targets)))
    except UserError as error:
        message = str(error)
    assert message.startswith(str(folder))


def test_what_looks_like_a_matrix(tmp_path: Path) -> None:
    assert Npz.fits(sample_of(str(saved(tmp_path))))
    path = tmp_path / "y.npz"
    np.savez(path, targets=np.ones(3))
    assert not Npz.fits(sample_of(str(path)))
    path.write_bytes(b"PK\x03\x04 and no more")
    assert not Npz.fits(sample_of(str(path)))
    path.write_bytes(b"1 1:1\n")
    assert not Npz.fits(sample_of(str(path)))
    assert not Npz.fits(sample_of(str(tmp_path)))
