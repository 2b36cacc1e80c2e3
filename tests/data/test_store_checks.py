"""Stores that someone else made, or that are damaged: one message, whatever they hold."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from read_rows import chunks_of, names_of, source_of
from sources import train_source, written

from sstrain.data.formats.store import Store
from sstrain.data.storing import convert_to_store
from sstrain.errors import UserError

TEXTS = {
    "xc": "4 6 5\n0,3 0:1.0 4:0.25\n2 1:1 5:2e-3\n 2:1\n1 3:1\n",
    "vw": "1 2 |a x:2 y\n3 0.5 |b z z\n",
    "table": "label,site,hour,price\nx,a,3,1.5\ny,b,4,\nx,,5,-2\n",
    "sequence": "in the beginning\n\nthe end\n",
}
KEYS: dict[str, dict[str, Any]] = {
    "xc": {"multilabel": "split"},
    "table": {"target": "label", "group": "hour", "categorical": ["site"], "numeric": ["price"]},
}

Arrays = dict[str, Any]


def stored(folder: Path, format: str) -> Path:
    source = train_source(written(folder, TEXTS[format]), format=format, **KEYS.get(format, {}))
    convert_to_store(source, folder / "store", lambda note: None)
    return folder / "store"


def mended(store: Path, **values: Any) -> None:
    """Write the sizes that the files have, and other values, into the manifest."""
    path = store / "manifest.json"
    manifest = {**json.loads(path.read_text()), **values}
    for name, record in manifest["files"].items():
        record["bytes"] = (store / name).stat().st_size
    path.write_text(json.dumps(manifest))


def mistake(store: Path) -> str:
    with pytest.raises(UserError) as error:
        chunks_of(source_of(Store, store))
    message = str(error.value)
    assert message.startswith(str(store))
    assert message.isprintable()
    assert len(message) < 500 + len(str(store))
    return message


@pytest.mark.parametrize("format", TEXTS)
def test_a_store_of_each_kind_is_sound(format: str, tmp_path: Path) -> None:
    store = stored(tmp_path, format)
    source = train_source(tmp_path / "data.txt", format=format, **KEYS.get(format, {}))
    reader, chunks = chunks_of(source_of(Store, store))
    of_text, text_chunks = chunks_of(source)
    assert names_of(reader, chunks) == names_of(of_text, text_chunks)
    assert reader.fitted() == of_text.fitted()
    assert reader.scaled_features() == of_text.scaled_features()
    assert reader.predicts_tokens == of_text.predicts_tokens


@pytest.mark.parametrize(
    ("format", "name", "change", "message"),
    [
        ("xc", "features", lambda x: x - 1, "features is out of bounds"),
        ("xc", "features", lambda x: x + 1, "features is out of bounds"),
        ("xc", "features", lambda x: 0 * x, "features is out of bounds"),
        ("xc", "features", lambda x: x.astype(np.int64), "features is of type int64"),
        ("xc", "features", lambda x: x.astype(">i4"), "features is of type >i4"),
        ("xc", "features", lambda x: x[:-1], "features has 5 elements, not 6"),
        ("xc", "features", lambda x: x[:, None], "features.npy: found int32 of the shape (6, 1)"),
        ("xc", "features", lambda x: x.astype(str), "features.npy: found <U11 of the shape (6,)"),
        ("xc", "values", lambda x: x + np.float32(np.nan), "values is out of bounds"),
        ("xc", "values", lambda x: x * np.float32(np.inf), "values is out of bounds"),
        ("xc", "indptr", lambda x: x[::-1].copy(), "indptr does not begin with 0, or has another"),
        ("xc", "indptr", lambda x: x[:-1], "indptr does not begin with 0, or has another length"),
        ("xc", "indptr", lambda x: x[:0], "indptr does not begin with 0, or has another length"),
        ("xc", "indptr", lambda x: x[[0, 3, 1, 1, 4]], "indptr is out of bounds"),
        (
            "xc",
            "indptr",
            lambda x: np.array([0, 2**63 - 1, -(2**63), 5, 6]),
            "indptr is out of bounds",
        ),
        ("xc", "label_indptr", lambda x: x[[0, 3, 1, 3, 4]], "label_indptr is out of bounds"),
        ("xc", "label_indptr", lambda x: x[:-1], "label_indptr does not begin with 0"),
        ("xc", "labels", lambda x: x - 1, "labels is out of bounds"),
        ("xc", "labels", lambda x: 0 * x, "labels is out of bounds"),
        ("vw", "labels", lambda x: x - 2, "labels is out of bounds"),
        ("vw", "labels", lambda x: x + 1, "labels is out of bounds"),
        ("vw", "weights", lambda x: -x, "weights is out of bounds"),
        ("vw", "weights", lambda x: x / np.float32(0), "weights is out of bounds"),
        ("vw", "weights", lambda x: x[:1], "weights has 1 elements, not 2"),
        ("vw", "lines", lambda x: x - 1, "lines is out of bounds"),
        ("vw", "lines", lambda x: x + 1, "lines is out of bounds"),
        ("vw", "lines", lambda x: x[::-1].copy(), "lines is out of bounds"),
        ("table", "groups", lambda x: x.astype(np.float64), "groups is of type float64"),
        ("table", "groups", lambda x: x[:2], "groups has 2 elements, not 3"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_arrays_that_no_reader_gives(
    format: str, name: str, change: Callable[[Any], Any], message: str, tmp_path: Path
) -> None:
    store = stored(tmp_path, format)
    path = store / "rows" / f"{name}.npy"
    np.save(path, change(np.load(path)))
    mended(store)
    assert f": damaged; {message}" in mistake(store).replace("its arrays do not fit together: ", "")


def test_rows_are_looked_at_over_their_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sstrain.data.storage._CHUNK_ROWS", 1)
    store = stored(tmp_path, "vw")
    path = store / "rows" / "lines.npy"
    np.save(path, np.array([2, 1]))
    mended(store)
    assert "lines is out of bounds" in mistake(store)


def test_arrays_that_are_missing_or_too_many(tmp_path: Path) -> None:
    store = stored(tmp_path, "xc")
    content = (store / "rows" / "values.npy").read_bytes()
    mended(store, files={})
    (store / "rows" / "values.npy").unlink()
    assert "found the arrays features, indptr, label_indptr, labels, lines" in mistake(store)
    (store / "rows" / "values.npy").write_bytes(content)
    (store / "rows" / "val\x1bues.npy").write_bytes(content)
    assert "label_indptr, labels, lines, val\\x1bues, values" in mistake(store)


def test_names_that_are_none(tmp_path: Path) -> None:
    store = stored(tmp_path, "vw")
    for content, message in (
        (b"1\n1\n", "labels.txt: damaged; a name stands there twice"),
        (b"1\n3", "labels.txt: damaged; the last line has no end"),
        (b"1\n\xff\n", "labels.txt: cannot be read; 'utf-8' codec can't decode byte 0xff"),
        (b"1\n", "its arrays do not fit together: labels is out of bounds"),
    ):
        (store / "labels.txt").write_bytes(content)
        mended(store)
        assert message in mistake(store)
    (tmp_path / "numbers").mkdir()
    numbers = stored(tmp_path / "numbers", "xc")
    for array, message in (
        (np.array([-1, 1, 2, 3, 4, 5]), "the features have other numbers than int64 from 0"),
        (np.arange(6, dtype=np.int32), "the features have other numbers than int64 from 0"),
        (np.zeros(6, np.int64), "a name stands there twice"),
        (np.arange(5), "features is out of bounds"),
        (np.array([None]), "holds Python objects, which are never unpickled"),
    ):
        np.save(numbers / "feature_numbers.npy", array, allow_pickle=True)
        mended(numbers)
        assert message in mistake(numbers)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_lines": "2"}, "num_lines: Input should be a valid integer"),
        ({"num_lines": True}, "num_lines: Input should be a valid integer"),
        ({"num_lines": -1}, "num_lines: Input should be greater than or equal to 0"),
        ({"num_lines": 10**30}, "num_lines: "),
        ({"num_lines": 1}, "lines is out of bounds"),
        ({"predicts_tokens": 1}, "predicts_tokens: Input should be a valid boolean"),
        ({"scaled": ["a"]}, "scaled: Input should be a valid dictionary"),
        ({"scaled": {"a\x1b": "other"}}, "scaled.a\\x1b: Input should be 'standard' or 'max_abs'"),
        ({"fitted": {"hash_bits": 31}}, "fitted.hash_bits: Input should be less than or equal"),
        ({"fitted": {"index_base": 2}}, "fitted.index_base: Input should be 0 or 1"),
        ({"fitted": {"columns": {"a": "date"}}}, "fitted.columns.a: Input should be 'categorical'"),
        ({"fitted": {"more": 1}}, "fitted.more: Extra inputs are not permitted"),
        ({"format": "\x1b" + 9999 * "x"}, "is no store; found '\\x1bxxx"),
        ({"version": [9999 * "x"]}, "is from another version of sstrain; found ['xxx"),
        ({"files": 1}, "expected the size and SHA-256 of each file"),
    ],
)
def test_manifests_that_nothing_writes(
    values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    store = stored(tmp_path, "vw")
    path = store / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    assert message in mistake(store)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a\x1b", 999 * "x", "a\0"])
def test_files_of_a_manifest_that_are_none_of_a_store(name: str, tmp_path: Path) -> None:
    store = stored(tmp_path, "vw")
    path = store / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = {"bytes": 1, "sha256": ""}
    path.write_text(json.dumps(manifest))
    assert "damaged; expected the size and SHA-256 of each file" in mistake(store)


def test_sizes_that_no_file_has(tmp_path: Path) -> None:
    store = stored(tmp_path, "vw")
    path = store / "manifest.json"
    manifest = json.loads(path.read_text())
    for size in (-1, 10**4000, 1.0, "1"):
        manifest["files"]["labels.txt"]["bytes"] = size
        path.write_text(json.dumps(manifest))
        assert "damaged; expected the size and SHA-256 of each file" in mistake(store)
