"""Blocks of whole lines, and where in a file they stand."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

from sstrain.data.bad_lines import BadLineError
from sstrain.errors import UserError

__all__ = ["BYTE_ORDER_MARK", "Block", "line_blocks", "whole_lines", "without_mark"]

_BLOCK_BYTES = 1 << 21
#: Lines are parsed whole, so a file that has none must not fill the memory.
_LONGEST_LINE = 1 << 28
_LONGEST_SHOWN = 60
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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
        """Return ``file:line:column`` for a position in the data; a column is a character."""
        line = self.first_line - self.lines_before + self.data.count(b"\n", 0, position)
        start = self.data.rfind(b"\n", 0, position) + 1
        column = len(self.data[start:position].decode(errors="replace")) + 1
        return f"{self.name}:{line}:{column}"

    def bad(self, position: int, problem: str, found: bytes | str, expected: str) -> BadLineError:
        """Return the error of a line that does not parse.

        Parameters
        ----------
        position : int
            Where in the data the mistake is.
        problem : str
            What is wrong, as ``the index is negative``.
        found : bytes or str
            What stands there; it is quoted, and cut if it is long.
        expected : str
        """
        if isinstance(found, bytes):
            found = found[: 4 * _LONGEST_SHOWN].decode(errors="backslashreplace")
        return BadLineError(
            f"{self.place(position)}: {problem}; found {found[:_LONGEST_SHOWN]!r}; "
            f"expected {expected}",
            self.data.count(b"\n", 0, position),
        )

    def around(self, line: int) -> "tuple[Block, Block]":
        """Return the lines before one of the block's and those after it; they may be none."""
        start = 0
        for _ in range(line):
            start = self.data.index(b"\n", start) + 1
        end = self.data.index(b"\n", start) + 1
        after = replace(self, data=self.data[end:], first_line=self.first_line + line + 1)
        return replace(self, data=self.data[:start]), after

    def halves(self) -> "list[Block]":
        """Return the lines as two blocks of about one size, as one, or as none."""
        middle = self.data.find(b"\n", len(self.data) // 2) + 1
        if not 0 < middle < len(self.data):
            return self.unless_empty()
        first = replace(self, data=self.data[:middle])
        second_line = self.first_line + first.num_lines
        return [first, replace(self, data=self.data[middle:], first_line=second_line)]

    def unless_empty(self) -> "list[Block]":
        """Return the block alone, or nothing if it has no line."""
        return [self] if self.data else []


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
    for data in whole_lines(without_mark(ended) if first_line == 1 else ended, name):
        block = Block(data, name, first_line)
        yield block
        first_line += block.num_lines


def without_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Take away the byte order mark that some programs put before UTF-8."""
    remaining = iter(pieces)
    start = b""
    while len(start) < len(BYTE_ORDER_MARK) and (piece := next(remaining, b"")):
        start += piece
    return chain([start.removeprefix(BYTE_ORDER_MARK)], remaining)


def whole_lines(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
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
        if size > _LONGEST_LINE:
            raise UserError(
                f"{name}: a line is longer than {_LONGEST_LINE:,} bytes; expected lines of text"
            )
    if size > 0:
        data = b"".join(held)
        yield data if data.endswith(b"\n") else data + b"\n"
