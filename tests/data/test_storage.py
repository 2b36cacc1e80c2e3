"""Rows and splits in files: what is read back is what was written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sources import DataKeys, held_out_source, train_source, written

from sstrain.data import storage
from sstrain.data.array_files import ArrayFiles, map_arrays
from sstrain.data.cache import load
from sstrain.data.dataset import Dataset, concatenated
from sstrain.data.manifest import verify
from sstrain.data.raw import read_source
from sstrain.data.reader import Rows
from sstrain.data.storage import InMemory, StoredRows, read_dataset, write_dataset, write_rows
from sstrain.data.storing import convert_to_store
from sstrain.errors import FailureError, UserError


@st.composite
def row_parts(draw: st.DrawFn) -> list[Rows]:
    """Return the parts of a reader's rows, all of one make."""
    has_sets, has_weights, has_groups = (draw(st.booleans()) for _ in range(3))
    parts = []
    for size in draw(st.lists(st.integers(0, 9), min_size=1, max_size=4)):
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        counts, label_counts = rng.integers(0, 4, size), rng.integers(0, 3, size)
        num_labels = int(label_counts.sum()) if has_sets else size
        parts.append(
            Rows(
                indptr=np.cumsum([0, *counts]),
                features=rng.integers(0, 50, counts.sum()).astype(np.int32),
                values=rng.normal(size=counts.sum()).astype(np.float32),
                labels=rng.integers(0, 5, num_labels).astype(np.int32),
                lines=rng.integers(1, 99, size),
                label_indptr=np.cumsum([0, *label_counts]) if has_sets else None,
                weights=rng.random(size).astype(np.float32) if has_weights else None,
                groups=rng.integers(0, 9, size) if has_groups else None,
            )
        )
    return parts


def as_lists(rows: Rows) -> Iterator[tuple[Any, ...]]:
    """Yield each row as plain values."""
    for i in range(rows.num_rows):
        part = slice(rows.indptr[i], rows.indptr[i + 1])
        labels = slice(i, i + 1)
        if rows.label_indptr is not None:
            labels = slice(rows.label_indptr[i], rows.label_indptr[i + 1])
        others = (rows.weights, rows.groups)
        yield (
            rows.features[part].tolist(),
            rows.values[part].tolist(),
            rows.labels[labels].tolist(),
            int(rows.lines[i]),
            *(None if array is None else array[i] for array in others),
        )


@settings(max_examples=60, deadline=None)
@given(parts=row_parts(), chunk_rows=st.integers(1, 9), chunk_entries=st.integers(1, 9))
def test_rows_come_back_in_chunks_of_any_size(
    parts: list[Rows],
    chunk_rows: int,
    chunk_entries: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder, parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "_CHUNK_ROWS", chunk_rows)
        patch.setattr(storage, "_CHUNK_ENTRIES", chunk_entries)
        chunks = list(StoredRows(folder))
        again = list(StoredRows(folder))
    found = [row for chunk in chunks for row in as_lists(chunk)]
    assert found == [row for part in parts for row in as_lists(part)]
    assert len(again) == len(chunks)
    for chunk in chunks:
        assert 0 < chunk.num_rows <= chunk_rows
        assert chunk.indptr[0] == 0
        assert len(chunk.features) <= chunk_entries or chunk.num_rows == 1


def dataset_part(seed: int, has_rows: bool) -> Dataset:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, rng.integers(0, 6))
    examples = rng.integers(1, 3, len(counts))
    num_examples = int(examples.sum()) if has_rows else len(counts)
    return Dataset(
        indptr=np.cumsum([0, *counts]),
        indices=rng.integers(0, 50, counts.sum()).astype(np.int32),
        values=rng.normal(size=counts.sum()).astype(np.float32),
        lines=rng.integers(1, 99, len(counts)),
        targets=rng.integers(-1, 5, num_examples).astype(np.int32),
        weights=rng.random(num_examples).astype(np.float32),
        rows=np.repeat(np.arange(len(counts)), examples) if has_rows else None,
        num_empty=seed,
        unknown_label="x" if seed == 2 else None,
        unknown_line=7 if seed == 2 else 0,
        files=(("a", 0), ("b", 9)),
    )


