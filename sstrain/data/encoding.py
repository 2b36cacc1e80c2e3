"""From a reader's rows to a vocabulary and to examples over its ids."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.base import Fitting
from sstrain.data.dataset import Dataset
from sstrain.data.reader import FeatureNames, Rows
from sstrain.data.vocabulary import Vocabulary

__all__ = ["RawData", "Selection", "encode", "every_line", "fit_vocabulary"]

#: Tells for each line number whether a split holds it.
Selection = Callable[[NDArray[np.int64]], NDArray[np.bool_]]


def every_line(lines: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Select all lines."""
    return np.ones(len(lines), np.bool_)


@dataclass(frozen=True)
class RawData:
    """All that a source holds, under its reader's ids.

    Attributes
    ----------
    chunks : list of Rows
    label_names : list of str
    feature_names : list of str, or int64 array for a format that numbers its features
    num_lines : int
    files : list of (str, int)
        Each file that holds a line, with the lines of those before it.
    fitted : dict
        What the reader fixed for other files, as JSON values.
    """

    chunks: list[Rows]
    label_names: list[str]
    feature_names: FeatureNames
    num_lines: int
    files: list[tuple[str, int]]
    fitted: dict[str, Any]

    def place(self, line: int) -> str:
        """Return ``file:line`` for a line number that runs on over the files."""
        name, lines_before = [file for file in self.files if file[1] < line][-1]
        return f"{name}:{line - lines_before}"


def fit_vocabulary(raw: RawData, selected: Selection, fitting: Fitting) -> Vocabulary:
    """Fit the classes and features to the training rows alone.

    Parameters
    ----------
    raw : RawData
    selected : Selection
        The training lines.
    fitting : Fitting
        How often a class and a feature must be seen.

    Returns
    -------
    Vocabulary
        Classes, and features with names, by falling count, ties by name; numbered features by
        their number. A feature counts the training examples, of labels that are classes, that
        hold it.
    """
    label_counts = np.zeros(len(raw.label_names), np.int64)
    for chunk in raw.chunks:
        labels = chunk.labels[selected(chunk.lines)]
        label_counts += np.bincount(labels, minlength=len(label_counts))
    labels_kept = _frequent(label_counts, fitting.smallest_class)
    is_class = np.zeros(len(label_counts), np.bool_)
    is_class[labels_kept] = True
    feature_counts = np.zeros(len(raw.feature_names), np.int64)
    for chunk in raw.chunks:
        rows = np.flatnonzero(selected(chunk.lines) & is_class[chunk.labels])
        kernels.count_features(chunk.indptr, chunk.features, rows, feature_counts)
    features_kept = _frequent(feature_counts, fitting.min_feature_count)
    labels_kept = _by_falling_count(labels_kept, label_counts, raw.label_names)
    if isinstance(raw.feature_names, np.ndarray):
        features_kept = features_kept[np.argsort(raw.feature_names[features_kept])]
    else:
        features_kept = _by_falling_count(features_kept, feature_counts, raw.feature_names)
    return Vocabulary(
        classes=[raw.label_names[label] for label in labels_kept],
        class_counts=label_counts[labels_kept],
        features=[str(raw.feature_names[feature]) for feature in features_kept],
        feature_counts=feature_counts[features_kept],
        fitted=raw.fitted,
    )


def _frequent(counts: NDArray[np.int64], least: int) -> NDArray[np.int64]:
    return np.flatnonzero(counts >= least)


def _by_falling_count(
    ids: NDArray[np.int64], counts: NDArray[np.int64], names: list[str]
) -> NDArray[np.int64]:
    by_name = np.array(sorted(ids.tolist(), key=names.__getitem__), np.int64)
    return by_name[np.argsort(-counts[by_name], kind="stable")]


def encode(
    raw: RawData, selected: Selection, vocabulary: Vocabulary, skip_unknown: bool
) -> Dataset:
    """Return the examples of some lines under a vocabulary's ids.

    Parameters
    ----------
    raw : RawData
    selected : Selection
        The lines.
    vocabulary : Vocabulary
    skip_unknown : bool
        Whether a row whose label is no class is left out and counted, or kept with target -1.
    """
    # The last element serves label -1: none.
    class_ids = np.append(_ids(raw.label_names, vocabulary.class_ids), np.int32(-1))
    rows_of_chunks = [np.flatnonzero(selected(chunk.lines)) for chunk in raw.chunks]
    num_rows = sum(map(len, rows_of_chunks))
    if skip_unknown:
        rows_of_chunks = [
            rows[class_ids[chunk.labels[rows]] >= 0]
            for chunk, rows in zip(raw.chunks, rows_of_chunks, strict=True)
        ]
    labels = _taken((chunk.labels for chunk in raw.chunks), rows_of_chunks, np.int32)
    targets = class_ids[labels]
    unknown = np.flatnonzero((targets < 0) & (labels >= 0))
    indptr, indices, values, num_unknown_features = _encoded_rows(raw, rows_of_chunks, vocabulary)
    return Dataset(
        indptr=indptr,
        indices=indices,
        values=values,
        targets=targets,
        weights=np.ones(len(targets), np.float32),
        lines=_taken((chunk.lines for chunk in raw.chunks), rows_of_chunks, np.int64),
        num_skipped=num_rows - len(targets),
        num_unknown_labels=len(unknown),
        num_unknown_features=num_unknown_features,
        unknown_label=raw.label_names[labels[unknown[0]]] if len(unknown) else None,
    )


def _taken(
    arrays: Iterable[NDArray[Any]], rows_of_chunks: list[NDArray[np.int64]], dtype: type
) -> NDArray[Any]:
    parts = [array[rows] for array, rows in zip(arrays, rows_of_chunks, strict=True)]
    return np.concatenate([np.empty(0, dtype), *parts])


def _encoded_rows(
    raw: RawData, rows_of_chunks: list[NDArray[np.int64]], vocabulary: Vocabulary
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32], int]:
    """Return the rows as CSR, and how many occurrences of unknown features were left out."""
    feature_ids = _feature_ids(raw.feature_names, vocabulary)
    chunks = list(zip(raw.chunks, rows_of_chunks, strict=True))
    num_entries = sum(int(np.diff(chunk.indptr)[rows].sum()) for chunk, rows in chunks)
    indptr = np.zeros(sum(map(len, rows_of_chunks)) + 1, np.int64)
    indices, values = np.empty(num_entries, np.int32), np.empty(num_entries, np.float32)
    num_unknown, done = 0, 0
    for chunk, rows in chunks:
        raw_rows = (chunk.indptr, chunk.features, chunk.values)
        out = indptr[done : done + len(rows) + 1]
        num_unknown += kernels.encode_rows(raw_rows, rows, feature_ids, out, indices, values)
        done += len(rows)
    indices.resize(int(indptr[-1]), refcheck=False)
    values.resize(int(indptr[-1]), refcheck=False)
    return indptr, indices, values, num_unknown


def _ids(names: list[str], known: dict[str, int]) -> NDArray[np.int32]:
    return np.fromiter((known.get(name, -1) for name in names), np.int32, len(names))


def _feature_ids(names: FeatureNames, vocabulary: Vocabulary) -> NDArray[np.int32]:
    """Return each feature's row in the weights, -1 for none."""
    if not isinstance(names, np.ndarray):
        return _ids(names, vocabulary.feature_ids)
    known = np.append(vocabulary.feature_numbers, -1)  # the -1 follows the last, and is no name
    rows = np.searchsorted(known[:-1], names)
    return np.where(known[rows] == names, rows, -1).astype(np.int32)
