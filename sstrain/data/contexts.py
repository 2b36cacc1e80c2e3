"""Rows to predict labels for."""

from collections.abc import Iterable, Iterator

from sstrain.data import Source
from sstrain.data.blocks import line_blocks
from sstrain.data.dataset import Dataset, concatenated
from sstrain.data.encoding import encoded
from sstrain.data.raw import every_row, raw_data
from sstrain.data.reader import LineReader
from sstrain.data.reading import Reading
from sstrain.data.vocabulary import Vocabulary

__all__ = ["read_contexts", "read_file_contexts", "reads_lines"]


def read_contexts(
    source: Source, vocabulary: Vocabulary, lines: Iterable[bytes], name: str, first_line: int = 1
) -> Dataset:
    """Read one row for each line, whatever it holds, to predict a label for it.

    Parameters
    ----------
    source : Source
        The format of the lines and its options. For ``sequence`` a row holds the features of what
        follows the line; in other formats a label is left out, and blank lines are rows too.
    vocabulary : Vocabulary
    lines : iterable of bytes
        With or without a newline each.
    name : str
        What the lines are called in messages.
    first_line : int
        The number of the first line.

    Returns
    -------
    Dataset
        Its targets are all -1.
    """
    reader = source.reader(vocabulary.fitted, labelled=False)
    assert isinstance(reader, LineReader)
    chunks = [reader.read(block) for block in line_blocks(lines, name, first_line)]
    raw = raw_data(reader, chunks, Reading([name]), vocabulary.fitted, labelled=False)
    return concatenated(encoded(raw, every_row, vocabulary, skip_unknown=False))


def reads_lines(source: Source, vocabulary: Vocabulary) -> bool:
    """Return whether examples of a source's format are lines of text."""
    return isinstance(source.reader(vocabulary.fitted, labelled=False), LineReader)


def read_file_contexts(source: Source, vocabulary: Vocabulary, path: str) -> Iterator[Dataset]:
    """Yield the rows of a file of a format that has no lines of text, to predict labels for them.

    Parameters
    ----------
    source : Source
    vocabulary : Vocabulary
    path : str
        Read in the place of the source's own.

    Yields
    ------
    Dataset
        Some rows; their targets are all -1.
    """
    reader = source.reader(vocabulary.fitted, labelled=False)
    reading = Reading([path])
    for chunk in reader.chunks(reading):
        raw = raw_data(reader, [chunk], reading, vocabulary.fitted, labelled=False)
        yield concatenated(encoded(raw, every_row, vocabulary, skip_unknown=False))
