"""A store: the rows of any format as arrays in a folder, mapped rather than read.

The folder holds ``rows/*.npy`` (see `Rows`), ``labels.txt`` and ``features.txt`` (a name a line, or
``feature_numbers.npy`` of a format that numbers its features), and ``manifest.json``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sstrain.data.base import Source
from sstrain.data.manifest import MANIFEST
from sstrain.data.numbering import NameNumbering, NameTable, Numbering, buckets_of
from sstrain.data.reader import FeatureNames, Reader, Rows, summed_repeats
from sstrain.data.reading import Reading
from sstrain.data.sample import Sample
from sstrain.data.storage import rows_of
from sstrain.data.store_checks import (
    OPTIONAL,
    Description,
    check_distinct,
    check_rows,
    read_names,
    read_numbers,
    row_arrays,
    store_manifest,
)
from sstrain.errors import UserError

__all__ = ["FEATURE_NUMBERS", "FEATURES", "KIND", "LABELS", "ROWS", "Store", "StoreReader"]

KIND, ROWS = "store", "rows"
LABELS, FEATURES, FEATURE_NUMBERS = "labels.txt", "features.txt", "feature_numbers.npy"


class Store(Source):
    """A folder that ``sstrain data convert`` wrote, or several."""

    format: Literal["store"] = "store"

    def reader(self, fitted: Mapping[str, Any], labelled: bool = True) -> "StoreReader":
        """Return a reader, whose rows have the labels that the store has."""
        return StoreReader(labelled, fitted.get("hash_bits"))

    @classmethod
    def fits(cls, sample: Sample) -> bool:
        """Whether it is a folder with a manifest."""
        return sample.is_folder and (Path(sample.path) / MANIFEST).is_file()


class StoreReader(Reader):
    """Reads stores, whose names are numbered anew, since another store may have others."""

    def __init__(self, labelled: bool, hash_bits: int | None) -> None:
        self._labelled = labelled
        self._hash_bits = hash_bits
        self._labels = NameNumbering()
        self._features: NameTable | Numbering | None = None
        self._first: Description | None = None
        self._optional: set[str] = set()

    def chunks(self, reading: Reading) -> Iterator[Rows]:
        """Yield the rows of each folder."""
        stores = [(path, *self._opened(path)) for path in reading.paths]
        for path, description, arrays in stores:
            reading.whole(path)
            lines_before = reading.num_lines
            reading.add_lines(description.num_lines)
            label_ids = self._label_ids(Path(path) / LABELS)
            feature_ids = self._feature_ids(Path(path), description.fitted.hash_bits)
            line = 1
            for rows in rows_of(arrays):
                lines = (line, description.num_lines)
                check_rows(path, rows, len(label_ids), len(feature_ids), lines)
                line = int(rows.lines[-1])
                numbered = self._numbered(rows, label_ids, feature_ids, path)
                yield replace(numbered, lines=numbered.lines + lines_before)

    def _opened(self, path: str) -> tuple[Description, dict[str, NDArray[Any]]]:
        """Return what a store says of itself and its arrays, once it goes with those before it."""
        if not (Path(path) / MANIFEST).is_file():
            raise UserError(
                f"{path}: is no store; expected a folder that sstrain data convert wrote, as the "
                "training data are one"
            )
        description = store_manifest(Path(path), KIND)
        if self._first is None:
            self._first = description
            self._hash_bits = self._hash_bits or description.fitted.hash_bits
        made, others = (
            replaced.model_copy(update={"num_lines": 0, "fitted": replaced.fitted.unhashed()})
            for replaced in (description, self._first)
        )
        if made != others:
            raise UserError(
                f"{path}: was made with other options than the stores before it; expected stores "
                "that were made alike"
            )
        if description.fitted.hash_bits not in (None, self._hash_bits):
            raise UserError(
                f"{path}: was made with hash_bits: {description.fitted.hash_bits}, and cannot be "
                f"hashed again; expected {self._hash_bits or 'a store that was made without'}"
            )
        arrays = row_arrays(Path(path) / ROWS)
        self._optional |= arrays.keys() & OPTIONAL
        return description, arrays

    @property
    def predicts_tokens(self) -> bool:  # type: ignore[override]
        """Whether the stores were made of sequences."""
        return self._first is not None and self._first.predicts_tokens

    def _label_ids(self, path: Path) -> NDArray[np.int32]:
        labels = read_names(path)
        ids = np.fromiter(map(self._labels.__getitem__, labels), np.int32, len(labels))
        check_distinct(ids, path)
        return ids

    def _feature_ids(self, folder: Path, hashed: int | None) -> NDArray[np.int32]:
        """Return the reader's ids of a folder's features, which may be buckets already."""
        numbered = (folder / FEATURE_NUMBERS).is_file()
        path = folder / (FEATURE_NUMBERS if numbered else FEATURES)
        names = read_numbers(path) if numbered else read_names(path)
        if hashed is None and self._hash_bits is not None:
            names = buckets_of(names, self._hash_bits)
        if self._features is None:
            self._features = NameTable() if isinstance(names, list) else Numbering()
        if isinstance(self._features, Numbering) and not isinstance(names, list):
            ids = self._features.ids(names)
        elif isinstance(self._features, NameTable) and isinstance(names, list):
            ids = self._features.ids_of(names)
        else:
            found, others = ("numbers", "names") if numbered else ("names", "numbers")
            raise UserError(
                f"{folder}: its features have {found}, those of the stores before it {others}; "
                "expected stores that were made alike"
            )
        if hashed is not None or self._hash_bits is None:
            check_distinct(ids, path)
        return ids

    def _numbered(
        self,
        rows: Rows,
        label_ids: NDArray[np.int32],
        feature_ids: NDArray[np.int32],
        path: str,
    ) -> Rows:
        """Return rows under the reader's ids, with all the arrays that one of the stores has."""
        indptr, features, values = rows.indptr, feature_ids[rows.features], rows.values
        if self._hash_bits is not None:
            indptr, features, values = summed_repeats(indptr, features, values, path)
        labels, label_indptr = np.append(label_ids, np.int32(-1))[rows.labels], rows.label_indptr
        if not self._labelled:
            labels, label_indptr = np.full(rows.num_rows, -1, np.int32), None
        elif "label_indptr" in self._optional and label_indptr is None:
            label_indptr = np.concatenate([[0], np.cumsum(labels >= 0)])
            labels = labels[labels >= 0]
        weights, groups = rows.weights, rows.groups
        if "weights" in self._optional and weights is None:
            weights = np.ones(rows.num_rows, np.float32)
        if "groups" in self._optional and groups is None:
            groups = rows.lines
        return Rows(indptr, features, values, labels, rows.lines, label_indptr, weights, groups)

    @property
    def label_names(self) -> list[str]:
        """The labels."""
        return list(self._labels)

    @property
    def feature_names(self) -> FeatureNames:
        """The features' names or numbers."""
        return [] if self._features is None else self._features.names

    def absence(self) -> str:
        """Return what was found where no row was."""
        return "found no rows in the store; expected one at least"

    def fitted(self) -> dict[str, Any]:
        """Return what the files that the store was made of fixed."""
        fitted = {} if self._first is None else self._first.fitted.model_dump(exclude_none=True)
        return fitted if self._hash_bits is None else {**fitted, "hash_bits": self._hash_bits}

    def scaled_features(self) -> dict[str, str]:
        """Return what the files that the store was made of say."""
        return {} if self._first is None else dict(self._first.scaled)
