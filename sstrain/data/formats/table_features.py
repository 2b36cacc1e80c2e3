"""Typed columns of a table to CSR rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sstrain.data.formats.table_columns import Categories, Numbers, crossed, prefixed, words
from sstrain.data.numbering import name_ids
from sstrain.data.reader import FeatureNames, summed_repeats

__all__ = ["TableFeatures", "TypedColumns"]

_Csr = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]


@dataclass(frozen=True)
class TypedColumns:
    """The columns of some rows that become features, by kind and name."""

    categorical: Mapping[str, Categories]
    text: Mapping[str, Categories]
    numeric: Mapping[str, Numbers]
    crosses: Sequence[str]  # names of categorical columns, with * between them

    def num_missing(self) -> dict[str, int]:
        """Return how many values are missing, for each column in which some are."""
        missing = {name: column.codes < 0 for name, column in self.categorical.items()}
        missing |= {name: column.codes < 0 for name, column in self.text.items()}
        missing |= {name: column.missing for name, column in self.numeric.items()}
        return {name: int(rows.sum()) for name, rows in missing.items() if rows.any()}


@dataclass(frozen=True)
class _Entries:
    """What one column adds to each of R rows, row after row."""

    counts: NDArray[np.int64]  # [R]
    ids: NDArray[np.int32]  # [the sum of counts]
    values: NDArray[np.float32]  # as ids


class TableFeatures:
    """Numbers the features of a table.

    Parameters
    ----------
    missing_is_feature : bool
        Whether a missing category or number is a feature.
    hash_bits : int, optional
    """

    def __init__(self, missing_is_feature: bool, hash_bits: int | None) -> None:
        self._missing_is_feature = missing_is_feature
        self._is_hashed = hash_bits is not None
        self._ids = name_ids(hash_bits)

    @property
    def names(self) -> FeatureNames:
        """The features by their ids."""
        return self._ids.names

    def rows(self, columns: TypedColumns, num_rows: int, path: str) -> _Csr:
        """Return the rows' features: indptr, ids and values; the file is named in messages."""
        entries = [self._of_categories(name, c) for name, c in columns.categorical.items()]
        entries += [self._of_numbers(name, c) for name, c in columns.numeric.items()]
        entries += [self._of_texts(name, c) for name, c in columns.text.items()]
        for cross in columns.crosses:
            parts = [columns.categorical[name] for name in cross.split("*")]
            entries.append(self._of_categories(cross, crossed(parts, self._missing_is_feature)))
        rows = _joined(entries, num_rows)
        # Only words stand in a row more than once, and buckets.
        return summed_repeats(*rows, path) if columns.text or self._is_hashed else rows

    def _of_categories(self, name: str, column: Categories) -> _Entries:
        ids = self._ids.ids_in(*prefixed(f"{name}=", column.values))
        missing = column.codes < 0
        # The last element serves -1: missing.
        ids = np.append(ids, self._missing_id(name, missing))[column.codes]
        return _singles(ids, np.ones(len(ids), np.float32))

    def _of_numbers(self, name: str, column: Numbers) -> _Entries:
        present = self._ids.ids_of([name])[0] if not column.missing.all() else -1
        ids = np.where(column.missing, self._missing_id(name, column.missing), present)
        return _singles(ids, np.where(column.missing, np.float32(1), column.values))

    def _of_texts(self, name: str, column: Categories) -> _Entries:
        counts, found = words(column)
        ids = self._ids.ids_in(*prefixed(f"{name}:", found.values))
        return _Entries(counts, ids[found.codes], np.ones(len(found.codes), np.float32))

    def _missing_id(self, name: str, missing: NDArray[np.bool_]) -> np.int32:
        if self._missing_is_feature and missing.any():
            return self._ids.ids_of([f"{name}="])[0]  # type: ignore[no-any-return]
        return np.int32(-1)


def _singles(ids: NDArray[np.int32], values: NDArray[np.float32]) -> _Entries:
    """Return one entry for each row whose id is not -1."""
    held = ids >= 0
    return _Entries(held.astype(np.int64), ids[held], values[held])


def _joined(entries: Sequence[_Entries], num_rows: int) -> _Csr:
    """Return the entries of all columns, row after row."""
    total = np.zeros(num_rows, np.int64)
    for column in entries:
        total += column.counts
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(total)])
    ids, values = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    free = indptr[:-1].copy()
    for column in entries:
        # Where a column's entries go, less where they stand: the same for all of a row.
        shift = free - (np.cumsum(column.counts) - column.counts)
        places = np.repeat(shift, column.counts) + np.arange(len(column.ids))
        ids[places], values[places] = column.ids, column.values
        free += column.counts
    return indptr, ids, values
