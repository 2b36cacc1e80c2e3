"""The interface between a format and the rest: files in, CSR rows out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sstrain import kernels
from sstrain.data.bad_lines import BadLineError
from sstrain.data.blocks import Block
from sstrain.data.reading import Reading
from sstrain.errors import UserError

__all__ = ["FeatureNames", "LineReader", "Reader", "Rows", "each_once", "no_rows", "summed_repeats"]

#: Names by id; for a format that numbers its features, int64 numbers by id.
FeatureNames = list[str] | NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Examples as a reader takes them from a part of a file, under ids of its own.

    Attributes
    ----------
    indptr : int64 array of shape [R + 1]
    features : int32 array of shape [nnz]
        In any order, but in a row each at most once (`summed_repeats` sees to that).
    values : float32 array of shape [nnz]
    labels : int32 array of shape [L]
        One a row, -1 where it has none; or, with ``label_indptr``, any number of labels a row.
    lines : int64 array of shape [R]
        The line of each, from 1, running on over the files of a source.
    label_indptr : int64 array of shape [R + 1], optional
        Where each row's labels begin; in a row each stands at most once.
    weights : float32 array of shape [R], optional
        How much each example counts, at least 0; 1 if not given.
    groups : int64 array of shape [R], optional
        Rows of one group fall into the same split; each line is a group if not given.
    """

    indptr: NDArray[np.int64]
    features: NDArray[np.int32]
    values: NDArray[np.float32]
    labels: NDArray[np.int32]
    lines: NDArray[np.int64]
    label_indptr: NDArray[np.int64] | None = None
    weights: NDArray[np.float32] | None = None
    groups: NDArray[np.int64] | None = None

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.lines)

    @property
    def split_keys(self) -> NDArray[np.int64]:
        """What decides in which split a row falls: its group, or its line."""
        return self.lines if self.groups is None else self.groups


def no_rows() -> Rows:
    """Return rows of which there are none."""
    lines = np.empty(0, np.int64)
    integers = np.empty(0, np.int32)
    return Rows(np.zeros(1, np.int64), integers, np.empty(0, np.float32), integers, lines)


def summed_repeats(
    indptr: NDArray[np.int64],
    features: NDArray[np.int32],
    values: NDArray[np.float32],
    place: str,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Return rows in which each feature stands once, with the sum of its values.

    The arrays are written over; the features of a row come back in rising order.

    Parameters
    ----------
    indptr, features, values : arrays
        As of `Rows`, but for features that stand in a row repeatedly.
    place : str
        What is read, for messages.

    Raises
    ------
    UserError
        If a sum is no finite number, though all values are.
    """
    num_entries = kernels.sum_repeats(indptr, features, values)
    features, values = features[:num_entries].copy(), values[:num_entries].copy()
    if not np.isfinite(values).all():
        raise UserError(
            f"{place}: the values of a feature that stands repeatedly in an example add up to more "
            f"than {np.finfo(np.float32).max:.4g}; expected sums below it; scale the values"
        )
    return indptr, features, values


def each_once(
    labels: NDArray[np.int32], indptr: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return rows in which each label stands once, where it stood first.

    Parameters
    ----------
    labels : int32 array of shape [L]
    indptr : int64 array of shape [R + 1]
        Where each row's begin.
    """
    if np.all(np.diff(indptr) <= 1):
        return labels, indptr
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    kept = np.sort(np.unique(rows << 32 | labels, return_index=True)[1])
    return labels[kept], np.searchsorted(kept, indptr)


class Reader(ABC):
    """Reads the files of one source, in their order.

    Labels and features have ids in the order in which the reader meets them; their names are
    complete once the last row is read, and hold no newline: files hold a name a line.
    """

    #: Whether each token of a line is an example: one whose token is no class is then skipped,
    #: and the first has no features.
    predicts_tokens: bool = False

    @abstractmethod
    def chunks(self, reading: Reading) -> Iterator[Rows]:
        """Yield the examples, a bounded number at a time.

        Parameters
        ----------
        reading : Reading
            Opens the files, and decides what becomes of a bad line.

        Raises
        ------
        UserError
            ``FILE:LINE:COLUMN: what is wrong; what was found; what was expected``.
        """

    @property
    @abstractmethod
    def label_names(self) -> list[str]:
        """The labels by their ids."""

    @property
    @abstractmethod
    def feature_names(self) -> FeatureNames:
        """The features by their ids."""

    @abstractmethod
    def absence(self) -> str:
        """Return what was found and what was expected, where no example was found."""

    def fitted(self) -> dict[str, Any]:
        """Return what the training files fix for all others, as JSON values."""
        return {}

    def scaled_features(self) -> dict[str, str]:
        """Return how the values of some features, by name, are to be scaled.

        ``standard`` takes the mean away and divides by the standard deviation, ``max_abs`` divides
        by the largest absolute value, each of the training rows that hold the feature.
        """
        return {}

    def notes(self) -> list[str]:
        """Return what the user should hear of, though it is no mistake."""
        return []


class LineReader(Reader):
    """Reads a format whose examples are lines of text."""

    @abstractmethod
    def read(self, block: Block) -> Rows:
        """Return a block's examples.

        Raises
        ------
        BadLineError
            For the first bad line, with nothing of the block taken in yet: the lines before it
            are then given again.
        """

    def chunks(self, reading: Reading) -> Iterator[Rows]:
        """Yield the examples of each block; a bad line stops, or is left out and counted."""
        for block in reading.blocks():
            yield from self.good_rows(block, reading)

    def good_rows(self, block: Block, reading: Reading) -> Iterator[Rows]:
        """Yield a block's examples without those of its bad lines, which stop or are counted."""
        waiting: list[Block | BadLineError] = [block]
        while waiting:
            part = waiting.pop()
            if isinstance(part, BadLineError):
                reading.bad_line(part)
                self.left_out(block)
                continue
            try:
                rows = self.read(part)
            except BadLineError as error:
                before, after = part.around(error.line)
                # Halved, so that many bad lines do not each cost what the whole rest does; the
                # lines before come first, among which a worse mistake may show.
                waiting += [*reversed(after.halves()), error, *before.unless_empty()]
            else:
                yield rows

    def left_out(self, block: Block) -> None:
        """Take note that a bad line of a block is left out, once all lines before it are read."""
