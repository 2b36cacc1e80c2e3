"""From files to splits: what is held out, what is fitted, what is said."""

import gzip
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sources import DataKeys, held_out_source, named_rows, train_source, written

from sstrain.data.cache import load
from sstrain.data.dataset import Dataset
from sstrain.data.loading import load_split
from sstrain.data.splitting import LineSplit
from sstrain.data.storage import InMemory
from sstrain.errors import UserError

TEXT = "".join(f"{i % 5} {i % 7 + 1}:1 {i % 11 + 8}:{i}\n" for i in range(300))


def quiet(note: str) -> None:
    pass


def same(left: Dataset | None, right: Dataset | None) -> bool:
    assert left is not None
    assert right is not None
    names = ("indptr", "indices", "values", "targets", "weights", "lines")
    counts = ("num_skipped", "num_unknown_labels", "num_unknown_features", "unknown_label")
    return all(np.array_equal(getattr(left, n), getattr(right, n)) for n in names) and all(
        getattr(left, n) == getattr(right, n) for n in counts
    )


def test_a_share_is_held_out_by_line(tmp_path: Path) -> None:
    source = train_source(written(tmp_path, TEXT), format="svmlight")
    splits = load(DataKeys(source, validation=0.2, test=0.1, split_seed=3), quiet)
    lines = np.arange(1, 301)
    for name, dataset in (
        ("train", splits.train),
        ("validation", splits.validation),
        ("test", splits.test),
    ):
        assert dataset is not None
        expected = lines[LineSplit(3, 0.2, 0.1).holds(name, lines)]  # type: ignore[arg-type]
        assert dataset.lines.tolist() == expected.tolist()
    assert len(splits.datasets()) == 3
    rows = TEXT.splitlines()
    assert splits.test is not None
    for line, (label, features) in zip(
        splits.test.lines, named_rows(splits.test, splits.vocabulary), strict=True
    ):
        own, *tokens = rows[line - 1].split()
        assert label == own
        assert features == {
            key: float(value)
            for key, value in (token.split(":") for token in tokens)
            if key in splits.vocabulary.features
        }


def test_a_split_depends_on_its_own_seed_and_the_line_alone(tmp_path: Path) -> None:
    source = train_source(written(tmp_path, TEXT), format="svmlight")

    def test_lines(source: Any, **keys: Any) -> list[int]:
        split = load(DataKeys(source, test=0.1, **keys), quiet).test
        assert split is not None
        return [int(line) for line in split.lines]

    other = train_source(written(tmp_path, "1 1:1\n" * 300, "other"), format="svmlight")
    fewer = train_source(written(tmp_path, TEXT, "fewer"), format="svmlight", min_feature_count=99)
    lines = test_lines(source)
    assert test_lines(other) == lines
    assert test_lines(fewer) == lines
    assert test_lines(source, validation=0.3) == lines
    assert test_lines(source, split_seed=1) != lines


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), data=st.data())
def test_the_vocabulary_never_sees_a_held_out_line(
    seed: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fit")
    rows = data.draw(st.lists(st.sampled_from(["1 1:1", "2 2:1", "3 3:1"]), min_size=8))
    split = LineSplit(seed, 0.25, 0.25)
    lines = np.arange(1, len(rows) + 1)
    is_training = split.holds("train", lines)
    if not is_training.any() or any(
        not split.holds(name, lines).any() for name in ("validation", "test")
    ):
        return
    vocabularies = []
    for held_out in ("7 7:1", "8 9:1 10:1"):
        changed = [row if used else held_out for row, used in zip(rows, is_training, strict=True)]
        source = train_source(written(folder, "\n".join(changed)), format="svmlight")
        keys = DataKeys(source, validation=0.25, test=0.25, split_seed=seed)
        splits = load(keys, quiet)
        vocabularies.append(splits.vocabulary)
        assert splits.validation is not None
        assert splits.validation.num_unknown_labels == splits.validation.num_examples
    first, second = vocabularies
    assert first.classes == second.classes
    assert first.features == second.features
    assert first.class_counts.tolist() == second.class_counts.tolist()
    assert first.feature_counts.tolist() == second.feature_counts.tolist()


def test_classes_and_features_are_in_order_and_rare_features_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "10 5:1 30:1\n9 5:1 4:1\n10 4:1\n9 30:1\n3 5:1 2:1\n10\n")
    source = train_source(path, format="svmlight", min_feature_count=2)
    vocabulary = load(DataKeys(source), quiet).vocabulary
    assert vocabulary.classes == ["10", "9", "3"]
    assert vocabulary.class_counts.tolist() == [3, 2, 1]
    assert vocabulary.features == ["4", "5", "30"]
    assert vocabulary.feature_counts.tolist() == [2, 3, 2]


