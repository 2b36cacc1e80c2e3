"""What holds of rows, of names and of messages, whatever the input was."""

from collections.abc import Set
from typing import Any

import numpy as np

from sstrain.data.reader import Reader, Rows
from sstrain.errors import UserError

__all__ = ["check_messages", "check_rows", "checked_names"]


def check_messages(error: UserError, places: Set[str]) -> None:
    """Check what is said of an input that is refused: it begins with a file or an option."""
    for message in error.messages:
        place = message.partition(":")[0]
        assert places & set(place.split("/")), f"a message without its place: {message!r}"
        assert message.isprintable(), f"a message with control characters: {message!r}"
        assert len(message) < 2000, f"a message of {len(message)} characters"


def check_rows(rows: Rows, labelled: bool) -> None:
    """Check all of a chunk that does not depend on names."""
    _check_indptr(rows.indptr, rows.num_rows, len(rows.features))
    assert rows.features.dtype == rows.labels.dtype == np.int32, "types"
    assert rows.values.dtype == np.float32, "types"
    assert rows.lines.dtype == np.int64, "types"
    assert len(rows.values) == len(rows.features), "as many values as features"
    assert np.isfinite(rows.values).all(), "finite values"
    _check_each_once(rows.indptr, rows.features, "feature")
    if rows.label_indptr is not None:
        _check_indptr(rows.label_indptr, rows.num_rows, len(rows.labels))
        _check_each_once(rows.label_indptr, rows.labels, "label")
        assert labelled or not len(rows.labels), "labels where there are none"
    else:
        assert len(rows.labels) == rows.num_rows, "a label a row"
        assert labelled or (rows.labels == -1).all(), "labels where there are none"
    if rows.weights is not None:
        assert rows.weights.dtype == np.float32
        assert rows.weights.shape == rows.lines.shape, "a weight a row"
        assert np.isfinite(rows.weights).all(), "finite weights"
        assert (rows.weights >= 0).all(), "weights from 0"
    if rows.groups is not None:
        assert rows.groups.dtype == np.int64
        assert rows.groups.shape == rows.lines.shape, "a group a row"


def _check_indptr(indptr: Any, num_rows: int, num_entries: int) -> None:
    assert indptr.dtype == np.int64, "indptr's type"
    assert indptr.shape == (num_rows + 1,), "indptr's shape"
    assert indptr[0] == 0 and indptr[-1] == num_entries, "indptr from 0 to the last entry"  # noqa: PT018
    assert (indptr[1:] >= indptr[:-1]).all(), "indptr rises"


def _check_each_once(indptr: Any, ids: Any, what: str) -> None:
    lowest = 0 if what == "feature" else -1
    assert len(ids) == 0 or ids.min() >= lowest, f"a {what} below {lowest}"
    entries = np.repeat(np.arange(len(indptr) - 1) << 32, np.diff(indptr)) + ids
    entries.sort()
    assert (entries[1:] != entries[:-1]).all(), f"a {what} twice in a row"


def checked_names(
    reader: Reader, chunks: list[Rows], num_lines: int
) -> tuple[list[str], list[Any]]:
    """Return the names of labels and features, if they fit the rows."""
    labels, features = reader.label_names, reader.feature_names
    for ids, names in (("labels", labels), ("features", features)):
        largest = max((int(getattr(rows, ids).max(initial=-1)) for rows in chunks), default=-1)
        assert largest < len(names), f"an id beyond the names of {ids}"
    assert len(set(labels)) == len(labels), "two labels of one name"
    assert all(type(label) is str for label in labels), "labels are strings"
    listed: list[Any] = features if isinstance(features, list) else features.tolist()
    named = [name for name in listed if name != ""]
    assert len(set(named)) == len(named), "two features of one name"
    for names in (labels, features if isinstance(features, list) else []):
        "\n".join(names).encode()
        assert not any("\n" in name for name in names), "a newline in a name"
    lines = [rows.lines for rows in chunks if rows.num_rows]
    if lines:
        numbers = np.concatenate(lines)
        assert numbers[0] >= 1 and numbers[-1] <= num_lines, "a line beyond the file's"  # noqa: PT018
        assert (numbers[1:] >= numbers[:-1]).all(), "lines rise"
    return labels, listed
