"""Columns of a table to categories, numbers and tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain.data.formats.table_parts import Column

__all__ = [
    "Categories",
    "Extent",
    "Numbers",
    "broken",
    "categories",
    "crossed",
    "numbers",
    "prefixed",
    "words",
]

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
#: What Python's ``\w`` does not match, in RE2's words: no letter, no number, no underscore.
_BETWEEN_WORDS = r"[^\p{L}\p{N}_]+"


@dataclass(frozen=True)
class Categories:
    """A column as its distinct values and which of them each row has.

    Attributes
    ----------
    values : pyarrow array of text of length K
        In the order in which they are met.
    codes : int64 array of shape [R]
        -1 where the value is missing.
    """

    values: Column
    codes: NDArray[np.int64]


@dataclass(frozen=True)
class Extent:
    """Between what some numbers lie, and by how much the nearest float32 differs at most."""

    lowest: float = np.inf
    highest: float = -np.inf
    rounding: float = 0.0

    @property
    def width(self) -> float:
        """By how much two of them differ at most."""
        return self.highest - self.lowest

    def joined(self, other: "Extent") -> "Extent":
        """Return the extent of these numbers and others."""
        return Extent(
            min(self.lowest, other.lowest),
            max(self.highest, other.highest),
            max(self.rounding, other.rounding),
        )


@dataclass(frozen=True)
class Numbers:
    """A column of numbers.

    Attributes
    ----------
    values : float32 array of shape [R]
        Where neither missing nor bad, finite.
    missing, bad : bool arrays of shape [R]
        Where there is none; where something is that is no finite number.
    extent : Extent
        Of those that are neither.
    """

    values: NDArray[np.float32]
    missing: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    extent: Extent


def categories(column: Column, missing_values: Sequence[str]) -> Categories:
    """Return a column's values as text; the empty one, those given and NaN are missing."""
    import pyarrow as pa
    from pyarrow import compute

    encoded = _encoded(_text(column))
    names = pa.array(["", *missing_values], pa.string())
    held = compute.invert(compute.is_in(encoded.values, value_set=names))
    # The last element serves -1: null.
    kept = np.append(held.to_numpy(zero_copy_only=False), False)
    new_codes = np.where(kept, np.cumsum(kept) - 1, -1)
    return Categories(encoded.values.filter(held), new_codes[encoded.codes])


def numbers(column: Column, missing_values: Sequence[str]) -> Numbers:
    """Return a column's numbers: of a column of text, those that are written there.

    In text the empty one and the texts given are missing; NaN is no number there, but in a column
    of numbers it is a missing one.
    """
    import pyarrow as pa
    from pyarrow import compute, types

    bad = np.zeros(len(column), np.bool_)
    is_text = not (types.is_primitive(column.type) or types.is_decimal(column.type))
    if is_text:
        column = _text(column)
        names = pa.array(["", *missing_values], pa.string())
        column = compute.if_else(compute.is_in(column, value_set=names), None, column)
        try:
            floats = column.cast(pa.float64())
        except pa.ArrowInvalid:
            column = compute.utf8_trim_whitespace(column)
            is_number = compute.match_substring_regex(column, _NUMBER)
            bad = compute.invert(is_number).fill_null(False).to_numpy(zero_copy_only=False)
            floats = compute.if_else(is_number, column, None).cast(pa.float64())
    else:
        floats = column.cast(pa.float64(), safe=False)
    exact = floats.fill_null(np.nan).to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        values = exact.astype(np.float32)
    missing = column.is_null(nan_is_null=not is_text).to_numpy(zero_copy_only=False)
    extent = _extent(exact, values)
    return Numbers(values, missing, bad | (~np.isfinite(values) & ~missing), extent)


def _extent(exact: NDArray[np.float64], values: NDArray[np.float32]) -> Extent:
    held = np.isfinite(values)
    exact, values = exact[held], values[held]
    if not len(exact):
        return Extent()
    return Extent(float(exact.min()), float(exact.max()), float(np.abs(exact - values).max()))


def crossed(columns: Sequence[Categories], with_missing: bool) -> Categories:
    r"""Return the combinations of the columns' values, ``a*b``.

    Before a ``*`` or a ``\`` of a value stands a ``\``. A missing value is empty in a combination,
    or makes it missing.
    """
    import pyarrow as pa
    from pyarrow import compute

    dropped = np.zeros(len(columns[0].codes), np.bool_)
    combined = np.zeros(len(dropped), np.int64)
    for column in columns:
        # Of distinct ones there are at most as many as rows, so that the product stays below 2^63.
        pairs = combined * (len(column.values) + 1) + column.codes + 1
        combined = _encoded(pa.array(pairs)).codes
        dropped |= (column.codes < 0) & (not with_missing)
    encoded = _encoded(pa.array(combined, mask=dropped))
    held = np.flatnonzero(encoded.codes >= 0)[::-1]
    rows = np.empty(len(encoded.values), np.int64)
    rows[encoded.codes[held]] = held  # the first row of each combination is written last
    parts = []
    for column in columns:
        codes = column.codes[rows]
        escaped = compute.replace_substring_regex(column.values, r"([\\*])", r"\\\1")
        parts.append(escaped.take(pa.array(codes, mask=codes < 0)).fill_null(""))
    return Categories(compute.binary_join_element_wise(*parts, "*"), encoded.codes)


def broken(column: Categories) -> NDArray[np.bool_]:
    """Return in which rows the value holds a line's end or a NUL, which no name of ours may."""
    from pyarrow import compute

    found = compute.match_substring_regex(column.values, r"[\r\n\x00]")
    # The last element serves -1: a missing value holds none.
    return np.append(found.to_numpy(zero_copy_only=False), False)[column.codes]


def words(texts: Categories) -> tuple[NDArray[np.int64], Categories]:
    """Return how many words each row's text has, int64 of shape [R], and all words, in lower case.

    A missing text has none.
    """
    import pyarrow as pa
    from pyarrow import compute

    rows = texts.values.take(pa.array(texts.codes, mask=texts.codes < 0)).fill_null("")
    pieces = compute.split_pattern_regex(compute.utf8_lower(rows), _BETWEEN_WORDS)
    found = categories(pieces.flatten(), ())
    owners = compute.list_parent_indices(pieces).to_numpy(zero_copy_only=False)
    held = found.codes >= 0  # an empty piece stands where a text does not begin or end with a word
    counts = np.bincount(owners[held], minlength=len(rows)).astype(np.int64)
    return counts, Categories(found.values, found.codes[held])


def prefixed(
    prefix: str, values: Column
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Return the values with a prefix as stretches of one text: the text, starts and ends."""
    import pyarrow as pa
    from pyarrow import compute

    names: Any = compute.binary_join_element_wise(pa.scalar(prefix), values, "")
    _, offsets, data = names.buffers()
    if not len(names):
        nothing = np.empty(0, np.int64)
        return np.empty(0, np.uint8), nothing, nothing
    ends = np.frombuffer(offsets, np.int32)[names.offset : names.offset + len(names) + 1]
    bounds = ends.astype(np.int64)
    return np.frombuffer(data, np.uint8), bounds[:-1], bounds[1:]


def _encoded(column: Column) -> Categories:
    encoded = column.dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return Categories(encoded.dictionary, codes.astype(np.int64))


def _text(column: Column) -> Column:
    import pyarrow as pa
    from pyarrow import compute, types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_floating(column.type):
        column = compute.if_else(compute.is_nan(column), None, column)
    return column.cast(pa.string())
