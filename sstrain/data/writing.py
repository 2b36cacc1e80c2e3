"""CSR rows to svmlight and xc text."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sstrain.disk import disk_reason, replacing_all
from sstrain.errors import FailureError, UserError

__all__ = ["WrittenRows", "write_svmlight", "write_xc"]

_ENTRIES = 1 << 18
_LARGEST_LABEL = 2**53
_LARGEST_INDEX = 10**18 - 1


@dataclass(frozen=True)
class WrittenRows:
    """Examples, any number at a time.

    Attributes
    ----------
    indptr : int64 array of shape [R + 1]
    indices : integer array of shape [nnz]
        Features by their ids, in a row each at most once.
    values : float32 array of shape [nnz]
    label_indptr : int64 array of shape [R + 1]
    labels : integer array of shape [L]
        Labels by their ids.
    weights : float32 array of shape [R], optional
        Neither format can hold them: they have to be 1.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.integer[Any]]
    values: NDArray[np.float32]
    label_indptr: NDArray[np.int64]
    labels: NDArray[np.integer[Any]]
    weights: NDArray[np.float32] | None = None

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.indptr) - 1


class _Numbers(NamedTuple):
    """What is written for the ids of labels and features."""

    labels: NDArray[np.int64]
    features: NDArray[np.int64]


def write_svmlight(
    path: Path,
    chunks: Iterable[WrittenRows],
    label_names: Sequence[str],
    feature_names: Sequence[str],
) -> list[Path]:
    """Write ``label,label index:value ...`` lines.

    Names are written as they are if all of them are whole numbers that the format can hold, else
    their ids, from 0, and the names to ``FILE.classes.txt`` and ``FILE.features.txt``, one a line.

    Parameters
    ----------
    path : Path
        Compressed if it ends in ``.gz``; replaced when all of it is written.
    chunks : iterable of WrittenRows
    label_names, feature_names : sequence of str
        By id.

    Returns
    -------
    list of Path
        Every file that was written.

    Raises
    ------
    UserError
        For a weight other than 1, or a value that is not finite.
    FailureError
        If the disk does not take it.
    """
    labels = _whole_numbers(label_names, -_LARGEST_LABEL, _LARGEST_LABEL)
    features = _whole_numbers(feature_names, 0, _LARGEST_INDEX)
    numbers = _Numbers(
        np.arange(len(label_names)) if labels is None else labels,
        np.arange(len(feature_names)) if features is None else features,
    )
    beside = {} if labels is not None else {"classes": label_names}
    beside |= {} if features is not None else {"features": feature_names}
    return _write(path, b"", chunks, numbers, beside)


def write_xc(
    path: Path,
    chunks: Iterable[WrittenRows],
    label_names: Sequence[str],
    feature_names: Sequence[str],
    num_rows: int,
) -> list[Path]:
    """Write the text of the extreme-classification repository: a header, then ids from 0.

    Parameters, result and errors are those of `write_svmlight`; names go to their files unless they
    are the ids.

    Parameters
    ----------
    num_rows : int
        How many rows the chunks hold, for the header.

    Raises
    ------
    ValueError
        If they hold another number.
    """
    header = f"{num_rows} {len(feature_names)} {len(label_names)}\n"
    numbers = _Numbers(np.arange(len(label_names)), np.arange(len(feature_names)))
    beside = {
        what: names
        for what, names in (("classes", label_names), ("features", feature_names))
        if any(name != str(number) for number, name in enumerate(names))
    }
    return _write(path, header.encode(), _counted(chunks, num_rows), numbers, beside)


def _counted(chunks: Iterable[WrittenRows], num_rows: int) -> Iterator[WrittenRows]:
    """Yield all chunks if they hold so many rows."""
    num_written = 0
    for chunk in chunks:
        yield chunk
        num_written += chunk.num_rows
    if num_written != num_rows:
        raise ValueError(f"{num_written} rows for a header of {num_rows}")


def _whole_numbers(names: Sequence[str], lowest: int, highest: int) -> NDArray[np.int64] | None:
    """Return the numbers that names are, if all of them are, in their shortest spelling."""
    numbers = []
    for name in names:
        digits = name.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
            return None
        number = int(name)
        if not lowest <= number <= highest or str(number) != name:
            return None
        numbers.append(number)
    return np.array(numbers, np.int64)


