"""The labels beside a matrix: an array of numbers or texts, or a text with a label a line."""

import io
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sstrain.data.files import is_regular
from sstrain.data.npy_files import Member, array_at, damaged
from sstrain.data.numbering import NameTable
from sstrain.data.reading import Reading
from sstrain.errors import UserError

__all__ = ["ArrayTargets", "Targets", "beyond_text", "label_ids", "label_problem", "open_targets"]

_MAGIC = b"\x93NUMPY"
#: Bytes of one label.
_LONGEST = 1 << 12
_LARGEST_WHOLE = 2**53


class Targets(Protocol):
    """Labels that are read from the first to the last."""

    def check(self, num_rows: int) -> None:
        """Refuse another number of labels than of rows, if it is known."""

    def take(self, count: int) -> NDArray[Any]:
        """Return the next labels: numbers, texts, or texts as objects."""

    def finish(self) -> None:
        """Refuse labels that are left."""


class ArrayTargets:
    """An array of labels."""

    def __init__(self, member: Member) -> None:
        if len(member.shape) != 1:
            raise UserError(
                f"{member.name}: expected one label a row; found an array of the shape "
                f"{member.shape}; give targets.argmax(axis=1) of one-hot rows, targets.ravel() of "
                "one column"
            )
        longest = _LONGEST if member.dtype.kind in "US" else 8
        if member.dtype.kind not in "biufUS" or member.dtype.itemsize > longest:
            raise UserError(
                f"{member.name}: no labels; found elements of the type {member.dtype}; expected "
                f"whole numbers, or text of a fixed width of at most {_LONGEST:,} bytes"
            )
        self._member = member

    def check(self, num_rows: int) -> None:
        """Refuse another number of labels than of rows."""
        if self._member.length != num_rows:
            raise UserError(
                f"{self._member.name}: {self._member.length:,} labels for {num_rows:,} rows; "
                "expected a label for each row"
            )

    def take(self, count: int) -> NDArray[Any]:
        """Return the next labels."""
        return self._member.take(count)

    def finish(self) -> None:
        """Do nothing: their number has been looked at."""


@dataclass
class LineTargets:
    """A text with a label a line."""

    file: IO[bytes]
    path: str
    num_read: int = 0

    def check(self, num_rows: int) -> None:
        """Do nothing: how many there are shows at the end."""

    def take(self, count: int) -> NDArray[Any]:
        """Return the next labels.

        Raises
        ------
        UserError
            If there are not so many, or a line is too long or no UTF-8.
        """
        labels = np.empty(count, object)
        for position in range(count):
            line = self.file.readline(_LONGEST + 2)
            self.num_read += 1
            if not line:
                raise UserError(
                    f"{self.path}:{self.num_read}: fewer labels than rows; expected a label a line"
                )
            labels[position] = self._label(line.removesuffix(b"\n").removesuffix(b"\r"))
        return labels

    def finish(self) -> None:
        """Refuse a line that is left, if it is not blank."""
        while line := self.file.readline(_LONGEST):
            self.num_read += 1
            if line.strip():
                found = line.strip()[:60].decode(errors="backslashreplace")
                raise UserError(
                    f"{self.path}:{self.num_read}: more labels than rows; found {found!r}; "
                    f"expected {self.num_read - 1:,} labels"
                )

    def _label(self, line: bytes) -> str:
        place = f"{self.path}:{self.num_read}"
        if len(line) > _LONGEST:
            raise UserError(f"{place}: a label is longer than {_LONGEST:,} bytes")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise UserError(
                f"{place}:{len(line[: error.start].decode()) + 1}: the label is no UTF-8; found "
                f"{line[:60].decode(errors='backslashreplace')!r}; expected text"
            ) from None


def open_targets(path: str, reading: Reading, stack: ExitStack) -> Targets:
    """Open a file of labels, to be closed with the stack.

    Raises
    ------
    UserError
        If it cannot be read, or holds an array that is no list of labels.
    """
    if not _is_npy(path):
        return LineTargets(stack.enter_context(reading.stream(path)), path)
    file = stack.enter_context(io.BufferedReader(io.FileIO(reading.whole(path))))
    with damaged(path):
        return ArrayTargets(array_at(file, path, os.fstat(file.fileno()).st_size))


def _is_npy(path: str) -> bool:
    try:
        if not is_regular(path):
            return False
        with open(path, "rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def beyond_text(labels: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return which labels hold a number that is no character's: Python makes no text of them."""
    characters = np.frombuffer(labels.tobytes(), f"{labels.dtype.byteorder}u4")
    beyond = characters.reshape(len(labels), labels.dtype.itemsize // 4) > sys.maxunicode
    return np.asarray(beyond.any(axis=1))


def label_problem(label: Any) -> tuple[str, str] | None:
    """Return what is wrong with a label and what was expected, or None.

    Parameters
    ----------
    label : int, float, bool, str or bytes
    """
    if isinstance(label, float):
        is_whole = label.is_integer() and abs(label) <= _LARGEST_WHOLE  # neither NaN nor infinite
        return None if is_whole else ("no label", "a whole number from -2^53 to 2^53")
    if isinstance(label, int):
        return None
    try:
        text = label.decode() if isinstance(label, bytes) else label
        text.encode()
    except UnicodeError:
        return "the label is no UTF-8", "text"
    if not text:
        return "no label", "a text that is not empty"
    if any(byte in text for byte in "\0\n\r"):
        return "the label holds a line's end or a NUL", "text of one line"
    return None


def label_ids(labels: NDArray[Any], table: NameTable) -> NDArray[np.int32]:
    """Return the id of each of some labels, none of which has a problem."""
    unique, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(first)  # ids are in the order of first sight
    ids = np.empty(len(unique), np.int32)
    ids[order] = table.ids_of([_name(label) for label in unique[order].tolist()])
    return ids[inverse.reshape(-1)]


def _name(label: Any) -> str:
    if isinstance(label, bytes):
        return label.decode()
    return label if isinstance(label, str) else str(int(label))
