"""Delimited text to columns: pyarrow parses it, a block of whole records at a time."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.bad_lines import BadLineError
from sstrain.data.blocks import BYTE_ORDER_MARK, Block
from sstrain.data.formats.bad_bytes import unreadable
from sstrain.data.formats.table_parts import Column, Needed, Part
from sstrain.data.reading import Reading
from sstrain.data.wording import shown
from sstrain.errors import UserError

__all__ = ["DELIMITERS", "CsvOptions", "csv_parts", "delimiter_of"]

#: The characters by their names in a config.
DELIMITERS = {"comma": b",", "tab": b"\t", "semicolon": b";"}

_BLOCK_BYTES = 1 << 22
#: Records are parsed whole, so a quote that is never closed must not fill the memory.
_LONGEST_RECORD = 1 << 28
_QUOTE = ord('"')


@dataclass(frozen=True)
class CsvOptions:
    """How text is divided into fields.

    Attributes
    ----------
    delimiter : bytes or None
        None if the header tells.
    quoted : bool
        Whether a field may stand in double quotes.
    """

    delimiter: bytes | None
    quoted: bool


@dataclass(frozen=True)
class _Records:
    """Whole records of a block."""

    block: Block
    starts: NDArray[np.int64]  # [N + 1], where each starts; the last: where they end
    num_fields: NDArray[np.int64]  # [N], -1 negative where it is no row

    def text(self, first: int, last: int) -> bytes:
        """Return the records from one to before another, and the empty lines between."""
        return self.block.data[self.starts[first] : self.starts[last]]

    def lines(self) -> NDArray[np.int64]:
        """Return the line on which each starts, int64 of shape [N]."""
        newlines = np.flatnonzero(np.frombuffer(self.block.data, np.uint8) == ord("\n"))
        return np.searchsorted(newlines, self.starts[:-1]) + self.block.first_line

    def after(self, count: int) -> "_Records":
        """Return the records without the first ones."""
        return _Records(self.block, self.starts[count:], self.num_fields[count:])


def delimiter_of(text: bytes) -> bytes:
    """Return the delimiter that stands most often, outside quotes, in a text's first line."""
    header = re.sub(rb'"[^"]*"', b"", text.lstrip(b"\r\n")).split(b"\n", 1)[0]
    return max(DELIMITERS.values(), key=header.count)


def csv_parts(
    path: str, stream: BinaryIO, reading: Reading, options: CsvOptions, needed: Needed
) -> Iterator[Part]:
    """Yield the rows of a delimited text, whose first record names the columns.

    Parameters
    ----------
    path : str
    stream : binary stream
        The file's content.
    reading : Reading
        Counts the lines.
    options : CsvOptions
    needed : callable
        Chooses columns.

    Raises
    ------
    UserError
        For a header that is not as it should be, or a quote that is never closed.
    """
    names: list[str] | None = None
    lines_before = reading.num_lines
    for records, delimiter in _record_blocks(path, stream, reading, options):
        if names is None and len(records.num_fields):
            names = _header(path, records, delimiter, options.quoted)
            chosen = needed(dict.fromkeys(names), path)
            places = {name: place for place, name in enumerate(names)}
            positions = [places[name] for name in chosen]
            records = records.after(1)
        if names is None or not len(records.num_fields):
            continue
        bad = _bad_records(records, len(names))
        is_kept = np.ones(len(records.num_fields), np.bool_)
        is_kept[list(bad)] = False
        kept = np.flatnonzero(is_kept)
        lines = records.lines()
        columns = _columns(records, kept, len(names), positions, delimiter, options.quoted)
        yield Part(
            dict(zip(chosen, columns, strict=True)),
            lines[kept],
            lambda line: f"{path}:{line - lines_before}",
            {int(lines[record]): error for record, error in bad.items()},
        )


def _record_blocks(
    path: str, stream: BinaryIO, reading: Reading, options: CsvOptions
) -> Iterator[tuple[_Records, bytes]]:
    """Yield records, some megabytes at a time, and the delimiter of all."""
    delimiter, rest, lines_before, at_end = options.delimiter, b"", reading.num_lines, False
    while not at_end:
        size = max(_BLOCK_BYTES, len(rest))
        piece = stream.read(size)
        at_end = len(piece) < size
        data = rest + piece
        if at_end and data and not data.endswith(b"\n"):
            data += b"\n"
        block = Block(data, path, reading.num_lines + 1, lines_before)
        if delimiter is None and (at_end or b"\n" in data.lstrip(b"\r\n")):
            delimiter = delimiter_of(data)
        if delimiter is not None:
            records = _found(block, delimiter, options.quoted)
            rest = data[records.starts[-1] :]
            reading.add_lines(block.num_lines - rest.count(b"\n"))
            yield records, delimiter
        else:
            rest = data
        if rest and (at_end or len(rest) > _LONGEST_RECORD):
            raise UserError(
                f"{block.place(len(data) - len(rest))}: a record that never ends; found "
                f"{len(rest):,} bytes; expected a newline outside quotes; give quoted: false if "
                "quotes are text"
            )


