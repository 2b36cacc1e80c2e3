"""Tables: CSV and its like, and Parquet. A column is the target; others become features."""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal

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
        """Whether it is Parquet, or text with a line of names and as many fields in each."""
        return sample.start.startswith(MAGIC) or (sample.is_text and _has_header(sample))


def _has_header(sample: Sample) -> bool:
    """Whether lines of as many fields follow a line of names."""
    text = b"\n".join(sample.lines)
    delimiter = delimiter_of(text)
    names, *others = _records(text.decode(errors="replace"), delimiter.decode()) or [[]]
    least = 3 if delimiter == DELIMITERS["tab"] else 2
    if len(names) < least or not others or any(len(row) != len(names) for row in others):
        return False
    # Row numbers have no name. In prose a space follows a comma; in a table without a header
    # numbers stand in the first line, and in other formats colons and bars.
    written = [name for name in names if name]
    return (
        len(set(names)) == len(names)
        and all(name == name.strip() and name[0] not in "+-.0123456789" for name in written)
        and not any(mark in written[0] for mark in ":|")
    )


def _records(text: str, delimiter: str) -> list[list[str]]:
    """Return a text's records, as far as it is delimited text; a sample may end within quotes."""
    records = []
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            if record:
                records.append(record)
    except csv.Error:
        pass
    return records