@pytest.mark.parametrize("has_rows", [False, True])
@pytest.mark.parametrize("seeds", [[0], [1, 2, 3], [3, 4, 5, 6]])
def test_splits_are_the_same_in_memory_and_in_files(
    seeds: list[int], has_rows: bool, tmp_path: Path
) -> None:
    parts = [dataset_part(seed, has_rows) for seed in seeds]
    kept = concatenated(parts)
    plain = write_dataset(tmp_path / "split", parts)
    mapped = read_dataset(tmp_path / "split", plain)
    assert mapped.plain == kept.plain
    assert kept.num_empty == sum(seeds)
    assert kept.unknown_label == ("x" if 2 in seeds else None)
    assert kept.unknown_line == (7 if 2 in seeds else 0)
    assert mapped.arrays.keys() == kept.arrays.keys()
    for name, array in kept.arrays.items():
        assert np.array_equal(array, mapped.arrays[name])
        assert array.dtype == mapped.arrays[name].dtype
        assert not mapped.arrays[name].flags.writeable
    starts = np.cumsum([0, *(part.num_rows for part in parts)])
    for part, start in zip(parts, starts, strict=False):
        stop = start + part.num_rows
        assert np.array_equal(np.diff(kept.indptr[start : stop + 1]), np.diff(part.indptr))


