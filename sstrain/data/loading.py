"""From a config's data section to encoded splits."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from sstrain.data import Source, TrainSource
from sstrain.data.dataset import Dataset
from sstrain.data.encoding import RawData, Selection, encode, every_line, fit_vocabulary
from sstrain.data.files import Block, DataFile, line_blocks, read_blocks
from sstrain.data.reader import Reader, Rows
from sstrain.data.splitting import LineSplit, SplitName
from sstrain.data.vocabulary import Vocabulary
from sstrain.errors import UserError

__all__ = [
    "DataSection",
    "Splits",
    "load",
    "load_split",
    "read_contexts",
    "read_held_out",
    "read_source",
]

Report = Callable[[str], None]


class DataSection(Protocol):
    """The ``data`` section of a config."""

    @property
    def train(self) -> TrainSource:
        """What is trained on."""

    @property
    def validation(self) -> float | Source | None:
        """A share of the training lines, or a source of its own."""

    @property
    def test(self) -> float | Source | None:
        """As ``validation``."""

    @property
    def split_seed(self) -> int | None:
        """On what, with a line's number, its split depends."""


@dataclass(frozen=True)
class Splits:
    """All data of a run.

    Attributes
    ----------
    train : Dataset
    validation, test : Dataset or None
    vocabulary : Vocabulary
        Fitted to ``train`` alone.
    files : list of DataFile
        Every file that was read, in that order.
    """

    train: Dataset
    validation: Dataset | None
    test: Dataset | None
    vocabulary: Vocabulary
    files: list[DataFile]

    def datasets(self) -> list[Dataset]:
        """Return the splits that there are."""
        return [split for split in (self.train, self.validation, self.test) if split is not None]


def load(data: DataSection, report: Report) -> Splits:
    """Read all data of a run, fit the vocabulary, and encode the splits.

    Parameters
    ----------
    data : DataSection
    report : callable
        Takes notes for a person to read.

    Raises
    ------
    UserError
        For a file that cannot be read, a line that does not parse, or a split without examples.
    """
    files: list[DataFile] = []
    raw = read_source(data.train, {}, report, files.append)
    training_lines = _selection(data, "train")
    vocabulary = fit_vocabulary(raw, training_lines, data.train)
    _check_classes(data, raw, vocabulary)
    train = _encoded(raw, data.train, vocabulary, "train", training_lines, report)
    if vocabulary.num_features == 0:
        report("train: no feature is left; the model is its bias alone")

    def held_out(name: SplitName, part: float | Source | None) -> Dataset | None:
        if part is None:
            return None
        if isinstance(part, Source):
            own = read_source(part, vocabulary.fitted, report, files.append)
            return _encoded(own, part, vocabulary, name, every_line, report)
        return _encoded(raw, data.train, vocabulary, name, _selection(data, name), report)

    validation, test = held_out("validation", data.validation), held_out("test", data.test)
    return Splits(train, validation, test, vocabulary, files)


def load_split(
    data: DataSection,
    vocabulary: Vocabulary,
    name: SplitName,
    report: Report,
    on_file: Callable[[DataFile], None] = lambda file: None,
) -> Dataset | None:
    """Read one split again and encode it with a saved vocabulary; None if there is none.

    ``on_file`` is given each file once it is read.
    """
    part: float | Source | None = getattr(data, name)
    if part is None:
        return None
    source: Source = data.train
    selected = _selection(data, name)
    if isinstance(part, Source) and name != "train":
        source, selected = part, every_line
    raw = read_source(source, vocabulary.fitted, report, on_file)
    return _encoded(raw, source, vocabulary, name, selected, report)


def read_held_out(
    source: Source, vocabulary: Vocabulary, report: Report, paths: Iterable[str] | None = None
) -> Dataset:
    """Read other files as a run's data are read.

    Parameters
    ----------
    source : Source
        The format and its options.
    vocabulary : Vocabulary
        The run's.
    report : callable
        Takes notes for a person to read.
    paths : iterable of str, optional
        The files; those of the source if not given.
    """
    if paths is not None:
        source = source.model_copy(update={"path": tuple(paths)})
    raw = read_source(source, vocabulary.fitted, report)
    return _encoded(raw, source, vocabulary, source.path[0], every_line, report)


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
    raw = _raw(reader, line_blocks(lines, name, first_line))
    return encode(raw, every_line, vocabulary, skip_unknown=False)


