"""The data of a comparison, loaded once and mapped by every process that works on it."""

import json
from pathlib import Path

from sstrain.data.loading import Splits
from sstrain.data.storage import read_dataset, write_dataset
from sstrain.data.vocabulary import Vocabulary

__all__ = ["map_splits", "write_splits"]

_PLAIN = "plain.json"


def write_splits(folder: Path, splits: Splits) -> None:
    """Write the training and the validation split into a folder.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    assert splits.validation is not None
    splits.vocabulary.save(folder)
    for name, dataset in (("train", splits.train), ("validation", splits.validation)):
        plain = write_dataset(folder / name, [dataset])
        (folder / name / _PLAIN).write_text(json.dumps(plain), encoding="utf-8")


def map_splits(folder: Path) -> Splits:
    """Return the splits of a folder, their arrays mapped rather than read."""
    train, validation = (
        read_dataset(folder / name, json.loads((folder / name / _PLAIN).read_text("utf-8")))
        for name in ("train", "validation")
    )
    return Splits(train, validation, None, Vocabulary.load(folder), [])
