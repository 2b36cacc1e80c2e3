"""From a reader's rows to examples over a vocabulary's ids."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.dataset import Dataset
from sstrain.data.fitting import labels_of
from sstrain.data.raw import RawData, Selection
from sstrain.data.reader import FeatureNames, Rows, no_rows
from sstrain.data.transform import Transform
from sstrain.data.vocabulary import Vocabulary

__all__ = ["encoded"]


def encoded(
    raw: RawData, selected: Selection, vocabulary: Vocabulary, skip_unknown: bool
) -> Iterator[Dataset]:
    """Yield the examples of some rows under a vocabulary's ids, a chunk at a time, at least one.

    Parameters
    ----------
    raw : RawData
    selected : Selection
        The rows.
    vocabulary : Vocabulary
    skip_unknown : bool
        Whether an example whose label is no class is left out and counted, or kept with target -1.
    """
    encoder = _Encoder(raw, vocabulary, skip_unknown)
    nothing = True
    for chunk in raw.each_chunk("encoding"):
        nothing = False
        yield encoder.examples(chunk, np.flatnonzero(selected(chunk.split_keys)))
    if nothing:
        yield encoder.examples(no_rows(), np.empty(0, np.int64))


class _Encoder:
    """Knows the class or row of the weights of each of the reader's ids."""

    def __init__(self, raw: RawData, vocabulary: Vocabulary, skip_unknown: bool) -> None:
        self._raw = raw
        # The last element serves label -1: none.
        self._class_ids = np.append(_ids(raw.label_names, vocabulary.class_ids), np.int32(-1))
        self._feature_ids = _feature_ids(raw.feature_names, vocabulary)
        self._transform = Transform.of(vocabulary)
        self._skip_unknown = skip_unknown

    def examples(self, chunk: Rows, rows: NDArray[np.int64]) -> Dataset:
        """Return the examples of some rows of a chunk."""
        labels, counts = labels_of(chunk, rows)
        if not self._raw.labelled:
            labels, counts = np.full(len(rows), -1, np.int32), np.ones(len(rows), np.int64)
        targets = self._class_ids[labels]
        of_row = np.repeat(np.arange(len(rows)), counts)
        weights = np.ones(len(rows), np.float32) if chunk.weights is None else chunk.weights[rows]
        weights = (weights[of_row] / counts[of_row]).astype(np.float32)
        kept = targets >= 0 if self._skip_unknown else np.ones(len(targets), np.bool_)
        # Rows that are left without an example go, too.
        rows_left, of_row = np.unique(of_row[kept], return_inverse=True)
        rows, targets, labels = rows[rows_left], targets[kept], labels[kept]
        indptr, indices, values, num_unknown_features = self._features(chunk, rows)
        unknown = np.flatnonzero((targets < 0) & (labels >= 0))
        lines = chunk.lines[rows]
        return Dataset(
            indptr=indptr,
            indices=indices,
            values=values,
            lines=lines,
            targets=targets,
            weights=weights[kept],
            rows=None if chunk.label_indptr is None else of_row,
            num_skipped=int(np.count_nonzero(~kept)),
            num_unlabelled=int(np.count_nonzero(counts == 0)),
            num_unknown_labels=len(unknown),
            num_unknown_features=num_unknown_features,
            unknown_label=self._raw.label_names[labels[unknown[0]]] if len(unknown) else None,
            unknown_line=int(lines[of_row[unknown[0]]]) if len(unknown) else 0,
            num_empty=int(np.count_nonzero(np.diff(indptr) == 0)),
            files=self._raw.files,
        )

    def _features(
        self, chunk: Rows, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32], int]:
        """Return the rows as CSR, and how many occurrences of unknown features were left out."""
        num_entries = int((chunk.indptr[rows + 1] - chunk.indptr[rows]).sum())
        indptr = np.zeros(len(rows) + 1, np.int64)
        indices, values = np.empty(num_entries, np.int32), np.empty(num_entries, np.float32)
        raw_rows = (chunk.indptr, chunk.features, chunk.values)
        num_unknown = kernels.encode_rows(
            raw_rows, rows, self._feature_ids, indptr, indices, values
        )
        num_entries = int(indptr[-1])
        indices.resize(num_entries, refcheck=False)
        values.resize(num_entries, refcheck=False)
        if self._transform is not None:
            self._transform.apply(indptr, indices, values)
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
