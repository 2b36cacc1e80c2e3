"""A vocabulary on disk."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sstrain.data.vocabulary import VOCABULARY_FILES, Vocabulary
from sstrain.errors import FailureError, UserError

SMALL = Vocabulary(
    classes=["the", "of"],
    class_counts=np.array([5, 3]),
    features=["bag:the", "-1:of", ""],
    feature_counts=np.array([4, 4, 1]),
    fitted={"index_base": 0},
)

names = st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])))


@settings(max_examples=80, deadline=None)
@given(classes=names, features=names)
def test_what_is_saved_comes_back(
    classes: list[str], features: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("vocabulary")
    classes, features = list(dict.fromkeys(classes)), list(dict.fromkeys(features))
    saved = Vocabulary(
        classes, np.arange(len(classes)), features, np.arange(len(features)), {"a": [1]}
    )
    saved.save(folder)
    loaded = Vocabulary.load(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(VOCABULARY_FILES)
    assert (loaded.classes, loaded.features, loaded.fitted) == (classes, features, {"a": [1]})
    assert np.array_equal(loaded.class_counts, saved.class_counts)
    assert np.array_equal(loaded.feature_counts, saved.feature_counts)
    assert loaded.class_counts.dtype == loaded.feature_counts.dtype == np.int64


def test_names_are_lines_of_text(tmp_path: Path) -> None:
    SMALL.save(tmp_path)
    assert (tmp_path / "classes.txt").read_bytes() == b"the\nof\n"
    assert (tmp_path / "features.txt").read_bytes() == b"bag:the\n-1:of\n\n"
    assert json.loads((tmp_path / "fitted.json").read_text()) == {"index_base": 0}


def test_equal_vocabularies_are_equal_files(tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        SMALL.save(tmp_path / name)
        contents.append([(tmp_path / name / file).read_bytes() for file in VOCABULARY_FILES])
    assert contents[0] == contents[1]


@pytest.mark.parametrize("name", VOCABULARY_FILES)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "noise"])
def test_a_damaged_file_is_named(name: str, damage: str, tmp_path: Path) -> None:
    SMALL.save(tmp_path)
    path = tmp_path / name
    content = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": content[:-1], "noise": b"\xff\xfe"}.get(damage, b""))
    if damage == "missing":
        path.unlink()
    if damage == "cut" and name == "fitted.json":
        assert Vocabulary.load(tmp_path).fitted == SMALL.fitted  # a newline alone
        return
    with pytest.raises(UserError) as error:
        Vocabulary.load(tmp_path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_name_that_stands_twice_is_damage(tmp_path: Path) -> None:
    SMALL.save(tmp_path)
    (tmp_path / "classes.txt").write_text("the\nthe\n")
    with pytest.raises(UserError, match=r"classes\.txt: damaged"):
        Vocabulary.load(tmp_path)


def test_no_file_runs_code(tmp_path: Path) -> None:
    SMALL.save(tmp_path)
    array = np.array([{"not": "plain"}, 2], dtype=object)
    np.savez(tmp_path / "counts.npz", class_counts=array, feature_counts=SMALL.feature_counts)
    with pytest.raises(UserError, match=r"counts\.npz: damaged"):
        Vocabulary.load(tmp_path)
    (tmp_path / "counts.npz").write_bytes(pickle.dumps([1]))
    with pytest.raises(UserError, match=r"counts\.npz: damaged"):
        Vocabulary.load(tmp_path)


def test_a_folder_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(FailureError, match=r"classes\.txt: cannot be written"):
        SMALL.save(tmp_path / "none")


def test_numbered_features(tmp_path: Path) -> None:
    def numbers(features: list[str]) -> list[int]:
        counts = np.ones(len(features), np.int64)
        vocabulary = Vocabulary([], np.empty(0, np.int64), features, counts)
        return [int(number) for number in vocabulary.feature_numbers]

    assert numbers(["0", "7", "100000000000"]) == [0, 7, 100000000000]
    assert numbers([]) == []
    for damaged in (["1", "a"], ["2", "1"], ["9" * 30]):
        with pytest.raises(UserError, match=r"features\.txt: damaged"):
            numbers(damaged)


def test_the_log_prior_sums_to_one() -> None:
    assert np.allclose(np.exp(SMALL.log_prior()), [5 / 8, 3 / 8])