@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_a_split_is_read_again_as_it_was(name: Any, tmp_path: Path) -> None:
    source = train_source(written(tmp_path, TEXT), format="svmlight", min_feature_count=3)
    own = held_out_source(written(tmp_path, "1 2:1\n77 9:1 99:1\n", "own"), format="svmlight")
    for keys in (
        DataKeys(source, validation=0.2, test=0.1),
        DataKeys(source, validation=own, test=0.1),
        DataKeys(source, validation=0.1, test=own),
    ):
        splits = load(keys, quiet)
        again = load_split(keys, splits.vocabulary, name, quiet, InMemory())
        assert same(again, getattr(splits, name))
    assert load_split(DataKeys(source), splits.vocabulary, "test", quiet, InMemory()) is None


def test_several_files_are_one_source(tmp_path: Path) -> None:
    lines = TEXT.splitlines(keepends=True)
    parts = [
        written(tmp_path, "".join(lines[:100]).removesuffix("\n"), "a"),
        written(tmp_path, gzip.compress("".join(lines[100:250]).encode()), "b"),
        written(tmp_path, "".join(lines[250:]), "c"),
    ]
    whole = train_source(written(tmp_path, TEXT), format="svmlight")
    split = train_source([str(part) for part in parts], format="svmlight")
    left = load(DataKeys(whole, test=0.2), quiet)
    right = load(DataKeys(split, test=0.2), quiet)
    assert same(left.train, right.train)
    assert same(left.test, right.test)
    assert [right.train.place(line) for line in (1, 100, 101, 250, 251)] == [
        f"{parts[0]}:1",
        f"{parts[0]}:100",
        f"{parts[1]}:1",
        f"{parts[1]}:150",
        f"{parts[2]}:1",
    ]
    assert left.train.place(17) == f"{whole.path[0]}:17"
    assert [(file.path, file.bytes, file.sha256) for file in right.files] == [
        (str(part), part.stat().st_size, hashlib.sha256(part.read_bytes()).hexdigest())
        for part in parts
    ]


def test_files_of_held_out_sources_are_described_too(tmp_path: Path) -> None:
    paths = [written(tmp_path, f"1 1:{i}\n", str(i)) for i in range(3)]
    validation, test = (held_out_source(path, format="svmlight") for path in paths[1:])
    keys = DataKeys(train_source(paths[0], format="svmlight"), validation, test)
    assert [file.path for file in load(keys, quiet).files] == [str(path) for path in paths]


def test_what_is_said(tmp_path: Path) -> None:
    source = train_source(written(tmp_path, "1 1:1\n2 2:1\n3\n"), format="svmlight")
    own = written(tmp_path, "1 1:1\n# none\n8 1:1 3:1\n9 4:1 5:1\n", "own")
    notes: list[str] = []
    splits = load(DataKeys(source, held_out_source(own, format="svmlight")), notes.append, False)
    assert notes == [
        "train: 1 of 3 examples have no feature",
        f"validation: 2 of 3 examples have a label that training never saw, such as '8' ({own}:3)",
        "validation: 3 features ignored that the model does not have",
        "validation: 1 of 3 examples have no feature",
    ]
    assert splits.validation is not None
    assert splits.validation.targets.tolist() == [0, -1, -1]


def test_rows_of_labels_alone_train_a_bias(tmp_path: Path) -> None:
    notes: list[str] = []
    splits = load(
        DataKeys(train_source(written(tmp_path, "1\n2\n"), format="svmlight")),
        notes.append,
        use_cache=False,
    )
    assert splits.vocabulary.num_features == 0
    assert splits.train.indptr.tolist() == [0, 0, 0]
    assert notes == [
        "train: 2 of 2 examples have no feature",
        "train: no feature is left; the model is its bias alone",
    ]


def test_empty_splits_are_refused(tmp_path: Path) -> None:
    few = train_source(written(tmp_path, "1 1:1\n2 1:1\n"), format="svmlight")
    with pytest.raises(UserError) as error:
        load(DataKeys(few, validation=1e-9), quiet)
    assert str(error.value) == (
        "validation: no examples; none of 2 lines falls into the split; hold out a larger share, "
        "or give a file of its own"
    )
    with pytest.raises(UserError) as error:
        load(DataKeys(few, validation=0.999999999), quiet)
    assert str(error.value) == (
        "data.train: no training example; found 2 lines, and all examples among them held out; "
        "hold out less, or give another split_seed"
    )
    words = train_source(written(tmp_path, "a b c\na b\n", "w"), format="sequence", min_count=3)
    with pytest.raises(UserError) as error:
        load(DataKeys(words), quiet)
    assert str(error.value) == (
        "data.train: no class; no label stands 3 times in the training lines; lower min_count"
    )
    gone = held_out_source(tmp_path / "gone", format="svmlight")
    with pytest.raises(UserError, match="gone: no such file"):
        load(DataKeys(few, validation=gone), quiet)
