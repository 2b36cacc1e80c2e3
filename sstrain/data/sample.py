"""Which format a file is in, told from its beginning."""

import codecs
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from sstrain.data.files import STANDARD_INPUT, file_pieces
from sstrain.errors import UserError

__all__ = ["Sample", "sample_of"]

_BYTES = 1 << 18
_LINES = 200
#: What stands behind a token of any format.
_BEHIND_TOKEN = re.compile(rb"[\s,;]")


@dataclass(frozen=True)
class Sample:
    """The beginning of a file.

    Attributes
    ----------
    path : str
    start : bytes
        Its first bytes, decompressed; none of a folder's.
    whole : bool
        Whether they are all of it.
    """

    path: str
    start: bytes
    whole: bool

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder rather than a file."""
        return os.path.isdir(self.path)

    @cached_property
    def lines(self) -> list[bytes]:
        """The first lines, without their ends; one that is cut off is left out.

        If the first line is cut off, its whole tokens are there.
        """
        lines = self.start.split(b"\n")
        if self.is_one_cut_line:
            ends = [match.start() for match in _BEHIND_TOKEN.finditer(self.start)]
            return [self.start[: ends[-1]] if ends else self.start]
        if not self.whole or not lines[-1]:
            lines = lines[:-1]
        return [line.removesuffix(b"\r") for line in lines[:_LINES]]

    @property
    def is_one_cut_line(self) -> bool:
        """Whether not even the first line is whole."""
        return not self.whole and b"\n" not in self.start

    def tried(self, fits: Callable[[bytes], object]) -> dict[int, bool]:
        """Return whether each line that is not blank fits, by its number, from 1."""
        lines = enumerate(self.lines, 1)
        return {number: bool(fits(line)) for number, line in lines if line.strip()}

    @cached_property
    def is_text(self) -> bool:
        """Whether it reads as lines of UTF-8."""
        if b"\0" in self.start or self.is_folder:
            return False
        try:
            codecs.getincrementaldecoder("utf-8")().decode(self.start, final=self.whole)
        except UnicodeDecodeError:
            return False
        return True


def sample_of(path: str) -> Sample:
    """Read the beginning of a file.

    Raises
    ------
    UserError
        If it cannot be read.
    """
    if path == STANDARD_INPUT or stat.S_ISFIFO(_mode(path)):
        raise UserError(f"{path}: its format cannot be told, for a pipe is read once; give format")
    if os.path.isdir(path):
        return Sample(path, b"", whole=False)
    start = b""
    for piece in file_pieces(path):
        start += piece
        if len(start) >= _BYTES:
            return Sample(path, start[:_BYTES], whole=False)
    return Sample(path, start, whole=True)


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode
    except OSError:
        return 0  # reading it tells why