def read_source(
    source: Source,
    fitted: Mapping[str, Any],
    report: Report,
    on_file: Callable[[DataFile], None] = lambda file: None,
) -> RawData:
    """Read all that a source holds.

    Parameters
    ----------
    source : Source
    fitted : mapping
        What the training files fixed; empty for the training files.
    report : callable
        Takes notes for a person to read.
    on_file : callable
        Is given each file once it is read.

    Raises
    ------
    UserError
        For a file that cannot be read, a line that does not parse, or no example at all.
    """
    reader = source.reader(fitted)
    raw = _raw(reader, read_blocks(source.path, on_file))
    files = source.path[0] + (f" and {len(source.path) - 1} more" if source.path[1:] else "")
    if not any(len(chunk.labels) for chunk in raw.chunks):
        raise UserError(f"{files}: no examples; {reader.absence()}")
    for note in reader.notes():
        report(f"{files}: {note}")
    return raw


def _raw(reader: Reader, blocks: Iterable[Block]) -> RawData:
    chunks: list[Rows] = []
    num_lines = 0
    files: dict[str, int] = {}
    for block in blocks:
        chunks.append(reader.read(block))
        num_lines += block.num_lines
        files.setdefault(block.name, block.lines_before)
    names = reader.label_names, reader.feature_names
    return RawData(chunks, *names, num_lines, list(files.items()), reader.fitted())


def _selection(data: DataSection, name: SplitName) -> Selection:
    shares = {
        held_out: part
        for held_out, part in (("validation", data.validation), ("test", data.test))
        if isinstance(part, float)
    }
    return partial(LineSplit(data.split_seed or 0, **shares).holds, name)


def _check_classes(data: DataSection, raw: RawData, vocabulary: Vocabulary) -> None:
    least = data.train.smallest_class
    if vocabulary.num_classes == 0 and least > 1:
        raise UserError(
            f"data.train: no class; no label stands {least} times in the training lines; "
            "lower min_count"
        )
    if vocabulary.num_classes == 0:
        raise UserError(
            f"data.train: no training example; found {raw.num_lines:,} lines, and all examples "
            "among them held out; hold out less, or give another split_seed"
        )


def _encoded(
    raw: RawData,
    source: Source,
    vocabulary: Vocabulary,
    name: str,
    selected: Selection,
    report: Report,
) -> Dataset:
    """Encode one split, refuse it if it is empty, and say what is notable about it."""
    dataset = encode(raw, selected, vocabulary, source.predicts_tokens)
    if dataset.num_examples == 0 and dataset.num_skipped > 0:
        raise UserError(
            f"{name}: no examples; found {dataset.num_skipped:,} positions, none with a token that "
            "is a class; expected at least one"
        )
    if dataset.num_examples == 0:
        raise UserError(
            f"{name}: no examples; none of {raw.num_lines:,} lines falls into the split; hold out "
            "a larger share, or give a file of its own"
        )
    for note in _notes(dataset, raw, source, name):
        report(f"{name}: {note}")
    return dataset


def _notes(dataset: Dataset, raw: RawData, source: Source, name: str) -> Iterator[str]:
    if dataset.num_skipped:
        yield f"{dataset.num_skipped:,} positions skipped, whose tokens are no classes"
    if dataset.num_unknown_labels:
        line = int(dataset.lines[np.argmax(dataset.targets < 0)])
        yield (
            f"{dataset.num_unknown_labels:,} of {dataset.num_examples:,} examples have a label "
            f"that training never saw, such as {dataset.unknown_label!r} ({raw.place(line)})"
        )
    if dataset.num_unknown_features and name != "train":
        yield f"{dataset.num_unknown_features:,} features ignored that the model does not have"
    if dataset.num_empty and not source.predicts_tokens:
        yield f"{dataset.num_empty:,} of {dataset.num_examples:,} examples have no feature"
