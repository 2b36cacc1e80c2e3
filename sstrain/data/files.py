"""Bytes in: files, plain or compressed, as blocks of whole lines."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from sstrain.data.decompression import decompressed
from sstrain.errors import UserError
from sstrain.progress import bar

__all__ = [
    "Block",
    "DataFile",
    "describe_file",
    "describe_line",
    "line_blocks",
    "read_blocks",
    "read_lines",
]

_PIECE_BYTES = 1 << 18
_BLOCK_BYTES = 1 << 21
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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


@dataclass(frozen=True)
class Block:
    """Some whole lines of a source.

    Attributes
    ----------
    data : bytes
        Lines, each ended by a newline, the last one too.
    name : str
        The file that they stand in, for messages.
    first_line : int
        The number of the first line, from 1, running on over the source's files.
    lines_before : int
        The lines of the files before this one.
    """

    data: bytes
    name: str
    first_line: int
    lines_before: int = 0

    @cached_property
    def num_lines(self) -> int:
        """How many lines they are."""
        return self.data.count(b"\n")

    def place(self, position: int) -> str:
        """Return ``file:line`` for a position in the data."""
        line = self.first_line - self.lines_before + self.data.count(b"\n", 0, position)
        return f"{self.name}:{line}"


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
        reading = _Reading(path)
        for data in _whole_lines(_without_mark(decompressed(path, reading.pieces()))):
            block = Block(data, path, first_line, lines_before)
            yield block
            first_line += block.num_lines
        lines_before = first_line - 1
        on_file(DataFile(path, reading.num_bytes, reading.digest.hexdigest()))


def describe_file(path: str) -> DataFile:
    """Return a file's size and SHA-256.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    reading = _Reading(path)
    for _ in reading.pieces():
        pass
    return DataFile(path, reading.num_bytes, reading.digest.hexdigest())


def describe_line(paths: Sequence[str], line: int) -> str:
    """Return ``file:line`` for a line number that runs on over several files."""
    if len(paths) == 1:
        return f"{paths[0]}:{line}"
    place = ""
    for block in read_blocks(paths):
        if block.first_line <= line:
            place = f"{block.name}:{line - block.lines_before}"
    return place


def read_lines(path: str) -> Iterator[bytes]:
    """Yield the lines of a file, plain or compressed, without their newlines."""
    for block in read_blocks([path]):
        yield from block.data[:-1].split(b"\n")


def line_blocks(lines: Iterable[bytes], name: str, first_line: int = 1) -> Iterator[Block]:
    """Make blocks of lines, each with or without a newline at its end.

    Parameters
    ----------
    lines : iterable of bytes
    name : str
        What they are called in messages.
    first_line : int
        The number of the first one.
    """
    ended = (line if line.endswith(b"\n") else line + b"\n" for line in lines)
    for data in _whole_lines(_without_mark(ended) if first_line == 1 else ended):
        block = Block(data, name, first_line)
        yield block
        first_line += block.num_lines


class _Reading:
    """One file being read: its size and checksum so far."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.num_bytes = 0
        self.digest = hashlib.sha256()

    def pieces(self) -> Iterator[bytes]:
        """Yield the file's bytes in pieces, as they are stored."""
        try:
            with open(self.path, "rb") as file:
                size = os.fstat(file.fileno()).st_size  # 0 for a pipe: a bar without an end
                with bar(size, f"reading {os.path.basename(self.path)}", "B") as advance:
                    while piece := file.read(_PIECE_BYTES):
                        self.num_bytes += len(piece)
                        self.digest.update(piece)
                        advance(len(piece))
                        yield piece
        except OSError as error:
            raise UserError(f"{self.path}: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "is a folder; expected a file, or a list of files"
    if isinstance(error, PermissionError):
        return "may not be read; permission denied"
    return f"cannot be read; {error.strerror or error}"


def _without_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Take away the byte order mark that some programs put before UTF-8."""
    remaining = iter(pieces)
    start = b""
    while len(start) < len(_BYTE_ORDER_MARK) and (piece := next(remaining, b"")):
        start += piece
    return chain([start.removeprefix(_BYTE_ORDER_MARK)], remaining)


def _whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Regroup bytes into blocks of whole lines; the last line gets a newline if it has none."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _BLOCK_BYTES and (end := piece.rfind(b"\n") + 1) > 0:
            held[-1] = piece[:end]
            yield b"".join(held)
            held = [piece[end:]]
            size = len(piece) - end
    if size > 0:
        data = b"".join(held)
        yield data if data.endswith(b"\n") else data + b"\n"
