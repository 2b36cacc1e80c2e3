"""What is fitted to training rows beside the vocabulary: most frequent features, tf-idf, scales."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sources import DataKeys, train_source, written

from sstrain import kernels
from sstrain.data.cache import load
from sstrain.data.dataset import Dataset
from sstrain.data.loading import Splits
from sstrain.data.splitting import LineSplit
from sstrain.errors import UserError

ROWS = [{j: (i * j) % 5 + 0.5 for j in range(1, 12) if (i + j) % 3 or j == 1} for i in range(60)]
TEXT = "".join(
    f"{i % 4} " + " ".join(f"{j}:{value}" for j, value in row.items()) + "\n"
    for i, row in enumerate(ROWS)
)


def splits_of(tmp_path: Path, text: str = TEXT, **keys: Any) -> Splits:
    source = train_source(written(tmp_path, text), format="svmlight", **keys)
    return load(DataKeys(source, test=0.3, split_seed=1), lambda note: None, use_cache=False)


def matrix(dataset: Dataset, num_features: int) -> csr_matrix:
    shape = (dataset.num_rows, num_features)
    return csr_matrix((dataset.values, dataset.indices, dataset.indptr), shape)


@pytest.mark.parametrize("norm", ["none", "l2"])
def test_tf_idf_is_scikit_learns_fitted_to_the_training_rows(tmp_path: Path, norm: str) -> None:
    plain = splits_of(tmp_path)
    ours = splits_of(tmp_path, tf_idf=True, normalize=norm)
    num_features = plain.vocabulary.num_features
    theirs = TfidfTransformer(norm=None if norm == "none" else norm)
    theirs.fit(matrix(plain.train, num_features))
    assert ours.test is not None
    assert plain.test is not None
    for left, right in ((plain.train, ours.train), (plain.test, ours.test)):
        expected = theirs.transform(matrix(left, num_features)).toarray()
        assert np.allclose(matrix(right, num_features).toarray(), expected, rtol=1e-6)


def test_l2_normalisation_alone(tmp_path: Path) -> None:
    train = splits_of(tmp_path, TEXT + "1\n1 99:0\n", normalize="l2").train
    norms = np.sqrt(np.add.reduceat(train.values.astype(np.float64) ** 2, train.indptr[:-1][:40]))
    assert np.allclose(norms[:39], 1, atol=1e-6)


@given(
    most=st.integers(1, 12),
    least=st.integers(1, 40),
    hash_bits=st.sampled_from([None, 3, 20]),
)
@settings(max_examples=30, deadline=None)
def test_the_most_frequent_features_are_kept(
    most: int, least: int, hash_bits: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("most")
    every = splits_of(folder, hash_bits=hash_bits, min_feature_count=least).vocabulary
    kept = splits_of(
        folder, hash_bits=hash_bits, min_feature_count=least, max_features=most
    ).vocabulary
    counts = dict(zip(every.features, every.feature_counts.tolist(), strict=True))
    expected = sorted(every.features, key=lambda name: (-counts[name], int(name)))[:most]
    assert kept.features == sorted(expected, key=int)


def test_hashed_features_are_the_sums_of_what_they_hold(tmp_path: Path) -> None:
    plain, hashed = splits_of(tmp_path), splits_of(tmp_path, hash_bits=2)
    assert hashed.vocabulary.fitted["hash_bits"] == 2
    assert hashed.vocabulary.num_features <= 4
    indices = np.array([int(name) for name in plain.vocabulary.features])
    buckets = np.empty(len(indices), np.int64)
    kernels.hash_numbers(indices, 2, buckets)
    place = [hashed.vocabulary.features.index(str(bucket)) for bucket in buckets]
    folded = np.zeros((len(indices), hashed.vocabulary.num_features))
    folded[np.arange(len(indices)), place] = 1
    assert plain.test is not None
    assert hashed.test is not None
    for left, right in ((plain.train, hashed.train), (plain.test, hashed.test)):
        expected = matrix(left, len(indices)).toarray() @ folded
        assert np.allclose(matrix(right, folded.shape[1]).toarray(), expected)


def test_large_values_are_normalised_and_what_is_too_large_is_refused(tmp_path: Path) -> None:
    text = "1 1:3e38 2:3e38\n" + "2 2:1\n" * 9
    train = splits_of(tmp_path, text, tf_idf=True, normalize="l2").train
    assert np.isfinite(train.values).all()
    assert (train.values[train.indptr[0] : train.indptr[1]] ** 2).sum() == pytest.approx(1)
    with pytest.raises(UserError, match="a value is too large once it is scaled"):
        splits_of(tmp_path, text, tf_idf=True)


@pytest.mark.parametrize("multilabel", ["error", "first", "split"])
def test_rows_without_a_label_are_left_out_and_told(tmp_path: Path, multilabel: str) -> None:
    path = written(tmp_path, "4 9 9\n3 1:1\n 2:1\n5 1:1 2:1\n \n")
    source = train_source(path, format="xc", multilabel=multilabel)
    notes: list[str] = []
    splits = load(DataKeys(source), notes.append, use_cache=False)
    assert splits.train.num_examples == splits.train.num_rows == 2
    assert splits.vocabulary.classes == ["3", "5"]
    assert notes[0] == "train: 2 rows without a label left out"


TABLE = "label,size,width\n" + "".join(f"{i % 3},{i * 7 % 13},{i % 5 - 2}\n" for i in range(90))


@pytest.mark.parametrize("kind", ["standard", "max_abs"])
def test_numbers_are_scaled_as_scikit_learn_does_by_the_training_rows(
    tmp_path: Path, kind: str
) -> None:
    path = written(tmp_path, TABLE, "t.csv")
    source = train_source(path, format="table", target="label", numeric_scale=kind)
    keys = DataKeys(source, test=0.3, split_seed=5)
    splits = load(keys, lambda note: None, use_cache=False)
    rows = np.array([line.split(",")[1:] for line in TABLE.splitlines()[1:]], float)
    is_training = LineSplit(5, 0, 0.3).holds("train", np.arange(2, 92))
    scaler = StandardScaler() if kind == "standard" else MaxAbsScaler()
    scaler.fit(rows[is_training])
    assert splits.test is not None
    order = [splits.vocabulary.features.index(name) for name in ("size", "width")]
    for part, split in ((is_training, splits.train), (~is_training, splits.test)):
        found = matrix(split, 2).toarray()[:, order]
        assert np.allclose(found, scaler.transform(rows[part]), atol=1e-6)


def test_groups_are_never_torn_apart(tmp_path: Path) -> None:
    text = "label,session,x\n" + "".join(f"{i % 3},s{i % 17},{i}\n" for i in range(400))
    path = written(tmp_path, text, "t.csv")
    source = train_source(path, format="table", target="label", group="session")
    splits = load(DataKeys(source, 0.3, 0.2), lambda note: None, use_cache=False)
    sessions = [{int(line - 2) % 17 for line in split.lines} for split in splits.by_name().values()]
    assert len(sessions) == 3
    assert sorted(session for part in sessions for session in part) == list(range(17))
