"""Data kept between runs: the same from memory, from the disk and without a cache."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sources import DataKeys, held_out_source, train_source, written

from sstrain.data import cache, loading
from sstrain.data.cache import load, scratch
from sstrain.data.dataset import Dataset
from sstrain.data.loading import Splits
from sstrain.data.raw import Report
from sstrain.data.storage import InFolder, InMemory
from sstrain.errors import FailureError, UserError

TEXT = "".join(f"{i % 5} {i % 7 + 1}:1 {i % 11 + 8}:{i}\n" for i in range(300))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("SSTRAIN_DATA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def keys_of(tmp_path: Path, **fitting: Any) -> DataKeys:
    own = held_out_source(written(tmp_path, "1 2:1\n77 9:1 99:1\n", "own"), format="svmlight")
    source = train_source(written(tmp_path, TEXT), format="svmlight", **fitting)
    return DataKeys(source, validation=0.2, test=own)


def assert_same(left: Splits, right: Splits) -> None:
    assert left.by_name().keys() == right.by_name().keys()
    for name, split in left.by_name().items():
        other = right.by_name()[name]
        assert split.arrays.keys() == other.arrays.keys()
        for array, values in split.arrays.items():
            assert values.dtype == other.arrays[array].dtype
            assert np.array_equal(values, other.arrays[array]), (name, array)
        assert split.plain == other.plain
    assert left.vocabulary.classes == right.vocabulary.classes
    assert left.vocabulary.features == right.vocabulary.features
    assert left.vocabulary.fitted == right.vocabulary.fitted
    assert left.files == right.files


def test_a_cache_is_made_said_and_used_again(tmp_path: Path, folder: Path) -> None:
    notes: list[str] = []
    keys = keys_of(tmp_path, min_feature_count=3)
    plain = load(keys, lambda note: None, use_cache=False)
    assert not folder.exists()
    made = load(keys, notes.append)
    (kept,) = folder.iterdir()
    assert notes[-1] == f"data read as svmlight and cached in {kept} (0 MB)"
    again: list[str] = []
    found = load(keys, again.append)
    assert again == [f"data from {kept}", *notes[:-1]]
    assert_same(plain, made)
    assert_same(plain, found)
    assert found.train.nbytes == 0
    assert plain.train.nbytes > 0


def test_content_and_options_are_the_key_and_not_the_path(tmp_path: Path, folder: Path) -> None:
    load(keys_of(tmp_path), print)
    other = tmp_path / "other"
    other.mkdir()
    notes: list[str] = []
    moved = load(keys_of(other), notes.append)
    assert len(list(folder.iterdir())) == 1
    assert moved.train.place(7) == f"{other}/data.txt:7"
    assert moved.files[0].path == f"{other}/data.txt"
    assert str(other / "own") in " ".join(notes)
    assert str(tmp_path / "own") not in " ".join(notes)
    load(keys_of(other, min_feature_count=2), print)
    assert len(list(folder.iterdir())) == 2
    written(other, TEXT + "1 1:1\n")
    load(DataKeys(train_source(other / "data.txt", format="svmlight")), print)
    assert len(list(folder.iterdir())) == 3


def test_a_file_that_moves_to_another_split_is_another_run(tmp_path: Path, folder: Path) -> None:
    texts = (f"{i} {i + 1}:1\n" * (5 + i) for i in range(3))
    a, b, c = (str(written(tmp_path, text, f"{i}.svm")) for i, text in enumerate(texts))

    def keys(train: list[str], validation: list[str]) -> DataKeys:
        held_out = train_source(validation, format="svmlight")
        own = held_out_source(Path(validation[0]), format="svmlight")
        own = own.model_copy(update={"path": held_out.path})
        return DataKeys(train_source(train, format="svmlight"), own)

    first = load(keys([a, b], [c]), print)
    second = load(keys([a], [b, c]), print)
    assert (first.train.num_examples, second.train.num_examples) == (11, 5)
    assert second.validation is not None
    assert second.validation.num_examples == 13
    assert len(list(folder.iterdir())) == 2


def test_an_index_out_of_bounds_is_noticed(tmp_path: Path, folder: Path) -> None:
    keys = keys_of(tmp_path)
    plain = load(keys, print, use_cache=False)
    load(keys, print)
    (kept,) = folder.iterdir()
    for name in ("indices", "targets", "indptr"):
        path = kept / "train" / f"{name}.npy"
        content = path.read_bytes()
        path.write_bytes(content[:-8] + b"\x7f" * 8)
        notes: list[str] = []
        assert_same(plain, load(keys, notes.append))
        assert "damaged; its arrays do not fit together" in notes[0]


def test_caches_that_nothing_uses_go(tmp_path: Path, folder: Path) -> None:
    load(keys_of(tmp_path), print)
    (old,) = folder.iterdir()
    (folder / "mine").mkdir()
    (folder / "mine" / "manifest.json").write_text("{}")
    for manifest in folder.glob("*/manifest.json"):
        os.utime(manifest, (1e9, 1e9))
    load(keys_of(tmp_path), print)  # uses it
    load(keys_of(tmp_path, min_feature_count=2), print)
    assert old.exists()
    os.utime(old / "manifest.json", (1e9, 1e9))
    notes: list[str] = []
    load(keys_of(tmp_path, min_feature_count=3), notes.append)
    assert not old.exists()
    assert (folder / "mine").exists()
    assert notes[0] == f"{old}: removed, for no run has used this cache for 30 days"


@pytest.mark.parametrize("damage", ["manifest", "array", "lost", "vocabulary"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, folder: Path, damage: str) -> None:
    keys = keys_of(tmp_path)
    plain = load(keys, print, use_cache=False)
    load(keys, print)
    (kept,) = folder.iterdir()
    file = {
        "manifest": kept / "manifest.json",
        "array": kept / "train" / "indices.npy",
        "lost": kept / "train" / "values.npy",
        "vocabulary": kept / "classes.txt",
    }[damage]
    if damage == "lost":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-5])
    notes: list[str] = []
    assert_same(plain, load(keys, notes.append))
    assert notes[0].startswith(f"{kept}: made anew, for it cannot be used: ")
    assert load(keys, print).train.num_examples == plain.train.num_examples


def test_what_fails_leaves_no_half(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(UserError):
        load(DataKeys(train_source(written(tmp_path, "1 1:1\nx\n"), format="svmlight")), print)
    assert list(folder.iterdir()) == []


def test_a_full_disk_leaves_no_half(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "write_manifest", full)
    with pytest.raises(FailureError, match="the disk is full; free some, set SSTRAIN_DATA_CACHE"):
        load(keys_of(tmp_path), print)
    assert list(folder.iterdir()) == []


def test_a_file_that_changes_meanwhile_is_refused(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = keys_of(tmp_path)
    read = loading.read_splits

    def changing(data: Any, report: Report, storage: InFolder) -> Splits:
        written(tmp_path, TEXT + "1 1:1\n")
        return read(data, report, storage)

    monkeypatch.setattr(cache, "read_splits", changing)
    with pytest.raises(UserError, match=r"data.txt: has changed while it was read"):
        load(keys, print)
    assert list(folder.iterdir()) == []


def test_without_a_place_for_it_data_stay_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *arguments: Any, **keys: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(cache, "placing_folder", refuse)
    notes: list[str] = []
    splits = load(keys_of(tmp_path), notes.append)
    assert splits.train.nbytes > 0
    assert any("the data are kept in memory" in note for note in notes)


def test_scratch_files_go_and_their_arrays_stay(tmp_path: Path, folder: Path) -> None:
    part = Dataset(
        indptr=np.array([0, 1]),
        indices=np.zeros(1, np.int32),
        values=np.ones(1, np.float32),
        lines=np.ones(1, np.int64),
        targets=np.zeros(1, np.int32),
        weights=np.ones(1, np.float32),
    )
    with scratch() as storage:
        kept = storage.dataset("data", [part, part])
        assert kept.nbytes == 0
    assert list(folder.iterdir()) == []
    assert kept.indptr.tolist() == [0, 1, 2]
    with scratch(use_cache=False) as storage:
        assert isinstance(storage, InMemory)


TRAIN = """\
import resource, sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from sstrain.data.cache import load
from sources import DataKeys, train_source
from sstrain.data.batches import BatchReader, epoch_order
splits = load(DataKeys(train_source(Path(sys.argv[2]), format="svmlight")), print)
# Kernels are compiled before the limit.
epoch_order(1, 0, splits.train.num_examples, 0, 2, 16)
BatchReader(splits.train, splits.vocabulary.num_features).take(epoch_order(1, 0, 9, 0, 2))
limit = int(sys.argv[1])
used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (used + limit, used + limit))
splits = load(DataKeys(train_source(Path(sys.argv[2]), format="svmlight")), print)
train = splits.train
reader = BatchReader(train, splits.vocabulary.num_features)
seen = 0
for start in range(0, train.num_examples, 512):
    ids = epoch_order(1, 0, train.num_examples, start, min(start + 512, train.num_examples), 16)
    seen += reader.take(ids).size
print(seen, sum(array.nbytes for array in train.arrays.values()))
"""


def test_an_epoch_needs_a_tenth_of_the_data_in_memory(tmp_path: Path, folder: Path) -> None:
    rng = np.random.default_rng(0)
    features = np.sort(rng.integers(1, 50, (20_000, 200)).cumsum(axis=1), axis=1)
    lines = (f"{i % 9} " + " ".join(f"{j}:1" for j in row) for i, row in enumerate(features))
    path = written(tmp_path, "\n".join(lines), "large.svm")
    here = [str(Path(__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(3_300_000), str(path), *here],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SSTRAIN_DATA_CACHE": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    seen, num_bytes = map(int, done.stdout.splitlines()[-1].split())
    assert seen == 20_000
    assert num_bytes > 10 * 3_200_000
