"""One input read by one reader with options drawn at random, and what must hold of the outcome."""

import io
import json
import tempfile
import tracemalloc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

import numpy as np
from soundness import check_messages, check_rows, checked_names
from stores import unpack
from subjects import SUBJECTS, Subject

from sstrain.data import Source
from sstrain.data.bad_lines import BadLineError, BadLines
from sstrain.data.blocks import Block, whole_lines, without_mark
from sstrain.data.files import PieceStream
from sstrain.data.reader import LineReader, Reader, Rows
from sstrain.data.reading import Reading
from sstrain.errors import UserError

__all__ = ["Trial", "check", "check_memory", "draw", "trial_of"]

_NAME = "input"
_HASH_BITS = (None, None, None, 1, 3, 20)
_FREE_BYTES = 64 << 20
_BYTES_EACH = 1000


@dataclass(frozen=True)
class Trial:
    """An input and how it is read.

    Attributes
    ----------
    subject : Subject
    source : Source
    hash_bits : int or None
    labelled : bool
    skip : bool
        Whether bad lines are left out.
    cut : float
        At which part of the input the second block begins; 0 if there is one block.
    data : bytes
    """

    subject: Subject
    source: Source
    hash_bits: int | None
    labelled: bool
    skip: bool
    cut: float
    data: bytes

    def __str__(self) -> str:
        keys = self.source.model_dump(exclude={"path", "on_bad_line", "max_bad_share"})
        return (
            f"{keys} hash_bits={self.hash_bits} labelled={self.labelled} skip={self.skip} "
            f"cut={self.cut:.3f}"
        )


def trial_of(subject_name: str, random: Random, data: bytes) -> Trial:
    """Return a trial of an input, with options drawn at random."""
    subject = SUBJECTS[subject_name]
    return Trial(
        subject,
        source=random.choice(subject.sources),
        hash_bits=random.choice(_HASH_BITS),
        labelled=random.random() < 0.8,
        skip=random.random() < 0.3,
        cut=random.choice((0, 0, random.random())),
        data=data,
    )


def draw(subject_name: str, seed: int, number: int) -> Trial:
    """Return one of a sequence of trials, a pure function of the arguments."""
    random = Random(seed << 40 | number)
    subject = SUBJECTS[subject_name]
    return trial_of(subject_name, random, subject.mutate(random, subject.seeds))


@dataclass(frozen=True)
class Outcome:
    """What a reader made of an input: rows, names, and the lines left out."""

    chunks: list[Rows]
    label_names: list[str]
    feature_names: list[Any]
    bad_lines: tuple[int, ...]
    fitted: Mapping[str, Any]

    def named_rows(self) -> list[Any]:
        """Return each row's labels, weight, and values by feature name.

        Ids cannot be compared: their order may depend on where a block ends.
        """
        found: list[Any] = []
        for rows in self.chunks:
            names = [self.feature_names[feature] for feature in rows.features.tolist()]
            entries = list(zip(names, rows.values.tolist(), strict=True))
            bounds = (
                np.arange(rows.num_rows + 1) if rows.label_indptr is None else rows.label_indptr
            )
            weights = np.ones(rows.num_rows) if rows.weights is None else rows.weights
            for row in range(rows.num_rows):
                labels = rows.labels[bounds[row] : bounds[row + 1]].tolist()
                part = entries[rows.indptr[row] : rows.indptr[row + 1]]
                found.append((labels, float(weights[row]), dict(part)))
        return found