def _found(block: Block, delimiter: bytes, quoted: bool) -> _Records:
    starts = np.empty(block.num_lines + 1, np.int64)
    num_fields = np.empty(block.num_lines, np.int64)
    text = np.frombuffer(block.data, np.uint8)
    quote = _QUOTE if quoted else -1
    count = kernels.find_records(text, delimiter[0], quote, starts, num_fields)
    return _Records(block, starts[: count + 1], num_fields[:count])


def _header(path: str, records: _Records, delimiter: bytes, quoted: bool) -> list[str]:
    width = int(records.num_fields[0])
    first = _Records(records.block, records.starts[:2], records.num_fields[:1])
    for error in _bad_records(first, max(width, 1)).values():
        raise UserError(*error.messages)
    fields = _columns(first, np.zeros(1, np.int64), width, range(width), delimiter, quoted)
    names = [field[0].as_py() for field in fields]
    counts = Counter(name for name in names if name)
    if repeated := sorted(name for name, count in counts.items() if count > 1):
        raise UserError(
            f"{path}:{first.lines()[0] - records.block.lines_before}: two columns of one name; "
            f"found {shown(repeated[0])} {counts[repeated[0]]} times; expected a first line "
            "that names each column once"
        )
    return names


def _bad_records(records: _Records, width: int) -> dict[int, BadLineError]:
    """Return the errors of the records that are no rows of ``width`` fields of text."""
    block, bad = records.block, {}
    for record in np.flatnonzero(records.num_fields != width).tolist():
        text = records.text(record, record + 1).rstrip(b"\r\n")
        problem, expected = _mistake(int(records.num_fields[record]), width)
        bad[record] = block.bad(int(records.starts[record]), problem, text, expected)
    if unreadable(Block(records.text(0, len(records.num_fields)), block.name, 1)) is None:
        return bad
    for record, line in enumerate(records.lines().tolist()):
        alone = Block(records.text(record, record + 1), block.name, line, block.lines_before)
        if record not in bad and (error := unreadable(alone)) is not None:
            bad[record] = error
    return bad


def _mistake(num_fields: int, width: int) -> tuple[str, str]:
    """Return what is wrong with a record, and what was expected."""
    if num_fields == kernels.LONE_RETURN:
        return "a carriage return within a line", r"lines that end in \n or \r\n"
    if num_fields == kernels.TEXT_BEHIND_QUOTE:
        return (
            "text behind a closing quote",
            "a delimiter there, two quotes for one in a field, or quoted: false if quotes are text",
        )
    fields = "1 field" if num_fields == 1 else f"{num_fields} fields"
    return fields, f"{width}, as in the header"


def _columns(
    records: _Records,
    kept: NDArray[np.int64],
    width: int,
    positions: Sequence[int],
    delimiter: bytes,
    quoted: bool,
) -> list[Column]:
    """Return the fields at some positions of the records that are kept, as arrays of text."""
    import pyarrow as pa
    from pyarrow import csv

    if not len(kept) or not positions:
        return [pa.array([], pa.string()) for _ in positions]
    data = _kept_text(records, kept)
    # Names may repeat in a header, positions do not.
    names = [str(position) for position in range(width)]
    included = [names[position] for position in positions]
    table = csv.read_csv(
        pa.BufferReader(data),
        # Threads of pyarrow's own can abort the program when it ends early.
        read_options=csv.ReadOptions(use_threads=False, column_names=names, block_size=len(data)),
        parse_options=csv.ParseOptions(
            delimiter=delimiter.decode(),
            quote_char='"' if quoted else False,
            newlines_in_values=True,
        ),
        convert_options=csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(included, pa.string()),
            include_columns=included,
        ),
    )
    return [pa.concat_arrays(column.chunks) for column in table.columns]


def _kept_text(records: _Records, kept: NDArray[np.int64]) -> bytes:
    if len(kept) == len(records.num_fields):
        text = records.text(0, len(kept))
    else:
        text = b"".join(records.text(record, record + 1) for record in kept.tolist())
    # A mark here is text, since the file's own is gone: pyarrow takes one away.
    return BYTE_ORDER_MARK + text if text.startswith(BYTE_ORDER_MARK) else text
