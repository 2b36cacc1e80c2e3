"""Writing a store from the rows of any format."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from sstrain.data import TrainSource
from sstrain.data.formats.store import FEATURE_NUMBERS, FEATURES, KIND, LABELS, ROWS
from sstrain.data.manifest import file_records, write_manifest
from sstrain.data.raw import RawData, read_source, training_options
from sstrain.data.storage import InFolder
from sstrain.disk import disk_reason, placing_folder
from sstrain.errors import FailureError

__all__ = ["convert_to_store"]


def convert_to_store(
    source: TrainSource, folder: Path, report: Callable[[str], None], overwrite: bool = False
) -> None:
    """Read all that a source holds and write it as a store.

    Parameters
    ----------
    source : TrainSource
        Of what is fitted to training rows, only the hashing of features is done.
    folder : Path
        The store's.
    report : callable
        Takes notes for a person to read.
    overwrite : bool
        Whether a folder that is there goes when the store is whole; if not, there must be none.

    Raises
    ------
    UserError
        As `read_source`.
    FailureError
        If the disk does not take it; then there is no such folder, or the old one.
    """
    try:
        with placing_folder(folder, overwrite) as partial:
            raw = read_source(source, training_options(source), report, InFolder(partial))
            os.rename(partial / "rows-0", partial / ROWS)
            _describe(partial, raw)
    except OSError as error:
        raise FailureError(f"{folder}: cannot be written; {disk_reason(error)}") from None


def _describe(folder: Path, raw: RawData) -> None:
    """Write the names and the manifest beside the rows."""
    _write_names(folder / LABELS, raw.label_names)
    if isinstance(raw.feature_names, np.ndarray):
        np.save(folder / FEATURE_NUMBERS, raw.feature_names, allow_pickle=False)
    else:
        _write_names(folder / FEATURES, raw.feature_names)
    content = {
        "num_lines": raw.num_lines,
        "fitted": raw.fitted,
        "scaled": raw.scaled,
        "predicts_tokens": raw.predicts_tokens,
    }
    write_manifest(folder, KIND, content, file_records(folder))


def _write_names(path: Path, names: Iterable[str]) -> None:
    with path.open("wb") as file:
        file.writelines(f"{name}\n".encode() for name in names)