class _Memory(Reading):
    """Gives a reader an input as the content of a file."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(trial.source.path, bad_lines=BadLines(skip=trial.skip))
        self._trial = trial
        self.bad: list[int] = []

    @cached_property
    def lines(self) -> bytes:
        """The input as whole lines."""
        return b"".join(whole_lines(without_mark([self._trial.data]), _NAME))

    def blocks(self) -> Iterator[Block]:
        """Yield the lines in one block or in two."""
        self._enter(_NAME, 0)
        data = self.lines
        cut = data.rfind(b"\n", 0, int(self._trial.cut * len(data))) + 1
        for part in (data[:cut], data[cut:]):
            if part:
                block = Block(part, _NAME, self.num_lines + 1)
                self.num_lines += block.num_lines
                yield block

    @contextmanager
    def stream(self, path: str) -> Iterator[BinaryIO]:
        """Open the input."""
        self._enter(path, self.num_lines)
        yield io.BufferedReader(PieceStream(without_mark([self._trial.data])))

    def bad_line(self, error: BadLineError) -> None:
        """Note where the bad line is, besides."""
        super().bad_line(error)
        place = error.messages[0].split(":")[1]
        if place.isdigit():
            self.bad.append(int(place))


def check(trial: Trial) -> bool:
    """Read a trial's input; return whether it was read or, rightly, refused.

    Raises
    ------
    AssertionError
        If rows do not satisfy what `Rows` promises.
    Exception
        Whatever the reader raises but a `UserError`.
    """
    outcome = _read(trial, {}, trial.labelled)
    if outcome is None:
        return False
    if trial.skip and trial.labelled and trial.subject.lines_are_rows and outcome.bad_lines:
        _check_skipping(trial, outcome)
    if trial.labelled and len(trial.data) % 4 == 0:
        _read(replace(trial, skip=False), {**outcome.fitted, **_hashed(trial)}, labelled=False)
    return True


def check_memory(trial: Trial) -> bool:
    """Check a trial, and the memory that it takes besides.

    Raises are those of `check`, and an AssertionError if the memory passes a bound in the size.
    """
    tracemalloc.start()
    try:
        read = check(trial)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < _FREE_BYTES + _BYTES_EACH * len(trial.data), f"{peak:,} bytes allocated"
    return read


def _hashed(trial: Trial) -> dict[str, int]:
    return {} if trial.hash_bits is None else {"hash_bits": trial.hash_bits}


def _read(trial: Trial, fitted: Mapping[str, Any], labelled: bool) -> Outcome | None:
    """Return what is read, checked; None where the input is refused."""
    if trial.subject.needs_file:
        trial = _with_file(trial)
    reading = _Memory(trial)
    try:
        reader = trial.source.reader({**_hashed(trial), **fitted}, labelled)
        chunks = list(_chunks(reader, reading, trial))
    except UserError as error:
        check_messages(error, {_NAME, *type(trial.source).model_fields})
        return None
    for chunk in chunks:
        check_rows(chunk, labelled)
    if not labelled and trial.subject.lines_are_rows and not trial.skip:
        num_rows = sum(chunk.num_rows for chunk in chunks)
        assert num_rows == reading.lines.count(b"\n"), "a row for each line"
    names = checked_names(reader, chunks, reading.num_lines)
    assert isinstance(reader.absence(), str)
    assert all(note.isprintable() for note in reader.notes())
    json.dumps(reader.fitted(), allow_nan=False)
    return Outcome(chunks, *names, tuple(reading.bad), reader.fitted())


def _with_file(trial: Trial) -> Trial:
    """Return the trial with its input as a file, or a folder, that the reader opens."""
    path = Path(_folder(trial.subject.is_folder).name, _NAME)
    if trial.subject.is_folder:
        unpack(trial.data, path)
    else:
        path.write_bytes(trial.data)
    return replace(trial, source=trial.source.model_copy(update={"path": (str(path),)}))


def _chunks(reader: Reader, reading: Reading, trial: Trial) -> Iterator[Rows]:
    """Read block by block, mostly without the thread that a reader may use: it costs the most."""
    if trial.subject.lines_are_rows and len(trial.data) % 16:
        assert isinstance(reader, LineReader)
        return LineReader.chunks(reader, reading)
    return reader.chunks(reading)


@lru_cache
def _folder(of_folders: bool) -> "tempfile.TemporaryDirectory[str]":
    """Return a folder of this process for inputs that are files, or for those that are folders."""
    return tempfile.TemporaryDirectory()


def _check_skipping(trial: Trial, outcome: Outcome) -> None:
    """Check that bad lines leave no trace: the other lines alone give the same."""
    lines = _Memory(trial).lines.split(b"\n")
    bad = set(outcome.bad_lines)
    kept = [line for number, line in enumerate(lines, start=1) if number not in bad]
    # A mark at the beginning was taken away already; one that comes to stand there is text.
    data = b"\n".join([b"", *kept])
    other = _read(replace(trial, data=data, skip=False, cut=0), {}, trial.labelled)
    assert other is not None, "the lines that are left are refused"
    assert other.label_names == outcome.label_names, "names of labels of bad lines"
    assert other.named_rows() == outcome.named_rows(), "rows"
    assert set(other.feature_names) == set(outcome.feature_names), "names of bad lines"