def _write(
    path: Path,
    header: bytes,
    chunks: Iterable[WrittenRows],
    numbers: _Numbers,
    beside: dict[str, Sequence[str]],
) -> list[Path]:
    """Write the text, and names beside it; the text takes its place last. Return all files."""
    named = [path.with_name(f"{path.name}.{what}.txt") for what in beside]
    with _failures(path), replacing_all([*named, path]) as (*temporaries, text):
        for temporary, names in zip(temporaries, beside.values(), strict=True):
            temporary.write_bytes(_name_lines(path, names))
        with _opened(text, path.suffix == ".gz") as file:
            file.write(header)
            for chunk in chunks:
                for rows in _slices(_checked(path, chunk)):
                    file.write(_text(rows, numbers))
    return [path, *named]


def _name_lines(path: Path, names: Sequence[str]) -> bytes:
    for name in names:
        if "\n" in name or "\r" in name:
            raise UserError(f"{path}: a name holds a line's end; found {name[:60]!r}")
    return "".join(f"{name}\n" for name in names).encode()


@contextmanager
def _opened(path: Path, compressed: bool) -> Iterator[IO[bytes]]:
    with path.open("wb") as file:
        if not compressed:
            yield file
            return
        # No name and no time: equal rows are equal files.
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
            yield packed  # type: ignore[misc]


@contextmanager
def _failures(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FailureError(f"{path}: cannot be written: {disk_reason(error)}") from error


def _checked(path: Path, rows: WrittenRows) -> WrittenRows:
    if rows.weights is not None and np.any(rows.weights != 1):
        weight = rows.weights[np.argmax(rows.weights != 1)]
        raise UserError(
            f"{path}: this format holds no weights of examples; found {weight:g}; expected 1"
        )
    if not np.all(np.isfinite(rows.values)):
        raise UserError(f"{path}: a value is not finite; expected a number")
    return rows


def _slices(rows: WrittenRows) -> Iterator[WrittenRows]:
    """Yield the rows, each time so many that their text is small."""
    first = 0
    while first < rows.num_rows:
        most = rows.indptr[first] + _ENTRIES, rows.label_indptr[first] + _ENTRIES
        end = min(
            int(np.searchsorted(rows.indptr, most[0], side="right")) - 1,
            int(np.searchsorted(rows.label_indptr, most[1], side="right")) - 1,
            first + _ENTRIES,
        )
        end = max(end, first + 1)
        indptr, label_indptr = (
            pointer[first : end + 1] for pointer in (rows.indptr, rows.label_indptr)
        )
        entries = slice(indptr[0], indptr[-1])
        yield WrittenRows(
            indptr - indptr[0],
            rows.indices[entries],
            rows.values[entries],
            label_indptr - label_indptr[0],
            rows.labels[label_indptr[0] : label_indptr[-1]],
        )
        first = end


def _text(rows: WrittenRows, numbers: _Numbers) -> bytes:
    """Return the rows' lines.

    A line without labels begins with a blank, as scikit-learn writes it.
    """
    import pyarrow as pa
    from pyarrow import compute

    indices, values = _in_order(rows.indptr, numbers.features[rows.indices], rows.values)
    features: Any = compute.binary_join_element_wise(_texts(indices), _texts(values), ":")
    gaps = (np.diff(rows.indptr) > 0) | (np.diff(rows.label_indptr) == 0)
    lines: Any = compute.binary_join_element_wise(
        _joined(_texts(numbers.labels[rows.labels]), rows.label_indptr, ","),
        pa.array(np.where(gaps, " ", "")),
        _joined(features, rows.indptr, " "),
        pa.scalar("\n"),
        "",
    )
    return b"".join(lines.cast(pa.binary()).to_pylist())


def _in_order(
    indptr: NDArray[np.int64], indices: NDArray[np.int64], values: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return each row's entries by rising index, which other programs expect."""
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    if np.all((np.diff(indices) > 0) | (np.diff(rows) > 0)):
        return indices, values
    order = np.lexsort((indices, rows))
    return indices[order], values[order]


def _texts(numbers: NDArray[Any]) -> Any:
    """Return numbers' shortest texts that read back as the same, as an array of Arrow's."""
    import pyarrow as pa

    return pa.array(numbers).cast(pa.string())


def _joined(texts: Any, indptr: NDArray[np.int64], separator: str) -> Any:
    """Return each row's texts as one."""
    import pyarrow as pa
    from pyarrow import compute

    rows: Any = pa.ListArray.from_arrays(pa.array(indptr, pa.int32()), texts)
    joined: Any = compute.binary_join(rows, separator)
    return joined
