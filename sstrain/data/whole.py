"""All of a source at once in bounded memory, for what looks at it without training."""

from collections.abc import Iterator
from contextlib import contextmanager

from sstrain.data import TrainSource
from sstrain.data.cache import cache_folder, scratch
from sstrain.data.dataset import Dataset
from sstrain.data.encoding import encoded
from sstrain.data.fitting import fit_vocabulary
from sstrain.data.raw import RawData, Report, every_row, read_source, training_options
from sstrain.data.storage import Storage
from sstrain.data.vocabulary import Vocabulary
from sstrain.disk import disk_reason
from sstrain.errors import FailureError, UserError

__all__ = ["raw_source", "whole_source"]


@contextmanager
def raw_source(source: TrainSource, report: Report) -> Iterator[RawData]:
    """Give all rows of a source, kept in files that go away when the block ends.

    Parameters
    ----------
    source : TrainSource
    report : callable
        Takes notes for a person to read.

    Raises
    ------
    UserError
        For a file that cannot be read, a line that does not parse, or no example at all.
    FailureError
        If the disk is full.
    """
    with _storage() as storage:
        yield read_source(source, training_options(source), report, storage)


@contextmanager
def whole_source(source: TrainSource, report: Report) -> Iterator[tuple[Dataset, Vocabulary]]:
    """Give all examples of a source as training data, and the vocabulary fitted to them.

    Parameters and errors are those of `raw_source`; it is an error too if there is no class.
    """
    with _storage() as storage:
        raw = read_source(source, training_options(source), report, storage)
        vocabulary = fit_vocabulary(raw, every_row, source)
        if vocabulary.num_classes == 0:
            raise UserError(f"{source.path[0]}: no class; {_no_class(source)}")
        parts = encoded(raw, every_row, vocabulary, skip_unknown=True)
        yield storage.dataset("whole", parts), vocabulary


def _no_class(source: TrainSource) -> str:
    if source.smallest_class > 1:
        return f"no label stands {source.smallest_class} times; lower min_count"
    return "no row has a label; expected one at least"


@contextmanager
def _storage() -> Iterator[Storage]:
    try:
        with scratch() as storage:
            yield storage
    except OSError as error:
        raise FailureError(
            f"{cache_folder()}: temporary files cannot be written; {disk_reason(error)}; free "
            "some, or set SSTRAIN_DATA_CACHE to a folder with room"
        ) from error
