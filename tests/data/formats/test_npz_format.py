"""``npz`` files: scipy's matrices in every layout, labels of every kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from read_rows import NamedRow, chunks_of, names_of, rows_of, source_of
from scipy import sparse

from sstrain.data.bad_lines import BadLines
from sstrain.data.files import DataFile
from sstrain.data.formats.npz import Npz
from sstrain.data.reading import Reading
from sstrain.errors import UserError

FOREIGN = Path(sparse.__file__).parent / "tests/data"
LABELS = np.array([3, -1, 3, 0])


def matrix(num_rows: int = 4, num_columns: int = 6, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    return sparse.random(num_rows, num_columns, 0.5, "csr", np.float32, rng)


def saved(folder: Path, x: Any, targets: Any = None, name: str = "x.npz", **options: Any) -> Path:
    """Return what `save_npz` writes, with the targets added if there are any."""
    path = folder / name
    sparse.save_npz(path, x, **options)
    if targets is not None:
        with np.load(path) as archive:
            np.savez_compressed(path, **archive, targets=targets)
    return path


def expected(x: Any, labels: list[str]) -> list[NamedRow]:
    x = sparse.csr_matrix(x)
    return [
        ([label], dict(zip(map(str, row.indices.tolist()), row.data.tolist(), strict=True)))
        for row, label in zip(x, labels, strict=True)
    ]


def mistake(path: Path | list[Path], **keys: Any) -> str:
    with pytest.raises(UserError) as error:
        rows_of(source_of(Npz, path, **keys))
    return str(error.value)


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "dia", "bsr"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_every_layout_is_read(layout: str, compressed: bool, kind: str, tmp_path: Path) -> None:
    x: Any = matrix() if kind == "matrix" else sparse.csr_array(matrix())
    path = saved(tmp_path, x.asformat(layout), compressed=compressed)
    targets = tmp_path / "y.npy"
    np.save(targets, LABELS)
    found = rows_of(source_of(Npz, path, targets_path=str(targets)))
    if layout in ("dia", "bsr"):  # which store zeros too
        found = [(labels, {j: v for j, v in row.items() if v}) for labels, row in found]
    assert found == expected(x, ["3", "-1", "3", "0"])


@pytest.mark.parametrize("name", ["csc_py2.npz", "csc_py3.npz"])
@pytest.mark.filterwarnings("ignore:Reading `.npy` or `.npz` file required additional header")
def test_the_files_of_scipys_own_tests(name: str, tmp_path: Path) -> None:
    x = sparse.load_npz(FOREIGN / name)
    targets = tmp_path / "y.txt"
    targets.write_text("".join(f"row {row}\n" for row in range(x.shape[0])))
    found = rows_of(source_of(Npz, FOREIGN / name, targets_path=str(targets)))
    assert found == expected(x, [f"row {row}" for row in range(x.shape[0])])


@pytest.mark.parametrize(
    ("targets", "labels"),
    [
        (np.array([3, -1, 3, 0], np.int8), ["3", "-1", "3", "0"]),
        (np.array([3, 2**64 - 1, 3, 0], np.uint64), ["3", str(2**64 - 1), "3", "0"]),
        (np.array([3, -1, 3, -0.0]), ["3", "-1", "3", "0"]),
        (np.array([3, -1, 3, 0], ">f4"), ["3", "-1", "3", "0"]),
        (np.array([True, False, True, True]), ["1", "0", "1", "1"]),
        (np.array(["a b", "ü", "3.0", " "]), ["a b", "ü", "3.0", " "]),
        (np.array(["a b", "ü", "3.0", " "]).astype(object), None),
        (np.array(["a", "b", "a", "c"], "S"), ["a", "b", "a", "c"]),
    ],
)
def test_targets_of_every_kind(targets: Any, labels: list[str] | None, tmp_path: Path) -> None:
    x = matrix()
    path = saved(tmp_path, x, targets)
    if labels is None:
        assert mistake(path) == (
            f"{path}: targets.npy: holds Python objects, which are never unpickled; expected "
            "numbers or text of a fixed width, as numpy.asarray(labels, dtype=str)"
        )
        return
    assert rows_of(source_of(Npz, path)) == expected(x, labels)
    apart = tmp_path / "y.npy"
    np.save(apart, targets)
    source = source_of(Npz, saved(tmp_path, x), targets_path=str(apart))
    assert rows_of(source) == expected(x, labels)


@settings(max_examples=60, deadline=None)
@given(
    num_rows=st.integers(0, 9),
    num_columns=st.integers(1, 9),
    seed=st.integers(0, 99),
    index=st.sampled_from([np.int32, np.int64]),
    value=st.sampled_from([np.float32, np.float64, np.int16, np.bool_]),
)
def test_any_matrix_comes_back(
    num_rows: int,
    num_columns: int,
    seed: int,
    index: type,
    value: type,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    x = matrix(num_rows, num_columns, seed).astype(value)
    x.indices, x.indptr = x.indices.astype(index), x.indptr.astype(index)
    targets = np.random.default_rng(seed).integers(-3, 3, num_rows)
    path = saved(tmp_path_factory.mktemp("npz"), x, targets)
    labels = [str(label) for label in targets.tolist()]
    assert rows_of(source_of(Npz, path)) == expected(x.astype(np.float32), labels)


def test_many_rows_come_in_parts_and_several_files_one_after_another(tmp_path: Path) -> None:
    x = sparse.random(40_000, 50, 0.1, "csr", np.float32, np.random.default_rng(0))
    dense_row = sparse.csr_matrix(np.ones((1, 50), np.float32))
    paths = [saved(tmp_path, x, name="x.npz"), saved(tmp_path, dense_row, name="y.npz")]
    targets = [tmp_path / "x.txt", tmp_path / "y.npy"]
    targets[0].write_text("".join(f"{row % 700}\n" for row in range(40_000)))
    np.save(targets[1], [5])
    source = source_of(Npz, paths, targets_path=[str(path) for path in targets])
    files: list[DataFile] = []
    reader, reading = source.reader({}), Reading(source.path, files.append)
    chunks = list(reader.chunks(reading))
    assert len(chunks) > 3
    assert np.concatenate([rows.lines for rows in chunks]).tolist() == list(range(1, 40_002))
    names = expected(x, [str(row % 700) for row in range(40_000)]) + expected(dense_row, ["5"])
    assert names_of(reader, chunks) == names
    assert {file.path for file in files} == {str(path) for path in paths + targets}
    assert {file.bytes for file in files} == {path.stat().st_size for path in paths + targets}
    assert reading.num_lines == 40_001


def test_entries_of_one_column_are_added_up(tmp_path: Path) -> None:
    x = sparse.csr_matrix(
        (np.array([1, 2, 4, 8], np.float32), np.array([5, 1, 5, 0]), np.array([0, 3, 4])), (2, 6)
    )
    path = saved(tmp_path, x, [1, 2])
    assert rows_of(source_of(Npz, path)) == [(["1"], {"1": 2, "5": 5}), (["2"], {"0": 8})]
    hashed = rows_of(source_of(Npz, path), fitted={"hash_bits": 1})
    assert [sum(row.values()) for _, row in hashed] == [7, 8]


def test_rows_need_no_targets_to_be_predicted(tmp_path: Path) -> None:
    x = matrix()
    reader = source_of(Npz, saved(tmp_path, x)).reader({}, labelled=False)
    chunks = list(reader.chunks(Reading([str(tmp_path / "x.npz")])))
    assert names_of(reader, chunks) == [([], row) for _, row in expected(x, [""] * 4)]


@pytest.mark.parametrize(
    ("value", "label", "message"),
    [
        (
            np.nan,
            "a",
            "row 2: the value is no finite number; found nan in column 1; expected a "
            "finite number up to 3.403e+38",
        ),
        (
            -np.inf,
            "a",
            "row 2: the value is no finite number; found -inf in column 1; expected a "
            "finite number up to 3.403e+38",
        ),
        (
            1e39,
            "a",
            "row 2: the value is no finite number; found 1e+39 in column 1; expected a "
            "finite number up to 3.403e+38",
        ),
        (1, "", "row 2: no label; found ''; expected a text that is not empty"),
        (
            1,
            "a\nb",
            "row 2: the label holds a line's end or a NUL; found 'a\\nb'; expected text of "
            "one line",
        ),
        (1, np.nan, "row 2: no label; found nan; expected a whole number from -2^53 to 2^53"),
        (1, 1.5, "row 2: no label; found 1.5; expected a whole number from -2^53 to 2^53"),
        (1, 1e30, "row 2: no label; found 1e+30; expected a whole number from -2^53 to 2^53"),
        (1, b"\xff", "row 2: the label is no UTF-8; found b'\\xff'; expected text"),
    ],
)
def test_a_bad_row_stops_or_is_left_out(
    value: float, label: Any, message: str, tmp_path: Path
) -> None:
    x = sparse.csr_matrix(np.array([[1.0, 0], [0, value], [3, 4]]))
    others = {str: "a", bytes: b"a", float: 1.0}[type(label)]
    path = saved(tmp_path, x, np.array([others, label, others]))
    assert mistake(path) == f"{path}: {message}"
    skipped = BadLines(skip=True)
    reader, (rows,) = chunks_of(source_of(Npz, path), bad_lines=skipped)
    name = "1" if others == 1.0 else "a"
    assert names_of(reader, [rows]) == [([name], {"0": 1.0}), ([name], {"0": 3.0, "1": 4.0})]
    assert reader.label_names == [name]
    assert rows.lines.tolist() == [1, 3]
    assert skipped.messages == [f"{path}: {message}"]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (
            np.eye(4),
            "targets.npy: expected one label a row; found an array of the shape (4, 4); "
            "give targets.argmax(axis=1) of one-hot rows, targets.ravel() of one column",
        ),
        (np.array(3), "targets.npy: expected one label a row; found an array of the shape ()"),
        (np.ones(4, complex), "targets.npy: no labels; found elements of the type complex128"),
        (np.array(["a" * 2000] * 4), "targets.npy: no labels; found elements of the type <U2000"),
        (np.zeros(4, "M8[s]"), "targets.npy: no labels; found elements of the type datetime64"),
        (np.zeros(4, [("a", int)]), "targets.npy: no labels; found elements of the type [('a'"),
        (np.ones(3, int), "targets.npy: 3 labels for 4 rows; expected a label for each row"),
        (
            None,
            "where are the labels? found none; expected an array 'targets' in the file, or "
            "targets_path",
        ),
    ],
)
def test_targets_that_are_no_labels_are_refused(
    targets: NDArray[Any] | None, message: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, matrix(), targets)
    assert mistake(path).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"1\n2\n3\n", "4: fewer labels than rows"),
        (b"1\n2\n3\n4\n\n5\n", "6: more labels than rows; found '5'"),
        (b"1\n2\n3\xff\n4\n", "3:2: the label is no UTF-8; found '3\\\\xff'; expected text"),
        (b"1\n2\n" + b"3" * 5000 + b"\n4\n", "3: a label is longer than 4,096 bytes"),
    ],
)
def test_texts_that_are_no_labels_are_refused(text: bytes, message: str, tmp_path: Path) -> None:
    targets = tmp_path / "y.txt"
    targets.write_bytes(text)
    path = saved(tmp_path, matrix())
    assert mistake(path, targets_path=str(targets)).startswith(f"{targets}:{message}")
