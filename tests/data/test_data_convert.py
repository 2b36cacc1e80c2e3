"""``sstrain data convert``: there and back again between stores and text."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sources import train_source, written

from sstrain.data.converting import Form, convert, form_of, written_rows
from sstrain.data.reader import Rows
from sstrain.data.whole import raw_source
from sstrain.errors import FailureError, UserError

#: A row: its labels, each once and in their order, and its features by name.
Row = tuple[list[str], dict[str, float]]

numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
labels = st.lists(st.integers(-3, 2**53).map(str), min_size=1, max_size=4, unique=True)
features = st.dictionaries(st.integers(0, 10**12).map(str), numbers, max_size=5)
some_rows = st.lists(st.tuples(labels, features), min_size=1, max_size=20)


def silent(note: str) -> None:
    pass


def rows_of(path: Path, format: str, **keys: Any) -> list[Row]:
    """Return all rows of a file or store by names."""
    if format in ("svmlight", "xc"):
        keys = {"multilabel": "split", **keys}
    found: list[Row] = []
    with raw_source(train_source(path, format=format, **keys), silent) as raw:
        for chunk in raw.chunks:
            bounds = chunk.label_indptr
            if bounds is None:
                bounds = np.arange(chunk.num_rows + 1)
            for i in range(chunk.num_rows):
                own = chunk.labels[bounds[i] : bounds[i + 1]].tolist()
                part = slice(chunk.indptr[i], chunk.indptr[i + 1])
                names = [str(raw.feature_names[j]) for j in chunk.features[part].tolist()]
                values = dict(zip(names, chunk.values[part].tolist(), strict=True))
                found.append(([raw.label_names[label] for label in own], values))
    return found


def svmlight_of(rows: list[Row]) -> str:
    return "".join(
        f"{','.join(row[0])} {' '.join(f'{i}:{v!r}' for i, v in row[1].items())}\n" for row in rows
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("convert")


def converted(source: Path, format: str, target: Path, form: Form | None = None) -> Path:
    keys = {} if format == "store" else {"multilabel": "split"}
    convert(train_source(source, format=format, **keys), target, form, True, silent)
    return target


@settings(max_examples=30, deadline=None)
@given(some_rows)
def test_svmlight_to_store_to_svmlight(folder: Path, rows: list[Row]) -> None:
    text = written(folder, svmlight_of(rows), "first.svm")
    store = converted(text, "svmlight", folder / "store")
    back = converted(store, "store", folder / "second.svm")
    assert rows_of(text, "svmlight") == rows
    assert rows_of(store, "store") == rows
    assert rows_of(back, "svmlight") == rows


@settings(max_examples=30, deadline=None)
@given(some_rows)
def test_svmlight_to_xc_to_store(folder: Path, rows: list[Row]) -> None:
    """In xc text names are ids; their names stand in files beside it, if they are not the ids."""
    text = written(folder, svmlight_of(rows), "first.svm")
    for path in folder.glob("data.xc*"):
        path.unlink()
    xc = converted(text, "svmlight", folder / "data.xc")
    store = converted(xc, "xc", folder / "of-xc")
    assert rows_of(store, "store") == rows_of(xc, "xc")
    classes, features = names_beside(xc, "classes"), names_beside(xc, "features")
    named = [
        ([classes(label) for label in row[0]], {features(i): v for i, v in row[1].items()})
        for row in rows_of(store, "store")
    ]
    assert named == rows


def names_beside(path: Path, kind: str) -> Any:
    beside = path.with_name(f"{path.name}.{kind}.txt")
    if not beside.exists():
        return lambda number: number
    names = beside.read_text(encoding="utf-8").splitlines()
    return lambda number: names[int(number)]


def test_rows_without_labels_stay(tmp_path: Path) -> None:
    xc = written(tmp_path, "3 2 2\n0,1 0:1\n 1:2\n1 \n", "data.xc")
    expected: list[Row] = [(["0", "1"], {"0": 1.0}), ([], {"1": 2.0}), (["1"], {})]
    store = converted(xc, "xc", tmp_path / "store")
    assert rows_of(store, "store") == expected
    assert rows_of(converted(store, "store", tmp_path / "back.xc"), "xc") == expected
    assert rows_of(converted(store, "store", tmp_path / "back.svm"), "svmlight") == expected


def test_written_rows_have_their_labels_or_none() -> None:
    rows = Rows(
        indptr=np.array([0, 2, 2, 5]),
        features=np.array([0, 1, 2, 0, 1], np.int32),
        values=np.array([1, 2, 3, 4, 5], np.float32),
        labels=np.array([2, -1, 0], np.int32),
        lines=np.array([1, 2, 3]),
    )
    found = written_rows(rows, np.array([0, 1, 4], np.int32), np.array([7, 5, 6], np.int32))
    assert found.indices.tolist() == [7, 5, 6, 7, 5]
    assert found.label_indptr.tolist() == [0, 1, 1, 2]
    assert found.labels.tolist() == [4, 0]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.svm", "svmlight"),
        ("a.svmlight.gz", "svmlight"),
        ("a.b.libsvm", "svmlight"),
        ("a.xc", "xc"),
        ("a.xc.gz", "xc"),
        ("a.store", "store"),
        ("svm", "store"),
    ],
)
def test_the_ending_names_the_form(name: str, form: str) -> None:
    assert form_of(Path("some.svm") / name) == form


@pytest.mark.parametrize("name", ["a.gz", "a.csv", "a.vw", "a.svm.zst"])
def test_an_ending_that_says_nothing_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"its ending says nothing; found '.*'; expected \.store"):
        form_of(Path(name))


def test_what_is_fitted_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "1 1:1\n")
    source = train_source(path, format="svmlight", min_feature_count=2)
    with pytest.raises(UserError, match=r"^--set min_feature_count: plays no part in a conversion"):
        convert(source, tmp_path / "store", None, False, silent)
    hashed = train_source(path, format="svmlight", hash_bits=3, index_base=0)
    convert(hashed, tmp_path / "store", None, False, silent)
    ((_, features),) = rows_of(tmp_path / "store", "store")
    assert [0 <= int(name) < 8 for name in features] == [True]


def test_what_is_there_is_replaced_only_if_asked_for(tmp_path: Path) -> None:
    source = train_source(written(tmp_path, "1 1:1\n", "a.svm"), format="svmlight")
    other = train_source(written(tmp_path, "2 1:1\n", "b.svm"), format="svmlight")
    for name, format in (("store", "store"), ("out.svm", "svmlight")):
        target = tmp_path / name
        convert(source, target, None, False, silent)
        with pytest.raises(UserError, match="exists; give another name, or --overwrite"):
            convert(other, target, None, False, silent)
        assert rows_of(target, format)[0][0] == ["1"]
        convert(other, target, None, True, silent)
        assert rows_of(target, format)[0][0] == ["2"]
    expected = {"a.svm", "b.svm", "store", "out.svm"}
    assert {path.name for path in tmp_path.iterdir()} == expected


def test_what_is_no_store_is_never_replaced_by_one(tmp_path: Path) -> None:
    source = train_source(written(tmp_path, "1 1:1\n", "a.svm"), format="svmlight")
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"format": "sstrain checkpoint"}))
    for target in (folder, written(tmp_path, "dear", "b")):
        with pytest.raises(UserError, match="is no store, so that it is not replaced"):
            convert(source, target, "store", True, silent)
    with pytest.raises(UserError, match="is no file, so that it is not replaced"):
        convert(source, folder, "svmlight", True, silent)
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]


def test_a_file_is_not_converted_onto_itself(tmp_path: Path) -> None:
    path = written(tmp_path, "1 1:1\n", "a.svm")
    link = tmp_path / "link.svm"
    link.symlink_to(path)
    for target in (path, link):
        with pytest.raises(UserError, match="is what is read; give another name"):
            convert(train_source(path, format="svmlight"), target, None, True, silent)
    assert path.read_text() == "1 1:1\n"


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    source = train_source(written(tmp_path, "1 1:1\n"), format="svmlight")
    with pytest.raises(UserError, match=f"there is no folder {tmp_path}/none; make it"):
        convert(source, tmp_path / "none" / "a.svm", None, False, silent)


def test_a_bad_line_leaves_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, "1 1:1\nx\n", "a.svm")
    for name in ("store", "b.svm", "b.xc"):
        with pytest.raises(UserError, match="the label is no number"):
            convert(train_source(path, format="svmlight"), tmp_path / name, None, False, silent)
    assert [path.name for path in tmp_path.iterdir()] == ["a.svm"]


def test_weights_are_kept_in_a_store_and_refused_in_text(tmp_path: Path) -> None:
    source = train_source(written(tmp_path, "a 2 |b c\nb |c\n"), format="vw")
    convert(source, tmp_path / "store", None, False, silent)
    with raw_source(train_source(tmp_path / "store", format="store"), silent) as raw:
        (rows,) = raw.chunks
    assert rows.weights is not None
    assert rows.weights.tolist() == [2, 1]
    with pytest.raises(UserError, match="weights of examples; found 2; expected 1"):
        convert(source, tmp_path / "a.svm", None, False, silent)
    assert not list(tmp_path.glob("*a.svm"))


def test_names_that_are_no_numbers_stand_beside(tmp_path: Path) -> None:
    source = train_source(written(tmp_path, "b a\n"), format="sequence", context=1, positions=0)
    notes: list[str] = []
    convert(source, tmp_path / "a.svm", None, False, notes.append)
    assert (tmp_path / "a.svm.classes.txt").read_text().splitlines() == ["b", "a"]
    assert (
        notes[0] == f"{tmp_path}/a.svm: holds ids; their names are in {tmp_path}/a.svm.classes.txt"
    )
    numbered = train_source(written(tmp_path, "1 1:1\n"), format="svmlight")
    with pytest.raises(UserError, match="exists; give another name"):
        convert(numbered, tmp_path / "a.svm", None, False, silent)
    convert(numbered, tmp_path / "a.svm", None, True, silent)
    assert {path.name for path in tmp_path.iterdir()} == {"data.txt", "a.svm"}


def test_ids_in_xc_are_those_of_the_file_where_they_can(tmp_path: Path) -> None:
    content = "3 3 3\n2,0 2:1.0\n1 0:2.0 1:3.0\n0 2:1.0\n"
    xc = written(tmp_path, content, "a.xc")
    store = converted(xc, "xc", tmp_path / "store")
    back = converted(store, "store", tmp_path / "b.xc")
    assert rows_of(back, "xc") == rows_of(xc, "xc")
    assert back.read_text().splitlines()[0] == "3 3 3"
    assert {path.name for path in tmp_path.iterdir()} == {"a.xc", "b.xc", "store"}


def test_what_fails_leaves_the_old_text_with_its_names(tmp_path: Path) -> None:
    source = train_source(written(tmp_path, "x |c\n", "good"), format="vw")
    convert(source, tmp_path / "a.xc", None, False, silent)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("a.xc*")}
    assert before.keys() == {"a.xc", "a.xc.classes.txt"}
    weighted = train_source(written(tmp_path, "y 2 |d\n", "weighted"), format="vw")
    with pytest.raises(UserError, match="weights of examples"):
        convert(weighted, tmp_path / "a.xc", None, True, silent)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*a.xc*")} == before


def test_groups_are_kept_in_a_store_and_refused_in_text(tmp_path: Path) -> None:
    path = written(tmp_path, "label,user,word\na,1,b\nb,2,c\n", "a.csv")
    source = train_source(path, format="table", target="label", group="user")
    store = tmp_path / "store"
    convert(source, store, None, False, silent)
    for read in (source, train_source(store, format="store")):
        for name in ("a.svm", "a.xc"):
            with pytest.raises(UserError, match=r"no groups of rows, .* split the data first"):
                convert(read, tmp_path / name, None, False, silent)
    assert sorted(tmp_path.iterdir()) == [path, store]


def test_rows_in_memory_that_begin_with_none(tmp_path: Path) -> None:
    """Where there can be no temporary files a chunk of a sequence may have no row at all."""
    lines = "b\n" * 3 + "\n" * 300_000 + "b a\n"
    source = train_source(written(tmp_path, lines), format="sequence", context=1, positions=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSTRAIN_DATA_CACHE", str(written(tmp_path, "", "no folder")))
        convert(source, tmp_path / "a.svm", None, False, silent)
    convert(source, tmp_path / "b.svm", None, False, silent)
    assert (tmp_path / "a.svm").read_bytes() == (tmp_path / "b.svm").read_bytes()


def test_a_store_that_cannot_be_replaced_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = train_source(written(tmp_path, "1 1:1\n", "a.svm"), format="svmlight")
    store = tmp_path / "store"
    convert(source, store, None, False, silent)
    rename = os.rename

    def failing(source: Path, target: Path) -> None:
        if target == store and "partial" in source.name:
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    other = train_source(written(tmp_path, "2 1:1\n", "b.svm"), format="svmlight")
    with pytest.raises(FailureError, match="store: cannot be written; the disk is full"):
        convert(other, store, None, True, silent)
    assert rows_of(store, "store")[0][0] == ["1"]
    assert {path.name for path in tmp_path.iterdir()} == {"a.svm", "b.svm", "store"}
