"""All that a source holds, under its reader's ids."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain.data import Source, TrainSource
from sstrain.data.bad_lines import BadLines
from sstrain.data.files import DataFile
from sstrain.data.reader import FeatureNames, Reader, Rows
from sstrain.data.reading import Reading
from sstrain.data.storage import Storage
from sstrain.errors import UserError
from sstrain.progress import bar

__all__ = [
    "RawData",
    "Report",
    "Selection",
    "every_row",
    "raw_data",
    "read_source",
    "training_options",
]

#: Takes a note for a person to read.
Report = Callable[[str], None]

#: Tells for each split key, a line number or a group, whether a split holds it.
Selection = Callable[[NDArray[np.int64]], NDArray[np.bool_]]


def every_row(split_keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Select all rows."""
    return np.ones(len(split_keys), np.bool_)


@dataclass(frozen=True)
class RawData:
    """All that a source holds, under its reader's ids.

    Attributes
    ----------
    chunks : iterable of Rows
        Gives the same rows every time.
    label_names : list of str
    feature_names : list of str, or int64 array for a format that numbers its features
    num_lines : int
    files : tuple of (str, int)
        Each file, with the number of lines before it.
    fitted : dict
        What the reader fixed for other files, as JSON values.
    scaled : dict of str to str
        How the values of some features are to be scaled (``Reader.scaled_features``).
    predicts_tokens : bool
        As the reader says.
    labelled : bool
        False where rows are to be given labels, so that none has one.
    """

    chunks: Iterable[Rows]
    label_names: list[str]
    feature_names: FeatureNames
    num_lines: int
    files: tuple[tuple[str, int], ...]
    fitted: dict[str, Any]
    scaled: dict[str, str] = field(default_factory=dict)
    predicts_tokens: bool = False
    labelled: bool = True

    def each_chunk(self, doing: str) -> Iterator[Rows]:
        """Yield all rows, with a progress bar that says what is done with them."""
        with bar(self.num_lines, doing, "lines") as advance:
            last = 0
            for chunk in self.chunks:
                yield chunk
                if chunk.num_rows:
                    line = int(chunk.lines[-1])
                    advance(line - last)
                    last = line


def training_options(source: TrainSource) -> dict[str, Any]:
    """Return what the reader of training files is told of what is to be fitted."""
    return {} if source.hash_bits is None else {"hash_bits": source.hash_bits}


def read_source(
    source: Source,
    fitted: Mapping[str, Any],
    report: Report,
    storage: Storage,
    on_file: Callable[[DataFile], None] = lambda file: None,
) -> RawData:
    """Read all that a source holds.

    Parameters
    ----------
    source : Source
    fitted : mapping
        What the training files fixed; for the training files themselves, `training_options`.
    report : callable
        Takes notes for a person to read.
    storage : Storage
        Keeps the rows.
    on_file : callable
        Is given each file once it is read.

    Raises
    ------
    UserError
        For a file that cannot be read, a line that does not parse, or no example at all.
    """
    reader = source.reader(fitted)
    bad_lines = BadLines(source.on_bad_line == "skip", source.max_bad_share)
    reading = Reading(source.path, on_file, bad_lines)
    counter = _Counter()
    rows = storage.rows(counter.counted(reader.chunks(reading)))
    files = source.path[0] + (f" and {len(source.path) - 1} more" if source.path[1:] else "")
    bad_lines.check(files, reading.num_lines)
    if counter.num_rows == 0:
        raise UserError(f"{files}: no examples; {reader.absence()}")
    for note in bad_lines.notes(files, reading.num_lines):
        report(note)
    for note in reader.notes():
        report(f"{files}: {note}")
    return raw_data(reader, rows, reading, fitted)


class _Counter:
    """Counts rows on their way."""

    def __init__(self) -> None:
        self.num_rows = 0

    def counted(self, chunks: Iterable[Rows]) -> Iterator[Rows]:
        for chunk in chunks:
            self.num_rows += chunk.num_rows
            yield chunk


def raw_data(
    reader: Reader,
    rows: Iterable[Rows],
    reading: Reading,
    fitted: Mapping[str, Any],
    labelled: bool = True,
) -> RawData:
    """Return rows with what their reader knows of them, now that they are read.

    Raises
    ------
    UserError
        If features are hashed whose values are to be scaled: their buckets do not tell them.
    """
    hash_bits, scaled = fitted.get("hash_bits"), reader.scaled_features()
    if hash_bits is not None and scaled:
        raise UserError(
            f"{reading.paths[0]}: hashed features cannot be scaled; found hash_bits: {hash_bits} "
            f"and the numeric column {next(iter(scaled))!r}; expected numeric_scale: none, or no "
            "hash_bits"
        )
    return RawData(
        chunks=rows,
        label_names=reader.label_names,
        feature_names=reader.feature_names,
        num_lines=reading.num_lines,
        files=reading.files,
        fitted={**({} if hash_bits is None else {"hash_bits": hash_bits}), **reader.fitted()},
        scaled=scaled,
        predicts_tokens=reader.predicts_tokens,
        labelled=labelled,
    )
