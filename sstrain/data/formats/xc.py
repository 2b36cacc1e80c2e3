"""The text of the extreme-classification repository: a header, then labels and features.

The repository is Bhatia and others 2016, "The extreme classification repository".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from sstrain.data.bad_lines import BadLineError
from sstrain.data.base import MultiLabelSource
from sstrain.data.blocks import Block
from sstrain.data.formats.svmlight import ROW_PATTERN, LabelledLines, Parsed
from sstrain.data.reader import Rows
from sstrain.data.reading import Reading
from sstrain.data.sample import Sample
from sstrain.errors import UserError

if TYPE_CHECKING:
    from sstrain.kernels import SvmlightOptions

__all__ = ["Xc", "XcReader"]

_HEADER = re.compile(rb"[ \t]*(\d+)[ \t]+(\d+)[ \t]+(\d+)[ \t]*\r?")
_LARGEST_COUNT = 2**53
_COUNTS = "the numbers of examples, features and labels, each at most 2^53"


class Xc(MultiLabelSource):
    """Text of the extreme-classification repository.

    The first line holds the numbers of examples, features and labels; the others are
    ``label,label feature:value ...``, zero-based. A line that begins with a blank or a feature is
    an example without labels.
    """

    format: Literal["xc"] = "xc"

    def reader(self, fitted: Mapping[str, Any], labelled: bool = True) -> "XcReader":
        """Return a reader."""
        return XcReader(self, fitted, labelled)

    @classmethod
    def fitting_lines(cls, sample: Sample) -> dict[int, bool]:
        """Return which lines are labels and features, below a header in the first one."""
        has_header = bool(sample.lines and _HEADER.fullmatch(sample.lines[0]))
        if not has_header or not sample.is_text or b":" not in sample.start:
            return {}
        return sample.tried(_fits_row) | {1: True}


def _fits_row(line: bytes) -> bool:
    """Return whether a line looks like a row; one that begins with a feature has no labels."""
    return bool(ROW_PATTERN.fullmatch(line) or ROW_PATTERN.fullmatch(b" " + line))


@dataclass
class _File:
    """A file's header, and how much of the file has been read."""

    name: str
    num_examples: int
    num_features: int
    num_labels: int
    num_read: int = 0  # examples, with those that are left out as bad lines
    num_lines: int = 1


class XcReader(LabelledLines):
    """Parses xc text, and holds each file to its header."""

    def __init__(self, source: Xc, fitted: Mapping[str, Any], labelled: bool) -> None:
        super().__init__(source, fitted, labelled)
        #: The files so far, by how many lines there are in the files before.
        self._files: dict[int, _File] = {}

    def options(self, block: Block) -> "SvmlightOptions":
        """Return what a block's lines may hold: labels and features below the header's counts."""
        options = super().options(block)._replace(unlabelled_rows=True, lowest_label=0)
        if (file := self._files.get(block.lines_before)) is None:
            return options
        return options._replace(
            highest_index=file.num_features - 1, highest_label=file.num_labels - 1
        )

    def parsed(self, block: Block) -> Parsed:
        """Parse a block, without the header if it begins with one.

        Raises
        ------
        UserError
            If the first line of a file is no header.
        """
        if _begins_file(block):
            block = self._without_header(block)
        return super().parsed(block)

    def _without_header(self, block: Block) -> Block:
        end = block.data.index(b"\n") + 1
        match = _HEADER.fullmatch(block.data, 0, end - 1)
        if match is None and not self._labelled:
            return block
        if match is None or any(len(count.lstrip(b"0")) > 16 for count in match.groups()):
            raise _fatal(block.bad(0, "the header is none", block.data[: end - 1], _COUNTS))
        counts = [int(count.lstrip(b"0") or b"0") for count in match.groups()]
        if max(counts) > _LARGEST_COUNT:
            raise _fatal(block.bad(0, "the header is absurd", block.data[: end - 1], _COUNTS))
        self._files[block.lines_before] = _File(block.name, *counts)
        return replace(block, data=block.data[end:], first_line=block.first_line + 1)

    def taken(self, parsed: Parsed) -> Rows:
        """Return a parsed block's examples.

        Raises
        ------
        BadLineError
            For the first bad line, with nothing of the block taken in yet.
        UserError
            If there are more examples than the header says.
        """
        block = parsed.block
        file = self._files.get(block.lines_before)
        if file is None or not self._labelled:
            return super().taken(parsed)
        num_left = max(file.num_examples - file.num_read, 0)  # bad lines count, whatever they are
        if not parsed.result.error and parsed.result.num_rows > num_left:
            raise _surplus(parsed, num_left, file.num_examples)
        rows = super().taken(parsed)
        file.num_read += rows.num_rows
        file.num_lines = _last_line(block)
        return rows

    def left_out(self, block: Block) -> None:
        """Count a bad line: it is an example of its file."""
        if (file := self._files.get(block.lines_before)) is not None:
            file.num_read += 1
            file.num_lines = _last_line(block)

    def read(self, block: Block) -> Rows:
        """Return the block's examples."""
        try:
            return super().read(block)
        except BadLineError as error:
            if _begins_file(block) and block.lines_before in self._files:
                error.line += 1  # the header's
            raise

    def chunks(self, reading: Reading) -> Iterator[Rows]:
        """Yield the examples of each block, while a thread reads and parses the next one.

        Raises
        ------
        UserError
            For a bad line, or a file that has not the examples that its header says.
        """
        yield from super().chunks(reading)
        for file in self._files.values():
            if self._labelled and file.num_read != file.num_examples:
                # More than the header says are found here if the last lines are bad ones.
                too_few = file.num_read < file.num_examples
                problem = "the file ends early" if too_few else "examples too many"
                raise UserError(
                    f"{file.name}:{file.num_lines}: {problem}; found {file.num_read:,} "
                    f"examples; expected {file.num_examples:,}, as its header says"
                )

    def absence(self) -> str:
        """Return what was found where no example was."""
        return f"found no example; expected a line with {_COUNTS}, then the examples"


def _begins_file(block: Block) -> bool:
    return block.first_line == block.lines_before + 1


def _last_line(block: Block) -> int:
    """Return the number of the block's last line in its file."""
    return block.first_line - 1 - block.lines_before + block.num_lines


def _surplus(parsed: Parsed, num_left: int, num_examples: int) -> UserError:
    """Return the error of the first example that the header does not count."""
    data = parsed.block.data
    start = 0
    for _ in range(int(parsed.rows.lines[num_left])):
        start = data.index(b"\n", start) + 1
    line = data[start : data.index(b"\n", start)]
    expected = f"{num_examples:,} examples, as the header says"
    return _fatal(parsed.block.bad(start, "an example too many", line, expected))


def _fatal(error: BadLineError) -> UserError:
    """Return an error that is no bad line to be skipped: the file as a whole is wrong."""
    return UserError(*error.messages)
