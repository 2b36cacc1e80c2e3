"""What must hold of a store before it is used: kernels take any index as it is."""

from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from sstrain.data.array_files import map_array, map_arrays
from sstrain.data.formats.table_roles import Kind
from sstrain.data.manifest import MANIFEST, read_manifest
from sstrain.data.reader import Rows
from sstrain.data.wording import printable, reason_of
from sstrain.errors import UserError
from sstrain.section import Section

__all__ = [
    "OPTIONAL",
    "Description",
    "Fitted",
    "check_distinct",
    "check_rows",
    "damage",
    "read_names",
    "read_numbers",
    "row_arrays",
    "store_manifest",
]

_LARGEST_COUNT = 2**53
_TYPES: dict[str, Any] = {
    "indptr": np.int64,
    "features": np.int32,
    "values": np.float32,
    "labels": np.int32,
    "lines": np.int64,
    "label_indptr": np.int64,
    "weights": np.float32,
    "groups": np.int64,
}
#: What the rows of a store may or may not have.
OPTIONAL = frozenset(("label_indptr", "weights", "groups"))
#: Which arrays the pointers point into.
_POINTED = {"indptr": ("features", "values"), "label_indptr": ("labels",)}


class Fitted(Section):
    """What the readers fix for other files (``Reader.fitted``), and ``hash_bits``."""

    hash_bits: int | None = Field(None, ge=1, le=30)
    index_base: Literal[0, 1] | None = None
    columns: dict[str, Kind] | None = None
    crosses: list[str] | None = None

    def unhashed(self) -> Self:
        """Return all but ``hash_bits``."""
        return self.model_copy(update={"hash_bits": None})


class Description(Section):
    """What a store's manifest says beside the records of the files."""

    num_lines: int = Field(ge=0, le=_LARGEST_COUNT)
    fitted: Fitted
    scaled: dict[str, Literal["standard", "max_abs"]]
    predicts_tokens: bool


def store_manifest(folder: Path, kind: str) -> Description:
    """Return what a store's manifest says, once every file is there and has its size.

    Raises
    ------
    UserError
        If it says something else than what is written there.
    """
    manifest = read_manifest(folder, kind)
    content = {key: manifest[key] for key in Description.model_fields if key in manifest}
    try:
        return Description.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = printable(".".join(map(str, first["loc"])))
        raise damage(folder / MANIFEST, f"{key}: {printable(first['msg'])}") from None


def row_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a store's rows, mapped; of no rows there may be none.

    Raises
    ------
    UserError
        If one is missing, or of another type or length than it should be.
    """
    try:
        arrays = map_arrays(folder)
    except (OSError, ValueError) as error:
        raise damage(folder, reason_of(error)) from None
    if not arrays:
        return arrays
    if not _TYPES.keys() - OPTIONAL <= arrays.keys() <= _TYPES.keys():
        raise damage(folder, f"found the arrays {printable(', '.join(arrays), 200)}")
    for name, array in arrays.items():
        if array.dtype != _TYPES[name]:
            raise damage(folder, f"{name} is of type {array.dtype}")
    _check_lengths(folder, arrays)
    return arrays


def _check_lengths(folder: Path, arrays: dict[str, NDArray[Any]]) -> None:
    num_rows = len(arrays["lines"])
    lengths = dict.fromkeys(arrays, num_rows)
    for pointer, names in _POINTED.items():
        if (indptr := arrays.get(pointer)) is not None:
            if len(indptr) != num_rows + 1 or indptr[0] != 0:
                raise damage(folder, f"{pointer} does not begin with 0, or has another length")
            lengths |= {pointer: num_rows + 1, **dict.fromkeys(names, int(indptr[-1]))}
    for name, length in lengths.items():
        if len(arrays[name]) != length:
            raise damage(folder, f"{name} has {len(arrays[name]):,} elements, not {length:,}")


def check_rows(
    path: str, rows: Rows, num_labels: int, num_features: int, lines: tuple[int, int]
) -> None:
    """Refuse rows that point out of bounds, or hold what no reader gives.

    Parameters
    ----------
    path : str
        The store's, for messages.
    rows : Rows
        Some of one of `row_arrays`, at least one.
    num_labels, num_features : int
        How many names there are.
    lines : (int, int)
        The least line that is allowed, and the largest.

    Raises
    ------
    UserError
    """
    pointer = rows.label_indptr
    problems = {
        "indptr": not _rises(rows.indptr) or rows.indptr[-1] != len(rows.features),
        "features": not _within(rows.features, 0, num_features - 1),
        "values": not np.isfinite(rows.values).all(),
        "label_indptr": pointer is not None
        and (not _rises(pointer) or pointer[-1] != len(rows.labels)),
        "labels": not _within(rows.labels, -1 if pointer is None else 0, num_labels - 1),
        "lines": not (_rises(rows.lines) and _within(rows.lines, *lines)),
        "weights": rows.weights is not None
        and not ((rows.weights >= 0) & (rows.weights < np.inf)).all(),
    }
    if not any(problems.values()):
        problems["features"] = _repeats(rows.indptr, rows.features)
        problems["labels"] = pointer is not None and _repeats(pointer, rows.labels)
    for name, is_wrong in problems.items():
        if is_wrong:
            raise damage(path, f"its arrays do not fit together: {name} is out of bounds")


def damage(place: Path | str, problem: str) -> UserError:
    """Return the error of a store that is not as it was written."""
    return UserError(f"{place}: damaged; {problem}; expected a store as it was written")


def _rises(array: NDArray[np.int64]) -> bool:
    return bool((array[1:] >= array[:-1]).all())


def _within(array: NDArray[Any], least: int, most: int) -> bool:
    return not len(array) or (int(array.min()) >= least and int(array.max()) <= most)


def _repeats(indptr: NDArray[np.int64], ids: NDArray[np.int32]) -> bool:
    """Return whether an id stands in a row twice."""
    keys = np.repeat(np.arange(len(indptr) - 1) << 32, np.diff(indptr)) + ids
    keys.sort()
    return bool((keys[1:] == keys[:-1]).any())


def read_names(path: Path) -> list[str]:
    """Return the names of a file, one a line."""
    try:
        *names, rest = path.read_bytes().decode().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read; {reason_of(error)}") from None
    if rest:
        raise damage(path, "the last line has no end")
    return names


def read_numbers(path: Path) -> NDArray[np.int64]:
    """Return the numbers of a file of features that have no names."""
    try:
        numbers = map_array(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read; {reason_of(error)}") from None
    if numbers.dtype != np.int64 or np.min(numbers, initial=0) < 0:
        raise damage(path, "the features have other numbers than int64 from 0")
    return np.array(numbers)


def check_distinct(ids: NDArray[np.int32], path: Path) -> None:
    """Refuse a file of names that holds one twice."""
    if len(np.unique(ids)) < len(ids):
        raise damage(path, "a name stands there twice")
