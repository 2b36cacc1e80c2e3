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

from sstrain.data.array_files import map_array
from sstrain.data.base import Source
from sstrain.data.formats.wording import reason_of
from sstrain.data.manifest import MANIFEST
from sstrain.data.numbering import (
    HashedNames,
    NameNumbering,
    NameTable,
    Numbering,
    name_ids,
    number_ids,
)
from sstrain.data.reader import FeatureNames, Reader, Rows, summed_repeats
from sstrain.data.reading import Reading
from sstrain.data.sample import Sample
from sstrain.data.storage import rows_of
from sstrain.data.store_checks import check_rows, damage, row_arrays, store_manifest
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
        self._features: NameTable | HashedNames | Numbering | None = None
        self._fitted: dict[str, Any] = {}
        self._scaled: dict[str, str] = {}

    def chunks(self, reading: Reading) -> Iterator[Rows]:
        """Yield the rows of each folder."""
        for path in reading.paths:
            reading.whole(path)
            description = store_manifest(Path(path), KIND)
            lines_before = reading.num_lines
            reading.add_lines(description.num_lines)
            self.predicts_tokens = self.predicts_tokens or description.predicts_tokens
            self._fitted = description.fitted.model_dump(exclude_none=True)
            self._scaled = dict(description.scaled)
            label_ids, feature_ids = self._ids(Path(path))
            line = 1
            for rows in rows_of(row_arrays(Path(path) / ROWS)):
                lines = (line, description.num_lines)
                check_rows(path, rows, len(label_ids), len(feature_ids), lines)
                line = int(rows.lines[-1])
                yield self._numbered(rows, label_ids, feature_ids, lines_before, path)

    def _ids(self, folder: Path) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the reader's ids of a folder's labels and features."""
        labels = _read_names(folder / LABELS)
        label_ids = np.fromiter(map(self._labels.__getitem__, labels), np.int32, len(labels))
        _check_distinct(label_ids, folder / LABELS)
        numbered = (folder / FEATURE_NUMBERS).is_file()
        if self._features is None:
            bits = self._hash_bits
            self._features = number_ids(bits) if numbered else name_ids(bits)
        if isinstance(self._features, Numbering) == numbered:
            return label_ids, self._feature_ids(folder)
        found, others = ("numbers", "names") if numbered else ("names", "numbers")
        raise UserError(
            f"{folder}: its features have {found}, those of the stores before it {others}; "
            "expected stores that were made alike"
        )

    def _feature_ids(self, folder: Path) -> NDArray[np.int32]:
        if isinstance(self._features, Numbering):
            path = folder / FEATURE_NUMBERS
            ids = self._features.ids(_read_numbers(path))
        else:
            assert self._features is not None
            path = folder / FEATURES
            ids = self._features.ids_of(_read_names(path))
        if self._hash_bits is None:
            _check_distinct(ids, path)
        return ids

    def _numbered(
        self,
        rows: Rows,
        label_ids: NDArray[np.int32],
        feature_ids: NDArray[np.int32],
        lines_before: int,
        path: str,
    ) -> Rows:
        indptr, features, values = rows.indptr, feature_ids[rows.features], rows.values
        if self._hash_bits is not None:
            indptr, features, values = summed_repeats(indptr, features, values, path)
        labels, label_indptr = np.append(label_ids, np.int32(-1))[rows.labels], rows.label_indptr
        if not self._labelled:
            labels, label_indptr = np.full(rows.num_rows, -1, np.int32), None
        return replace(
            rows,
            indptr=indptr,
            features=features,
            values=values,
            labels=labels,
            label_indptr=label_indptr,
            lines=rows.lines + lines_before,
        )

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
        return self._fitted

    def scaled_features(self) -> dict[str, str]:
        """Return what the files that the store was made of say."""
        return self._scaled


def _read_names(path: Path) -> list[str]:
    try:
        *names, rest = path.read_bytes().decode().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read; {reason_of(error)}") from None
    if rest:
        raise damage(path, "the last line has no end")
    return names


def _read_numbers(path: Path) -> NDArray[np.int64]:
    try:
        numbers = map_array(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read; {reason_of(error)}") from None
    if numbers.dtype != np.int64 or np.min(numbers, initial=0) < 0:
        raise damage(path, "the features have other numbers than int64 from 0")
    return np.array(numbers)


def _check_distinct(ids: NDArray[np.int32], path: Path) -> None:
    if len(np.unique(ids)) < len(ids):
        raise damage(path, "a name stands there twice")
