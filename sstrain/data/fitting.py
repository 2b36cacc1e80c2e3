"""What is fitted to the training rows: the vocabulary, and the numbers that scale values."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.base import Fitting
from sstrain.data.raw import RawData, Selection
from sstrain.data.reader import Rows
from sstrain.data.vocabulary import Vocabulary

__all__ = ["fit_vocabulary", "labels_of"]


def labels_of(chunk: Rows, rows: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the labels of some rows one after another, and how many each row has.

    A row whose only label is -1 has none.

    Parameters
    ----------
    chunk : Rows
    rows : int64 array of shape [S]

    Returns
    -------
    labels : int32 array of shape [L]
    counts : int64 array of shape [S]
    """
    if chunk.label_indptr is None:
        labels = chunk.labels[rows]
        return labels[labels >= 0], (labels >= 0).astype(np.int64)
    starts = chunk.label_indptr[rows]
    counts = chunk.label_indptr[rows + 1] - starts
    ends = np.cumsum(counts)
    offsets = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    return chunk.labels[np.repeat(starts, counts) + offsets], counts


def fit_vocabulary(raw: RawData, selected: Selection, fitting: Fitting) -> Vocabulary:
    """Fit the classes and features to the training rows alone.

    Parameters
    ----------
    raw : RawData
    selected : Selection
        The training rows.
    fitting : Fitting
        How often a class and a feature must be seen, and how values are scaled.

    Returns
    -------
    Vocabulary
        Classes, and features with names, by falling count, ties by name; numbered features by
        their number. A feature counts the training rows, of labels that are classes, that hold it.
    """
    label_counts = np.zeros(len(raw.label_names), np.int64)
    for chunk, rows in _selected(raw, selected, "counting labels"):
        labels, _ = labels_of(chunk, rows)
        label_counts += np.bincount(labels, minlength=len(label_counts))
    labels_kept = np.flatnonzero(label_counts >= fitting.smallest_class)
    is_class = np.zeros(len(label_counts), np.bool_)
    is_class[labels_kept] = True
    feature_counts, num_rows = _feature_counts(raw, selected, is_class)
    features_kept = _features_kept(raw, feature_counts, fitting)
    labels_kept = _by_falling_count(labels_kept, label_counts, raw.label_names)
    features = [str(raw.feature_names[feature]) for feature in features_kept]
    scales = _scales(raw, selected, is_class, dict(zip(features, features_kept, strict=True)))
    return Vocabulary(
        classes=[raw.label_names[label] for label in labels_kept],
        class_counts=label_counts[labels_kept],
        features=features,
        feature_counts=feature_counts[features_kept],
        fitted={
            **raw.fitted,
            "num_rows": num_rows,
            **({"tf_idf": True} if fitting.tf_idf else {}),
            **({"normalize": fitting.normalize} if fitting.normalize != "none" else {}),
            **({"scales": scales} if scales else {}),
        },
    )


def _selected(
    raw: RawData, selected: Selection, doing: str
) -> Iterator[tuple[Rows, NDArray[np.int64]]]:
    for chunk in raw.each_chunk(doing):
        yield chunk, np.flatnonzero(selected(chunk.split_keys))


def _with_class(
    raw: RawData, selected: Selection, is_class: NDArray[np.bool_], doing: str
) -> Iterator[tuple[Rows, NDArray[np.int64]]]:
    """Yield with each chunk the selected rows that have a label that is a class."""
    for chunk, rows in _selected(raw, selected, doing):
        labels, counts = labels_of(chunk, rows)
        with_class = np.repeat(np.arange(len(rows)), counts)[is_class[labels]]
        yield chunk, rows[np.unique(with_class)]


def _feature_counts(
    raw: RawData, selected: Selection, is_class: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], int]:
    """Return how many training rows hold each feature, and how many training rows there are."""
    counts = np.zeros(len(raw.feature_names), np.int64)
    num_rows = 0
    for chunk, rows in _with_class(raw, selected, is_class, "counting features"):
        kernels.count_features(chunk.indptr, chunk.features, rows, counts)
        num_rows += len(rows)
    return counts, num_rows


def _features_kept(raw: RawData, counts: NDArray[np.int64], fitting: Fitting) -> NDArray[np.int64]:
    """Return the ids of the features that are kept, in the order of the weights' rows."""
    kept = np.flatnonzero(counts >= fitting.min_feature_count)
    names = raw.feature_names
    most = fitting.max_features
    if isinstance(names, np.ndarray):
        kept = kept[np.argsort(names[kept])]
        if most is not None and most < len(kept):
            best = np.argsort(-counts[kept], kind="stable")[:most]
            kept = kept[np.sort(best)]
        return kept
    return _by_falling_count(kept, counts, names)[:most]


def _by_falling_count(
    ids: NDArray[np.int64], counts: NDArray[np.int64], names: list[str]
) -> NDArray[np.int64]:
    by_name = np.array(sorted(ids.tolist(), key=names.__getitem__), np.int64)
    return by_name[np.argsort(-counts[by_name], kind="stable")]


def _scales(
    raw: RawData, selected: Selection, is_class: NDArray[np.bool_], ids: dict[str, Any]
) -> dict[str, list[float]]:
    """Return what is taken from, and then divides, the values of the features to be scaled."""
    names = [name for name in raw.scaled if name in ids]
    if not names:
        return {}
    place = np.full(len(raw.feature_names), -1, np.int64)
    place[[ids[name] for name in names]] = np.arange(len(names))
    moments = np.zeros((len(names), 4))  # how many, their mean, squared distance from it, largest
    for chunk, rows in _with_class(raw, selected, is_class, "measuring values"):
        kernels.add_moments(chunk.indptr, chunk.features, chunk.values, rows, place, moments)
    return {name: _scale(raw.scaled[name], row) for name, row in zip(names, moments, strict=True)}


def _scale(kind: str, moments: NDArray[np.float64]) -> list[float]:
    count, mean, squares, largest = moments.tolist()
    if kind == "max_abs":
        return [0.0, largest or 1.0]
    return [mean, float(np.sqrt(squares / count)) or 1.0]
