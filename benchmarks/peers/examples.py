"""The examples that every tool is given: CSR arrays, and targets by falling frequency."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ids: TypeAlias = NDArray[np.int64]

_ARRAYS = ("train_targets", "test_targets", "counts")
_PARTS = ("indptr", "indices", "data")


@dataclass(frozen=True)
class Examples:
    """Training and test rows of one set.

    Attributes
    ----------
    train, test : scipy.sparse.csr_matrix of float32
        Test rows have no feature that training lacks.
    train_targets, test_targets : int64 arrays
        A class is its rank by falling frequency in training; -1 is a label that training lacks.
    counts : int64 array of shape [V]
        Training examples of each class.
    """

    train: Any
    test: Any
    train_targets: Ids
    test_targets: Ids
    counts: Ids


def ranked(train_labels: Ids, test_labels: Ids) -> tuple[Ids, Ids, Ids]:
    """Return both as ranks by falling training frequency, and the counts; equal ones by label."""
    labels, counts = np.unique(train_labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    ranks = np.empty(len(labels), np.int64)
    ranks[order] = np.arange(len(labels))

    def ranks_of(found: Ids) -> Ids:
        places = np.minimum(np.searchsorted(labels, found), len(labels) - 1)
        return np.where(labels[places] == found, ranks[places], -1)

    return ranks_of(train_labels), ranks_of(test_labels), counts[order].astype(np.int64)


def read(train: Path, test: Path, rows: int | None = None) -> Examples:
    """Read two zero-based svmlight files, or the first rows of each."""
    from sklearn.datasets import load_svmlight_files

    x, y, x_test, y_test = load_svmlight_files(
        [str(train), str(test)], dtype=np.float32, zero_based=True
    )
    x, y, x_test, y_test = x[:rows], y[:rows], x_test[:rows], y_test[:rows]
    seen = np.bincount(x.indices, minlength=x.shape[1]) > 0
    x_test.data[~seen[x_test.indices]] = 0
    x_test.eliminate_zeros()
    targets, test_targets, counts = ranked(y.astype(np.int64), y_test.astype(np.int64))
    return Examples(x, x_test, targets, test_targets, counts)


def save(examples: Examples, folder: Path) -> None:
    """Write the arrays, which `load` maps."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _ARRAYS:
        np.save(folder / f"{name}.npy", getattr(examples, name))
    for name in ("train", "test"):
        matrix = getattr(examples, name)
        for part in _PARTS:
            np.save(folder / f"{name}_{part}.npy", getattr(matrix, part))
    np.save(folder / "num_features.npy", examples.train.shape[1])


def load(folder: Path) -> Examples:
    """Return what `save` wrote, in memory."""
    from scipy.sparse import csr_matrix

    num_features = int(np.load(folder / "num_features.npy"))

    def matrix(name: str) -> Any:
        indptr, indices, data = (np.load(folder / f"{name}_{part}.npy") for part in _PARTS)
        return csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, num_features))

    targets, test_targets, counts = (np.load(folder / f"{name}.npy") for name in _ARRAYS)
    return Examples(matrix("train"), matrix("test"), targets, test_targets, counts)
