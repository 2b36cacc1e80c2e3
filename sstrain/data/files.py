"""Bytes in: files, plain or compressed, read once from beginning to end."""

import errno
import hashlib
import io
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from sstrain.data.blocks import Block, whole_lines, without_mark
from sstrain.data.decompression import decompressed
from sstrain.errors import UserError
from sstrain.progress import bar

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = [
    "STANDARD_INPUT",
    "DataFile",
    "PieceStream",
    "describe_file",
    "file_pieces",
    "is_regular",
    "read_blocks",
    "read_lines",
]

#: The path that stands for what is piped in.
STANDARD_INPUT = "-"
_STANDARD_INPUT_NUMBER = 0

_PIECE_BYTES = 1 << 18


@dataclass(frozen=True)
class DataFile:
    """A data file as it was read.

    Attributes
    ----------
    path : str
    bytes : int
        Its size, compressed if it is.
    sha256 : str
        Of these bytes, in hexadecimal digits.
    """

    path: str
    bytes: int
    sha256: str


def read_blocks(
    paths: Iterable[str], on_file: Callable[[DataFile], None] = lambda file: None
) -> Iterator[Block]:
    """Read files one after another, with a progress bar where standard error is a terminal.

    Parameters
    ----------
    paths : iterable of str
        Files, plain or compressed by gzip or zstd, which their first bytes tell.
    on_file : callable
        Is given each file once it is read to its end.

    Raises
    ------
    UserError
        For a file that is missing, may not be read, is a folder, or is damaged.
    """
    lines_before = 0
    for path in paths:
        first_line = lines_before + 1
        for data in whole_lines(file_pieces(path, on_file), path):
            block = Block(data, path, first_line, lines_before)
            yield block
            first_line += block.num_lines
        lines_before = first_line - 1


def file_pieces(
    path: str, on_file: Callable[[DataFile], None] = lambda file: None
) -> Iterator[bytes]:
    """Yield a file's content in pieces, decompressed and without a byte order mark.

    Parameters and errors are those of `read_blocks`.
    """
    reading = _Reading(path)
    yield from without_mark(decompressed(path, reading.pieces()))
    on_file(reading.described())


class PieceStream(io.RawIOBase):
    """A binary stream of a file's pieces, read from the beginning to the end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return true: it is."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill a buffer as far as the present piece goes; 0 at the end."""
        while not self._rest:
            try:
                self._rest = memoryview(next(self._pieces))
            except StopIteration:
                return 0
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def is_regular(path: str) -> bool:
    """Whether a path names a plain file, which can be read twice; a pipe cannot."""
    try:
        return path != STANDARD_INPUT and stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def describe_file(path: str) -> DataFile:
    """Return a file's size and SHA-256; of a store's folder, those of its manifest.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    manifest = os.path.join(path, "manifest.json")
    if os.path.isfile(manifest):
        return replace(describe_file(manifest), path=path)
    reading = _Reading(path)
    for _ in reading.pieces():
        pass
    return reading.described()


def read_lines(path: str) -> Iterator[bytes]:
    """Yield the lines of a file, plain or compressed, without their newlines."""
    for block in read_blocks([path]):
        yield from block.data[:-1].split(b"\n")


class _Reading:
    """One file being read: its size and checksum so far."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._num_bytes = 0
        self._digest = hashlib.sha256()

    def pieces(self) -> Iterator[bytes]:
        """Yield the file's bytes in pieces, as they are stored."""
        try:
            with _opened(self.path) as file:
                before = os.fstat(file.fileno())
                size = before.st_size  # 0 for a pipe: a bar without an end
                with bar(size, f"reading {os.path.basename(self.path)}", "B") as advance:
                    while piece := file.read(_PIECE_BYTES):
                        self._num_bytes += len(piece)
                        self._digest.update(piece)
                        advance(len(piece))
                        yield piece
                self._check_unchanged(before, os.fstat(file.fileno()))
        except OSError as error:
            raise UserError(f"{self.path}: {_reason(error)}") from None

    def _check_unchanged(self, before: os.stat_result, after: os.stat_result) -> None:
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if stat.S_ISREG(before.st_mode) and not (same and self._num_bytes == after.st_size):
            raise UserError(
                f"{self.path}: has changed while it was read; found {before.st_size:,} bytes "
                f"before and {after.st_size:,} after; expected a file that nothing writes to"
            )

    def described(self) -> DataFile:
        """Return what is known of the file, once it is read."""
        return DataFile(self.path, self._num_bytes, self._digest.hexdigest())


def _opened(path: str) -> BinaryIO:
    if path == STANDARD_INPUT:
        if sys.stdin is None:  # another file may have its number
            raise OSError(errno.EBADF, "it is closed")
        # Not by sys.stdin: a thread that still waits for a pipe would hold its lock at the exit.
        return open(_STANDARD_INPUT_NUMBER, "rb", closefd=False)
    return open(path, "rb")


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "is a folder; expected a file, or a list of files"
    if isinstance(error, PermissionError):
        return "may not be read; permission denied"
    return f"cannot be read; {error.strerror or error}"
