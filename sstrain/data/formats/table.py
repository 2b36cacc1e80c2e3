"""Tables: CSV and its like, and Parquet. A column is the target; others become features."""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from sstrain.data.base import Source
from sstrain.data.formats.table_csv import DELIMITERS, delimiter_of
from sstrain.data.formats.table_parquet import MAGIC
from sstrain.data.formats.table_reader import TableReader
from sstrain.data.formats.table_roles import Kind
from sstrain.data.sample import Sample
from sstrain.section import NonEmpty

__all__ = ["Table"]

_Name = Annotated[str, Field(min_length=1)]


class Table(Source):
    """A table with named columns: CSV, TSV or Parquet.

    If none of ``categorical``, ``text`` and ``numeric`` is given, every other column is a feature:
    numbers are numeric, anything else is categorical.
    """

    libraries: ClassVar[tuple[str, ...]] = ("pyarrow",)

    format: Literal["table"] = "table"
    #: The column that holds each row's label.
    target: _Name
    #: The columns whose values are features, ``column=value``.
    categorical: NonEmpty[_Name] | None = None
    #: The columns whose words, in lower case, are features, ``column:word``, with their counts.
    text: NonEmpty[_Name] | None = None
    #: The columns whose numbers are values of features, ``column``.
    numeric: NonEmpty[_Name] | None = None
    #: Two or three categorical columns each, as ``"site*hour"``: a feature for each combination.
    crosses: NonEmpty[_Name] | None = None
    #: The column whose equal values fall into the same split.
    group: _Name | None = None
    #: The column that says how much each row counts.
    weight: _Name | None = None
    #: What numeric features are divided by: their standard deviation, once their mean is taken
    #: away, or their largest absolute value, of the training rows.
    numeric_scale: Literal["standard", "max_abs", "none"] = "standard"
    #: Whether a missing value is a feature of its own, ``column=``, or nothing.
    missing: Literal["feature", "ignore"] = "feature"
    #: The texts that stand for a missing value, beside the empty one.
    missing_values: NonEmpty[str] = ("",)
    #: ``auto`` is the one that stands most often in the first line.
    delimiter: Literal["auto", "comma", "tab", "semicolon"] = "auto"
    #: Whether a field of text may stand in double quotes.
    quoted: bool = True

    @field_validator("categorical", "text", "numeric")
    @classmethod
    def _serves_once(
        cls, names: tuple[str, ...] | None, values: ValidationInfo
    ) -> tuple[str, ...] | None:
        taken = [values.data.get("target"), *(names or ())]
        for kind in ("categorical", "text", "numeric"):
            taken += values.data.get(kind) or ()
        repeated = [name for name, count in Counter(taken).items() if count > 1]
        if repeated:
            raise ValueError(f"column {repeated[0]!r} serves as two things")
        return names

    @field_validator("crosses")
    @classmethod
    def _crosses_columns(
        cls, crosses: tuple[str, ...] | None, values: ValidationInfo
    ) -> tuple[str, ...] | None:
        kinds = [values.data.get(kind) for kind in ("categorical", "text", "numeric")]
        for cross in crosses or ():
            names = cross.split("*")
            if len(names) not in (2, 3) or len(set(names)) < len(names) or "" in names:
                raise ValueError(f"{cross!r} is not two or three columns with * between them")
            if values.data.get("target") in names:
                raise ValueError(f"{cross!r} holds the target")
            others = set(names) - set(kinds[0] or ())
            if any(kinds) and others:
                raise ValueError(f"{cross!r}: {min(others)!r} is no categorical column")
        if len(set(crosses or ())) < len(crosses or ()):
            raise ValueError("one of them stands there twice")
        return crosses

    @property
    def kinds(self) -> dict[str, Kind] | None:
        """What the columns are that the config names; None if it names none."""
        if self.categorical is self.text is self.numeric is None:
            return None
        lists: dict[Kind, tuple[str, ...] | None] = {
            "categorical": self.categorical,
            "text": self.text,
            "numeric": self.numeric,
        }
        return {name: kind for kind, names in lists.items() for name in names or ()}

    @property
    def special_columns(self) -> list[str]:
        """The target, and the columns of groups and weights."""
        return [name for name in (self.target, self.group, self.weight) if name is not None]

    def reader(self, fitted: Mapping[str, Any], labelled: bool = True) -> TableReader:
        """Return a reader, with the kinds of the training files' columns if they are read."""
        return TableReader(self, fitted, labelled)

    @classmethod
    def fits(cls, sample: Sample) -> bool:
        """Return whether it is Parquet."""
        return sample.start.startswith(MAGIC)

    @classmethod
    def fitting_lines(cls, sample: Sample) -> dict[int, bool]:
        """Return which records have as many fields as the first one, which is names."""
        text = b"\n".join(sample.lines)
        delimiter = delimiter_of(text)
        records = _records(text.decode(errors="replace"), delimiter.decode())
        names = next(iter(records.values()), [])
        least = 3 if delimiter == DELIMITERS["tab"] else 2
        is_alone = len(records) == 1 and sample.whole
        if not sample.is_text or len(names) < least or is_alone or not _are_names(names):
            return {}
        return {line: len(fields) == len(names) for line, fields in records.items()}


def _are_names(fields: list[str]) -> bool:
    """Return whether the fields of a text's first line look like the names of columns."""
    # Row numbers have no name. In prose a space follows a comma; in a table without a header
    # numbers stand in the first line, and in other formats colons and bars.
    written = [name for name in fields if name]
    return bool(written) and (
        len(set(fields)) == len(fields)
        and all(name == name.strip() and name[0] not in "+-.0123456789" for name in written)
        and not any(mark in written[0] for mark in ":|")
    )


def _records(text: str, delimiter: str) -> dict[int, list[str]]:
    """Return the fields of a text's records by the lines on which they end; none of a bad one."""
    records = {}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        try:
            if fields := next(reader):
                records[reader.line_num] = fields
        except csv.Error:
            records[reader.line_num] = []
        except StopIteration:
            return records
