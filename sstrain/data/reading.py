"""One pass over a source's files: what is open, how far it came, what was bad."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from sstrain.data.bad_lines import BadLineError, BadLines
from sstrain.data.blocks import Block
from sstrain.data.files import DataFile, PieceStream, describe_file, file_pieces, read_blocks

__all__ = ["Reading"]


class Reading:
    """Opens the files of a source for a reader.

    Parameters
    ----------
    paths : sequence of str
    on_file : callable
        Is given each file once it is read to its end.
    bad_lines : BadLines, optional
        By default the first bad line stops.

    Attributes
    ----------
    num_lines : int
        Lines (or rows, of a format that has no lines) so far, over all files.
    """

    def __init__(
        self,
        paths: Sequence[str],
        on_file: Callable[[DataFile], None] = lambda file: None,
        bad_lines: BadLines | None = None,
    ) -> None:
        self.paths = paths
        self._on_file = on_file
        self._bad_lines = BadLines() if bad_lines is None else bad_lines
        self.num_lines = 0
        self._files: list[tuple[str, int]] = []

    def blocks(self) -> Iterator[Block]:
        """Yield all lines of all files, some at a time."""
        for block in read_blocks(self.paths, self._on_file):
            self._enter(block.name, block.lines_before)
            self.num_lines += block.num_lines
            yield block

    @contextmanager
    def stream(self, path: str) -> Iterator[BinaryIO]:
        """Open a file to be read from its beginning to its end, decompressed."""
        self._enter(path, self.num_lines)
        yield io.BufferedReader(PieceStream(file_pieces(path, self._on_file)), 1 << 20)

    def whole(self, path: str) -> str:
        """Return the path of a file that is to be read in any order, once its bytes are known."""
        self._enter(path, self.num_lines)
        self._on_file(describe_file(path))
        return path

    def add_lines(self, count: int) -> None:
        """Count lines (rows) of a file that `stream` or `whole` opened."""
        self.num_lines += count

    def bad_line(self, error: BadLineError) -> None:
        """Raise the error, or count it if bad lines are skipped: the reader then goes on."""
        self._bad_lines.take(error, self.num_lines)

    @property
    def files(self) -> tuple[tuple[str, int], ...]:
        """Each file that was opened, with the number of lines before it."""
        return tuple(self._files)

    def _enter(self, name: str, lines_before: int) -> None:
        if not self._files or self._files[-1] != (name, lines_before):
            self._files.append((name, lines_before))
