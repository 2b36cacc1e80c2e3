"""Reads tables: rows of columns in, CSR rows out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.bad_lines import BadLineError
from sstrain.data.formats.table_columns import (
    Categories,
    Extent,
    Numbers,
    broken,
    categories,
    numbers,
    prefixed,
)
from sstrain.data.formats.table_csv import DELIMITERS, CsvOptions, csv_parts
from sstrain.data.formats.table_features import TableFeatures, TypedColumns
from sstrain.data.formats.table_parquet import MAGIC, is_parquet, parquet_parts
from sstrain.data.formats.table_parts import Part
from sstrain.data.formats.table_roles import Roles
from sstrain.data.numbering import NameTable
from sstrain.data.reader import FeatureNames, Reader, Rows
from sstrain.data.reading import Reading
from sstrain.data.wording import joined, shown
from sstrain.errors import UserError

if TYPE_CHECKING:
    from sstrain.data.formats.table import Table

__all__ = ["TableReader"]

#: Rounding is no matter below this share of what numbers differ by.
_SMALL = 0.01
_BROKEN = "a line's end or a NUL"
_LINE = "text of one line"


class TableReader(Reader):
    """Reads CSV, its like, and Parquet.

    Parameters
    ----------
    source : Table
    fitted : mapping
        ``columns``, the kinds of the training files' columns; ``crosses``; ``hash_bits``.
    labelled : bool
        False where the target, the weight and the group are not read.
    """

    def __init__(self, source: "Table", fitted: Mapping[str, Any], labelled: bool) -> None:
        self._source = source
        self._labelled = labelled
        self._hash_bits: int | None = fitted.get("hash_bits")
        self._roles = Roles(source, fitted, labelled)
        self._labels = NameTable()
        self._features = TableFeatures(source.missing == "feature", self._hash_bits)
        self._is_fitted = "columns" in fitted
        self._missing: Counter[str] = Counter()
        self._extents: dict[str, Extent] = {}

    def chunks(self, reading: Reading) -> Iterator[Rows]:
        """Yield the examples, some megabytes of text or thousands of Parquet's rows at a time."""
        for path in reading.paths:
            for found in self._parts(path, reading):
                if found.num_rows:
                    self._roles.settle(found)
                    self._check_scale()
                part, columns = self._checked(found, reading)
                if part.num_rows:
                    yield self._rows(part, columns, path)

    @property
    def label_names(self) -> list[str]:
        """The target's values."""
        return self._labels.names

    @property
    def feature_names(self) -> FeatureNames:
        """``column=value``, ``column:word`` and ``column``, or buckets."""
        return self._features.names

    def absence(self) -> str:
        """Return what was found where no example was."""
        return "found no row; expected a first line that names the columns, and rows below it"

    def fitted(self) -> dict[str, Any]:
        """Return the kinds of the columns, and the crosses."""
        return {"columns": dict(self._roles.kinds or {}), "crosses": list(self._roles.crosses)}

    def scaled_features(self) -> dict[str, str]:
        """Return how the values of features are scaled, ``standard`` or ``max_abs``, by name."""
        scale = self._source.numeric_scale
        return {} if scale == "none" else dict.fromkeys(self._roles.of_kind("numeric"), scale)

    def notes(self) -> list[str]:
        """Return what the columns were taken for, and how many values are missing."""
        notes = self._roles.notes()
        if self._missing:
            counts = [f"{count:,} in {shown(name)}" for name, count in self._missing.items()]
            notes.append("missing values: " + joined(counts))
        return notes if self._is_fitted else notes + self._notes_of_rounding()

    def _notes_of_rounding(self) -> list[str]:
        return [
            f"column {shown(name)}: its numbers lie within {extent.width:.4g}, and are rounded by "
            f"up to {extent.rounding:.4g}, as values are float32; subtract a start from them, or "
            "list the column in categorical"
            for name, extent in self._extents.items()
            if extent.rounding > _SMALL * extent.width > 0
        ]

    def _parts(self, path: str, reading: Reading) -> Iterator[Part]:
        if is_parquet(path):
            yield from parquet_parts(path, reading, self._roles.needed)
            return
        options = CsvOptions(DELIMITERS.get(self._source.delimiter), self._source.quoted)
        with reading.stream(path) as stream:
            if stream.peek(len(MAGIC)).startswith(MAGIC):  # type: ignore[attr-defined]
                raise UserError(
                    f"{path}: Parquet in a pipe or compressed; expected a Parquet file as it is"
                )
            yield from csv_parts(path, stream, reading, options, self._roles.needed)

    def _check_scale(self) -> None:
        numeric, scale = self._roles.of_kind("numeric"), self._source.numeric_scale
        if numeric and scale != "none" and self._hash_bits is not None:
            raise UserError(
                f"numeric_scale: {scale}, with hash_bits: a bucket that {shown(numeric[0])} shares "
                "cannot be scaled; give numeric_scale: none, or leave hash_bits out, or name only "
                "columns in categorical and text"
            )

    def _checked(self, part: Part, reading: Reading) -> tuple[Part, "_Typed"]:
        """Return the rows that are as they should be; a bad one stops, or is counted."""
        columns = self._typed(part)
        bad = {**part.bad_lines, **self._mistakes(part, columns)}
        if not bad:
            return part, columns
        for line in sorted(bad):
            reading.bad_line(bad[line])
        good = part.without(list(bad))
        return good, self._typed(good)

    def _rows(self, part: Part, columns: "_Typed", path: str) -> Rows:
        """Return a part's rows, none of which is bad."""
        for name, num_missing in columns.features.num_missing().items():
            self._missing[name] += num_missing
        for name, column in columns.features.numeric.items():
            self._extents[name] = self._extents.get(name, Extent()).joined(column.extent)
        indptr, features, values = self._features.rows(columns.features, part.num_rows, path)
        labels, weights, groups = columns.labels, columns.weights, columns.groups
        return Rows(
            indptr=indptr,
            features=features,
            values=values,
            labels=np.full(part.num_rows, -1, np.int32)
            if labels is None
            else self._labels.ids_in(*prefixed("", labels.values))[labels.codes],
            lines=part.lines,
            weights=None if weights is None else weights.values,
            groups=None if groups is None else _hashes(groups),
        )

    def _typed(self, part: Part) -> "_Typed":
        source, roles = self._source, self._roles

        def as_categories(name: str) -> Categories:
            return categories(part.columns[name], source.missing_values)

        def as_numbers(name: str) -> Numbers:
            return numbers(part.columns[name], source.missing_values)

        features = TypedColumns(
            categorical={name: as_categories(name) for name in roles.of_kind("categorical")},
            text={name: as_categories(name) for name in roles.of_kind("text")},
            numeric={name: as_numbers(name) for name in roles.of_kind("numeric")},
            crosses=roles.crosses,
        )
        if not self._labelled:
            return _Typed(features)
        return _Typed(
            features,
            labels=as_categories(source.target),
            weights=as_numbers(source.weight) if source.weight else None,
            groups=as_categories(source.group) if source.group in part.columns else None,
        )

    def _mistakes(self, part: Part, columns: "_Typed") -> dict[int, BadLineError]:
        """Return the errors of the rows that are not as they should be, by their lines."""
        wrong: list[tuple[str | None, NDArray[np.bool_], str, str]] = [
            (name, column.bad, "no finite number", _number(self._source.missing_values))
            for name, column in columns.features.numeric.items()
        ]
        wrong += [
            (name, broken(column), f"{_BROKEN} in a category", f"{_LINE}, or a text column")
            for name, column in columns.features.categorical.items()
        ]
        if columns.labels is not None:
            wrong.append((self._source.target, columns.labels.codes < 0, "no label", "one"))
            wrong.append((self._source.target, broken(columns.labels), _BROKEN, _LINE))
        if columns.groups is not None:
            wrong.append((self._source.group, columns.groups.codes < 0, "no group", "one"))
        if (weights := columns.weights) is not None:
            is_weight = ~(weights.bad | weights.missing) & (weights.values >= 0)
            wrong.append((self._source.weight, ~is_weight, "no weight", "a number from 0"))
        return {
            int(part.lines[row]): part.bad(row, str(name), problem, expected)
            for name, rows, problem, expected in wrong
            for row in np.flatnonzero(rows).tolist()
        }


@dataclass(frozen=True)
class _Typed:
    """The columns of some rows as what they serve."""

    features: TypedColumns
    labels: Categories | None = None
    weights: Numbers | None = None
    groups: Categories | None = None


def _number(missing_values: Sequence[str]) -> str:
    listed = ", ".join(map(repr, missing_values))
    return f"a number, or a text that stands for a missing one (missing_values: {listed})"


def _hashes(groups: Categories) -> NDArray[np.int64]:
    """Return 63 bits of each row's group, a pure function of its name."""
    hashes = np.empty(len(groups.values), np.int64)
    kernels.hash_names(*prefixed("", groups.values), 63, hashes)
    return hashes[groups.codes]
