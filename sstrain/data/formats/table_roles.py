"""Which column of a table serves as what."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from sstrain.data.formats.table_columns import categories, numbers
from sstrain.data.formats.table_parts import Column, Part
from sstrain.data.wording import listed, printable, shown
from sstrain.errors import UserError

if TYPE_CHECKING:
    from sstrain.data.formats.table import Table

__all__ = ["Kind", "Roles"]

Kind = Literal["categorical", "text", "numeric"]
_KINDS: tuple[Kind, ...] = get_args(Kind)

#: What pandas calls the column of row numbers that it adds to a Parquet file; in CSV it has none.
_ROW_NUMBERS = re.compile(r"(__index_level_\d+__)?")
#: Postal codes and the like, which are no amounts.
_LEADING_ZERO = r"^\s*[+-]?0[0-9]"
_LIKELY_MISSING = frozenset(
    ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "null", "NULL", "None", "?", "-", ".")
)


class Roles:
    """The columns of a source and what they serve as.

    Parameters
    ----------
    source : Table
    fitted : mapping
        What the training files fixed: ``columns``, by their kinds, and ``crosses``.
    labelled : bool
        Whether the target, and what belongs to it, is needed.

    Attributes
    ----------
    kinds : dict of str to Kind, or None
        The columns that become features; None until the first rows of the training files told.
    crosses : list of str
        Names of categorical columns, with ``*`` between them.
    """

    def __init__(self, source: "Table", fitted: Mapping[str, Any], labelled: bool) -> None:
        self._source = source
        self._labelled = labelled
        self._is_fitted = "columns" in fitted
        self.kinds: dict[str, Kind] | None = fitted.get("columns", source.kinds)
        self.crosses: list[str] = list(fitted.get("crosses", source.crosses or ()))
        self._left_out: list[str] = []
        self._is_text = True

    def needed(self, types: Mapping[str, Any], path: str) -> list[str]:
        """Return the columns to be read of a file.

        Parameters
        ----------
        types : mapping of str to pyarrow types or None
            The file's columns; None if it is text.
        path : str

        Raises
        ------
        UserError
            If a column is missing that is needed, or of a type that is not read.
        """
        self._is_text = None in types.values()
        given = [*self._special(types), *(self.kinds or {}), *self._crossed()]
        for name in given:
            if name not in types:
                raise UserError(_missing(name, list(types), path))
            if types[name] is not None:
                self._check_type(name, types[name], path)
        taken = {*given, *self._source.special_columns}
        free = [name for name in types if name not in taken]
        if self.kinds is None:
            named = [name for name in free if not _ROW_NUMBERS.fullmatch(name)]
            given += [name for name in named if types[name] is None or _is_readable(types[name])]
        taken = {*given, *self._left_out}
        self._left_out += [name for name in free if name not in taken]
        for name in given:
            if any(mark in name for mark in "\n\r\0"):
                raise UserError(
                    f"{path}: a line's end or a NUL in a column's name; found {shown(name)}; "
                    "expected a name of one line; rename it"
                )
        return list(dict.fromkeys(given))

    def settle(self, part: Part) -> None:
        """Take each column's kind from the first rows, if nothing has told it yet.

        Raises
        ------
        UserError
            If no column is left, or two would have features of the same name.
        """
        if self.kinds is None:
            crossed, special = self._crossed(), self._source.special_columns
            self.kinds = {
                name: "categorical" if name in crossed else self._kind(name, part)
                for name in part.columns
                if name in crossed or name not in special
            }
        if not self.kinds:
            raise UserError(
                f"{part.place(int(part.lines[0]))}: no features; found no column beside "
                f"{', '.join(map(repr, self._source.special_columns))}; expected at least one"
            )
        _check_distinct(self.kinds, part)

    def of_kind(self, kind: Kind) -> list[str]:
        """Return the columns of one kind."""
        return [name for name, own in (self.kinds or {}).items() if own == kind]

    def notes(self) -> list[str]:
        """Return what the columns were taken for, if it is the training files that told."""
        if self._is_fitted or not self.kinds:
            return []
        served: dict[str, list[str]] = {kind: self.of_kind(kind) for kind in _KINDS}
        served["left out"] = self._left_out
        notes = [f"{use}: {listed(names)}" for use, names in served.items() if names]
        if self._source.kinds is None and served["numeric"]:
            notes.append("give categorical the columns whose numbers are codes")
        return ["columns: " + "; ".join(notes)]

    def _special(self, types: Mapping[str, Any]) -> list[str]:
        """Return the columns to be read of a file that are no features."""
        source = self._source
        if not self._labelled:
            return []
        special = [source.target] if source.weight is None else [source.target, source.weight]
        # Groups matter to the split alone, so that a file for evaluation need not have them.
        if source.group is not None and (source.group in types or not self._is_fitted):
            special.append(source.group)
        return special

    def _crossed(self) -> list[str]:
        return [name for cross in self.crosses for name in cross.split("*")]

    def _check_type(self, name: str, kind: Any, path: str) -> None:
        from pyarrow import types

        source = self._source
        if (self.kinds or {}).get(name) == "numeric" or name == source.weight:
            fits, expected = _is_readable(kind), "numbers, or text that holds them"
        elif name in (source.target, source.group):
            fits = (_is_readable(kind) and not types.is_floating(kind)) or types.is_temporal(kind)
            expected = "text, whole numbers, booleans or dates"
        else:
            fits = _is_readable(kind) or types.is_temporal(kind)
            expected = "text, numbers, booleans or dates"
        if not fits:
            raise UserError(
                f"{path}: column {shown(name)}: of type {printable(str(kind))}; expected {expected}"
            )

    def _kind(self, name: str, part: Part) -> Kind:
        from pyarrow import types

        column, missing_values = part.columns[name], self._source.missing_values
        is_number = (types.is_integer, types.is_floating, types.is_decimal)
        if not (self._is_text or any(is_kind(column.type) for is_kind in is_number)):
            return "categorical"
        found = numbers(column, missing_values)
        held = ~found.missing
        if not held.any() or found.bad.any():
            self._refuse_mixed(name, column, found.bad, held & ~found.bad, part)
            return "categorical"
        return "categorical" if self._is_text and _has_leading_zero(column) else "numeric"

    def _refuse_mixed(self, name: str, column: Column, bad: Any, good: Any, part: Part) -> None:
        import pyarrow as pa

        texts = categories(column.filter(pa.array(bad)), ()).values.to_pylist()
        if good.any() and texts and {text.strip() for text in texts} <= _LIKELY_MISSING:
            row = int(np.argmax(bad))
            raise UserError(
                *part.bad(
                    row, name, "numbers, and a text that may stand for a missing one",
                    f"one of them; give missing_values: {texts}, or list the column in "
                    "categorical, numeric or text".replace("'", '"'),
                ).messages
            )  # fmt: skip


def _is_readable(kind: Any) -> bool:
    """Whether a column's type is one whose values are categories or numbers as they are."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    text = (types.is_string, types.is_large_string, types.is_string_view, types.is_boolean)
    number = (types.is_integer, types.is_floating, types.is_decimal, types.is_null)
    return any(is_kind(kind) for is_kind in (*text, *number))


def _has_leading_zero(column: Column) -> bool:
    from pyarrow import compute

    return bool(compute.any(compute.match_substring_regex(column, _LEADING_ZERO)).as_py())


def _missing(name: str, names: Sequence[str], path: str) -> str:
    similar = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {shown(similar[0])}?" if similar else ""
    return (
        f"{path}: no column {name!r}; found {listed(names)}; expected it among the names in the "
        f"file's first line{hint}"
    )


def _check_distinct(names: Iterable[str], part: Part) -> None:
    """Refuse columns of which one's features could have the name of another's."""
    known = set(names)
    for name in sorted(known):
        for match in re.finditer(r"[=:*]", name):
            if (other := name[: match.start()]) in known:
                raise UserError(
                    f"{part.place(int(part.lines[0]))}: columns {shown(other)} and {shown(name)} "
                    "would have features of the same name; expected other names; rename one"
                )
