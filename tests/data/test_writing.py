"""Rows that are written come back equal, and other programs read them too."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from read_rows import NamedRow, rows_of, source_of
from sklearn.datasets import load_svmlight_file

from sstrain.data.formats.svmlight import Svmlight
from sstrain.data.formats.xc import Xc
from sstrain.data.writing import WrittenRows, write_svmlight, write_xc
from sstrain.errors import FailureError, UserError

#: Ids of labels, and values by the ids of features.
IdRow = tuple[list[int], dict[int, float]]

NUM_LABELS, NUM_FEATURES = 6, 9
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
id_rows = st.lists(
    st.tuples(
        st.lists(st.integers(0, NUM_LABELS - 1), unique=True, max_size=4),
        st.dictionaries(st.integers(0, NUM_FEATURES - 1), finite, max_size=5),
    ),
    max_size=9,
)
names = st.sampled_from(["numbers", "ids", "words"])


def rows_from(rows: list[IdRow], weights: Any = None) -> WrittenRows:
    lengths = [(len(features), len(labels)) for labels, features in rows]
    ends = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(lengths, 0).reshape(-1, 2)])
    return WrittenRows(
        indptr=ends[:, 0].astype(np.int64),
        indices=np.array([j for _, row in rows for j in row], np.int32),
        values=np.array([v for _, row in rows for v in row.values()], np.float32),
        label_indptr=ends[:, 1].astype(np.int64),
        labels=np.array([label for labels, _ in rows for label in labels], np.int32),
        weights=weights,
    )


def in_chunks(rows: list[IdRow]) -> Iterator[WrittenRows]:
    yield rows_from(rows[:2])
    yield rows_from(rows[2:])


def names_for(kind: str, count: int, lowest: int) -> list[str]:
    if kind == "numbers":  # falling, so that the order of ids is not that of the numbers
        return [str(7 * (count - i) + lowest) for i in range(count)]
    return [str(i) if kind == "ids" else f"name {i}" for i in range(count)]


def read_back(
    kind: type[Svmlight] | type[Xc], path: Path, features_in: Path, labels_in: Path
) -> list[NamedRow]:
    """Return the rows, with ids replaced by what stands in the files of names."""
    tables = [
        {str(i): name for i, name in enumerate(file.read_text().splitlines())}
        if file.exists()
        else None
        for file in (labels_in, features_in)
    ]
    return [
        (
            [tables[0][label] if tables[0] else label for label in labels],
            {tables[1][j] if tables[1] else j: value for j, value in row.items()},
        )
        for labels, row in rows_of(source_of(kind, path, multilabel="split"))
    ]


@settings(max_examples=150, deadline=None)
@given(rows=id_rows, labels=names, features=names, suffix=st.sampled_from(["", ".gz"]))
@example(rows=[([], {})], labels="numbers", features="numbers", suffix="")
@example(
    rows=[([0], {0: 1 + 2.0**-23, 1: 16777216.0, 2: 2.0**-149})],
    labels="ids",
    features="ids",
    suffix="",
)
@pytest.mark.parametrize("format", ["svmlight", "xc"])
def test_rows_come_back_equal(
    format: str,
    rows: list[IdRow],
    labels: str,
    features: str,
    suffix: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("written") / f"rows.txt{suffix}"
    label_names = names_for(labels, NUM_LABELS, -20)
    feature_names = names_for(features, NUM_FEATURES, 0)
    if format == "xc":
        files = write_xc(path, in_chunks(rows), label_names, feature_names, len(rows))
    else:
        files = write_svmlight(path, in_chunks(rows), label_names, feature_names)
    assert sorted(files) == sorted(path.parent.iterdir())
    beside = [path.with_name(f"{path.name}.{what}.txt") for what in ("features", "classes")]
    found = read_back(Xc if format == "xc" else Svmlight, path, *beside)
    assert found == [
        ([label_names[i] for i in ids], {feature_names[j]: v for j, v in row.items()})
        for ids, row in rows
    ]


def test_numbers_are_written_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.svm"
    rows = rows_from([([0], {1: 0.1, 0: 1.0}), ([1, 0], {}), ([], {2: -3e10})])
    assert write_svmlight(path, [rows], ["-3", "7"], ["10", "2", "5"]) == [path]
    assert path.read_text() == "-3 2:0.1 10:1\n7,-3\n 5:-3e+10\n"
    assert write_xc(path, [rows], ["0", "1"], ["0", "1", "2"], 3) == [path]
    assert path.read_text() == "3 3 2\n0 0:1 1:0.1\n1,0\n 2:-3e+10\n"


@pytest.mark.parametrize("odd", ["a", "1.0", "01", "+1", "", "-0", "9" * 19, "1 "])
def test_names_that_are_no_numbers_go_to_files_beside(odd: str, tmp_path: Path) -> None:
    path = tmp_path / "a.svm.gz"
    rows = rows_from([([1], {1: 2.0})])
    files = write_svmlight(path, [rows], ["5", odd], [odd, "ü b"])
    assert [file.name for file in files] == [
        "a.svm.gz",
        "a.svm.gz.classes.txt",
        "a.svm.gz.features.txt",
    ]
    assert gzip.decompress(path.read_bytes()) == b"1 1:2\n"
    assert files[1].read_text() == f"5\n{odd}\n"
    assert files[2].read_text() == f"{odd}\nü b\n"


def test_labels_may_be_negative_and_features_may_not(tmp_path: Path) -> None:
    rows = rows_from([([0], {0: 2.0})])
    files = write_svmlight(tmp_path / "a", [rows], ["-1"], ["-1"])
    assert [file.name for file in files] == ["a", "a.features.txt"]
    assert (tmp_path / "a").read_text() == "-1 0:2\n"


def test_scikit_learn_reads_what_is_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows: list[IdRow] = [
        (
            rng.choice(NUM_LABELS, 2, replace=False).tolist(),
            {int(j): float(np.float32(rng.normal())) for j in rng.permutation(NUM_FEATURES)[:4]},
        )
        for _ in range(500)
    ]
    path = tmp_path / "a.svm"
    labels = [str(i) for i in range(NUM_LABELS)]
    write_svmlight(path, [rows_from(rows)], labels, [str(i) for i in range(NUM_FEATURES)])
    x, y = load_svmlight_file(str(path), multilabel=True, zero_based=True, dtype=np.float32)
    assert [set(labels) for labels in y] == [set(labels) for labels, _ in rows]
    assert [dict(zip(row.indices, row.data, strict=True)) for row in x] == [row for _, row in rows]


@settings(max_examples=80, deadline=None)
@given(rows=id_rows, size=st.integers(1, 4))
def test_rows_are_written_in_slices(
    rows: list[IdRow], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("slices")
    labels, features = [str(i) for i in range(NUM_LABELS)], [str(i) for i in range(NUM_FEATURES)]
    write_svmlight(folder / "whole", [rows_from(rows)], labels, features)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sstrain.data.writing._ENTRIES", size)
        write_svmlight(folder / "sliced", [rows_from(rows)], labels, features)
    assert (folder / "sliced").read_bytes() == (folder / "whole").read_bytes()


@settings(max_examples=200, deadline=None)
@given(bits=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50))
def test_every_float32_comes_back(
    bits: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    values = np.array(bits, np.uint32).view(np.float32)
    values = values[np.isfinite(values)]
    path = tmp_path_factory.mktemp("values") / "a"
    ends = np.array([0, len(values)])
    rows = WrittenRows(ends, np.arange(len(values)), values, np.array([0, 0]), np.empty(0, int))
    write_svmlight(path, [rows], [], [str(j) for j in range(len(values))])
    assert rows_of(source_of(Svmlight, path, multilabel="split"))[0][1] == {
        str(j): value for j, value in enumerate(values.tolist())
    }


def test_what_the_formats_cannot_hold_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    good = rows_from([([0], {0: 1.0})], np.ones(1, np.float32))
    weighted = rows_from([([0], {0: 1.0})] * 2, np.array([1, 0.5], np.float32))
    with pytest.raises(UserError, match=r"no weights of examples; found 0.5; expected 1"):
        write_svmlight(path, [good, weighted], ["1"], ["1"])
    with pytest.raises(UserError, match="a value is not finite"):
        write_xc(path, [good, rows_from([([0], {0: np.inf})])], ["0"], ["0"], 2)
    with pytest.raises(UserError, match=r"a name holds a line's end; found 'a\\nb'"):
        write_svmlight(path, [good], ["a\nb"], ["1"])
    with pytest.raises(ValueError, match="1 rows for a header of 2"):
        write_xc(path, [good], ["0"], ["0"], 2)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]
    with pytest.raises(FailureError, match=r"none/a: cannot be written: No such file"):
        write_svmlight(tmp_path / "none" / "a", [good], ["1"], ["1"])


def test_equal_rows_are_equal_files(tmp_path: Path) -> None:
    rows = rows_from([([0], {0: 1.0})])
    for name in ("a.gz", "b.gz"):
        write_svmlight(tmp_path / name, [rows], ["1"], ["1"])
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
