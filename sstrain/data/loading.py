"""From a config's data section to encoded splits."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from sstrain.data import Source, TrainSource
from sstrain.data.dataset import Dataset
from sstrain.data.encoding import encoded
from sstrain.data.files import DataFile
from sstrain.data.fitting import fit_vocabulary
from sstrain.data.raw import (
    RawData,
    Report,
    Selection,
    every_row,
    read_source,
    training_options,
)
from sstrain.data.splitting import LineSplit, SplitName
from sstrain.data.storage import Storage
from sstrain.data.vocabulary import Vocabulary
from sstrain.errors import UserError

__all__ = ["DataSection", "Splits", "load_split", "read_held_out", "read_splits"]

_SPLIT_NAMES = ("train", "validation", "test")


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
        return list(self.by_name().values())

    def by_name(self) -> dict[str, Dataset]:
        """Return the splits that there are by their names."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}


def read_splits(data: DataSection, report: Report, storage: Storage) -> Splits:
    """Read all data of a run, fit the vocabulary, and encode the splits.

    Parameters
    ----------
    data : DataSection
    report : callable
        Takes notes for a person to read.
    storage : Storage
        Keeps the rows, and the splits.

    Raises
    ------
    UserError
        For a file that cannot be read, a line that does not parse, or a split without examples.
    OSError
        If the storage's disk is full.
    """
    files: list[DataFile] = []
    raw = read_source(data.train, training_options(data.train), report, storage, files.append)
    training_rows = _selection(data, "train")
    vocabulary = fit_vocabulary(raw, training_rows, data.train)
    _check_classes(data, raw, vocabulary)
    train = _kept(raw, vocabulary, "train", training_rows, report, storage)
    if vocabulary.num_features == 0:
        report("train: no feature is left; the model is its bias alone")

    def held_out(name: SplitName, part: float | Source | None) -> Dataset | None:
        if part is None:
            return None
        if isinstance(part, Source):
            own = read_source(part, vocabulary.fitted, report, storage, files.append)
            return _kept(own, vocabulary, name, every_row, report, storage)
        return _kept(raw, vocabulary, name, _selection(data, name), report, storage)

    validation, test = held_out("validation", data.validation), held_out("test", data.test)
    return Splits(train, validation, test, vocabulary, files)


def load_split(
    data: DataSection,
    vocabulary: Vocabulary,
    name: SplitName,
    report: Report,
    storage: Storage,
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
        source, selected = part, every_row
    raw = read_source(source, vocabulary.fitted, report, storage, on_file)
    return _kept(raw, vocabulary, name, selected, report, storage)


def read_held_out(
    source: Source,
    vocabulary: Vocabulary,
    report: Report,
    storage: Storage,
    paths: Iterable[str] | None = None,
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
    storage : Storage
        Keeps what is read.
    paths : iterable of str, optional
        The files; those of the source if not given.
    """
    if paths is not None:
        source = source.at(*paths)
    raw = read_source(source, vocabulary.fitted, report, storage)
    return _kept(raw, vocabulary, source.path[0], every_row, report, storage)


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


def _kept(
    raw: RawData,
    vocabulary: Vocabulary,
    name: str,
    selected: Selection,
    report: Report,
    storage: Storage,
) -> Dataset:
    """Encode and keep one split, refuse it if it is empty, and say what is notable about it."""
    skip_unknown = raw.predicts_tokens or name == "train"
    parts = encoded(raw, selected, vocabulary, skip_unknown)
    dataset = storage.dataset(name if name in _SPLIT_NAMES else "data", parts)
    if dataset.num_examples == 0 and dataset.num_skipped > 0:
        raise UserError(
            f"{name}: no examples; found {dataset.num_skipped:,} positions, none with a token that "
            "is a class; expected at least one"
        )
    if dataset.num_examples == 0 and dataset.num_unlabelled > 0:
        raise UserError(
            f"{name}: no examples; found {dataset.num_unlabelled:,} rows, none with a label; "
            "expected at least one"
        )
    if dataset.num_examples == 0:
        raise UserError(
            f"{name}: no examples; none of {raw.num_lines:,} lines falls into the split; hold out "
            "a larger share, or give a file of its own"
        )
    for note in _notes(dataset, raw, name):
        report(f"{name}: {note}")
    return dataset


def _notes(dataset: Dataset, raw: RawData, name: str) -> Iterator[str]:
    if dataset.num_skipped and raw.predicts_tokens:
        yield f"{dataset.num_skipped:,} positions skipped, whose tokens are no classes"
    elif dataset.num_skipped:
        yield f"{dataset.num_skipped:,} examples left out, whose labels are no classes"
    if dataset.num_unlabelled:
        yield f"{dataset.num_unlabelled:,} rows without a label left out"
    if dataset.num_unknown_labels:
        yield (
            f"{dataset.num_unknown_labels:,} of {dataset.num_examples:,} examples have a label "
            f"that training never saw, such as {dataset.unknown_label!r} "
            f"({dataset.place(dataset.unknown_line)})"
        )
    if dataset.num_unknown_features and name != "train":
        yield f"{dataset.num_unknown_features:,} features ignored that the model does not have"
    if dataset.num_empty and not raw.predicts_tokens:
        yield f"{dataset.num_empty:,} of {dataset.num_rows:,} examples have no feature"
    if name == "train" and not np.any(dataset.weights):
        raise UserError("data.train: all examples have weight 0; expected one above 0 at least")