def test_arrays_are_plain_npy_files(tmp_path: Path) -> None:
    pieces = [np.arange(5, dtype=np.int32), np.empty(0, np.int32), np.array([9], np.int32)]
    with ArrayFiles(tmp_path) as files:
        for piece in pieces:
            files.append("numbers", piece)
        files.append("none", np.empty(0, np.float32))
        with pytest.raises(TypeError):
            files.append("numbers", np.zeros(1, np.int64))
        files.finish()
    assert np.load(tmp_path / "numbers.npy").tolist() == [0, 1, 2, 3, 4, 9]
    mapped = map_arrays(tmp_path)
    assert mapped["none"].shape == (0,)
    assert mapped["numbers"].tolist() == [0, 1, 2, 3, 4, 9]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of three rows."""
    source = train_source(written(tmp_path, "3 1:1 4:0.5\n5\n3 2:7\n"), format="svmlight")
    convert_to_store(source, tmp_path / "store", lambda note: None)
    return tmp_path / "store"


def raw_of(folder: Path) -> Any:
    source = train_source([str(folder)], format="store")
    return read_source(source, {}, lambda note: None, InMemory())


def named(folder: Path) -> list[tuple[str, dict[int, float]]]:
    raw = raw_of(folder)
    names: NDArray[np.int64] = raw.feature_names
    return [
        (raw.label_names[labels[0]], dict(zip(names[features].tolist(), values, strict=True)))
        for chunk in raw.chunks
        for features, values, labels, *_ in as_lists(chunk)
    ]


def test_a_store_holds_what_was_converted(store: Path) -> None:
    assert named(store) == [("3", {1: 1.0, 4: 0.5}), ("5", {}), ("3", {2: 7.0})]
    assert raw_of(store).fitted["index_base"] == 1
    assert verify(store) == []


@pytest.mark.parametrize("name", ["rows/values.npy", "labels.txt", "feature_numbers.npy"])
def test_damage_to_a_store_is_noticed(store: Path, name: str) -> None:
    content = (store / name).read_bytes()
    (store / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert verify(store) == [f"{store / name}: damaged; its SHA-256 is not that of manifest.json"]
    (store / name).write_bytes(content[:-1])
    with pytest.raises(UserError, match=r"damaged; found \d+ bytes; expected \d+ bytes"):
        named(store)
    (store / name).unlink()
    with pytest.raises(UserError, match="damaged; found no such file"):
        named(store)


def test_arrays_that_point_out_of_bounds_are_refused(store: Path) -> None:
    path = store / "rows" / "features.npy"
    features = np.load(path)
    features[0] = 1_000_000
    content = path.read_bytes()
    path.write_bytes(content[:128] + features.tobytes())
    with pytest.raises(UserError, match="its arrays do not fit together"):
        named(store)


def test_several_stores_are_one_source(store: Path, tmp_path: Path) -> None:
    other = train_source(written(tmp_path, "9 4:2 77:1\n", "other"), format="svmlight")
    convert_to_store(other, tmp_path / "second", lambda note: None)
    source = train_source([str(store), str(tmp_path / "second")], format="store")
    raw = read_source(source, {}, lambda note: None, InMemory())
    assert raw.label_names == ["3", "5", "9"]
    assert np.asarray(raw.feature_names).tolist() == [1, 4, 2, 77]
    assert raw.num_lines == 4
    assert [line for chunk in raw.chunks for line in chunk.lines] == [1, 2, 3, 4]
    assert raw.files == ((str(store), 0), (str(tmp_path / "second"), 3))


def converted(folder: Path, name: str, text: str, **keys: Any) -> str:
    """Return the path of a store of a text."""
    source = train_source(written(folder, text, f"{name}.in"), **keys)
    convert_to_store(source, folder / name, lambda note: None)
    return str(folder / name)


def test_stores_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    stores = {
        "svmlight": converted(tmp_path, "a", "3 1:1\n", format="svmlight"),
        "xc": converted(tmp_path, "b", "1 9 9\n3 1:1\n", format="xc"),
        "text": converted(tmp_path, "c", "a\tb c\n", format="text"),
        "hashed": converted(tmp_path, "d", "a\tb c\n", format="text", hash_bits=9),
    }
    for first, second, problem in (
        ("svmlight", "xc", "was made with other options than the stores before it"),
        ("xc", "text", "its features have names, those of the stores before it numbers"),
        ("text", "hashed", "was made with hash_bits: 9, and cannot be hashed again"),
    ):
        mixed = train_source([stores[first], stores[second]], format="store")
        with pytest.raises(UserError, match=problem):
            read_source(mixed, {}, lambda note: None, InMemory())
    source = train_source([stores["hashed"]], format="store", hash_bits=8)
    with pytest.raises(UserError, match="hash_bits: 9, and cannot be hashed again; expected 8"):
        read_source(source, {"hash_bits": 8}, lambda note: None, InMemory())
    with pytest.raises(UserError, match="is no store; expected a folder that sstrain data convert"):
        raw_of(tmp_path / "a.in")


@pytest.mark.parametrize("cached", [False, True])
def test_stores_with_and_without_weights_and_sets_of_labels(tmp_path: Path, cached: bool) -> None:
    plain = converted(tmp_path, "a", "3 |f x\n5 |f y\n", format="vw")
    sets = converted(tmp_path, "b", "2 9 9\n3,4 1:1\n5 2:1\n", format="xc", multilabel="split")
    single = converted(tmp_path, "c", "1 9 9\n7 1:1\n", format="xc")
    for paths, labels in (((sets, single), ["3", "4", "5", "7"]), ((single, sets), None)):
        source = train_source(list(paths), format="store")
        splits = load(DataKeys(source), lambda note: None, cached)
        assert splits.train.num_examples == 4
        assert sorted(splits.train.weights.tolist()) == [0.5, 0.5, 1, 1]
        assert sorted(splits.vocabulary.classes) == sorted(labels or ["3", "4", "5", "7"])
    assert load(DataKeys(train_source([plain], format="store")), print).train.num_examples == 2


@pytest.mark.parametrize("bits", [None, 12])
def test_a_hashed_store_is_hashed_once(tmp_path: Path, bits: int | None) -> None:
    text = "".join(f"{i % 5} {i % 7 + 1}:1 {i % 11 + 8}:{i}\n" for i in range(60))
    path = converted(tmp_path, "h", text, format="svmlight", hash_bits=12)
    direct = load(
        DataKeys(train_source(tmp_path / "h.in", format="svmlight", hash_bits=12)), print, False
    )
    source = train_source([path], format="store", hash_bits=bits)
    keys = DataKeys(source, held_out_source(Path(path), format="store"))
    splits = load(keys, print, False)
    assert splits.vocabulary.features == direct.vocabulary.features
    assert splits.vocabulary.fitted == direct.vocabulary.fitted
    assert splits.validation is not None
    for split in (splits.train, splits.validation):
        assert split.num_unknown_features == 0
        assert np.array_equal(split.indices, direct.train.indices)
        assert np.array_equal(split.values, direct.train.values)


def test_rare_classes_of_a_store_are_left_out_of_training(tmp_path: Path) -> None:
    text = "1 9 9\n" + "".join(f"{i} 1:1\n" for i in (1, 1, 2, 1, 2, 3))
    path = converted(tmp_path, "s", text.replace("1 9", "6 9", 1), format="xc")
    sets = text.replace("1 9", "7 9", 1) + "1,4 2:1\n"
    split = converted(tmp_path, "m", sets, format="xc", multilabel="split")
    for name, expected, left_out in ((path, 5, 1), (split, 6, 2)):
        source = train_source([name], format="store", min_count=2)
        notes: list[str] = []
        train = load(DataKeys(source), notes.append, False).train
        assert train.num_examples == expected
        assert (train.targets >= 0).all()
        assert notes[0] == f"train: {left_out} examples left out, whose labels are no classes"


def test_a_numeric_column_of_a_hashed_store_is_not_scaled(tmp_path: Path) -> None:
    path = converted(tmp_path, "t", "y,a\nx,1\nz,2\n", format="table", target="y")
    with pytest.raises(UserError, match="hashed features cannot be scaled; found hash_bits: 3 and"):
        load(DataKeys(train_source([path], format="store", hash_bits=3)), print, False)


def test_a_full_disk_leaves_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: ArrayFiles, name: str, array: NDArray[Any]) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ArrayFiles, "append", full)
    source = train_source(written(tmp_path, "3 1:1\n"), format="svmlight")
    with pytest.raises(FailureError, match="store: cannot be written; the disk is full"):
        convert_to_store(source, tmp_path / "store", lambda note: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.txt"]
