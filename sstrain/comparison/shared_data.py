"""The data of a comparison, loaded once and mapped by every process that works on it."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np

from sstrain.data.dataset import Dataset
from sstrain.data.loading import Splits
from sstrain.data.vocabulary import Vocabulary

__all__ = ["map_splits", "write_splits"]


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
        plain = {}
        for field in fields(dataset):
            value = getattr(dataset, field.name)
            if isinstance(value, np.ndarray):
                np.save(folder / f"{name}.{field.name}.npy", value, allow_pickle=False)
            else:
                plain[field.name] = value
        (folder / f"{name}.json").write_text(json.dumps(plain), encoding="utf-8")


def map_splits(folder: Path) -> Splits:
    """Return the splits of a folder, their arrays mapped rather than read."""
    train, validation = (_map(folder, name) for name in ("train", "validation"))
    return Splits(train, validation, None, Vocabulary.load(folder), [])


def _map(folder: Path, name: str) -> Dataset:
    plain = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    # Copy on write: kernels are compiled for arrays that may be written to, and none is.
    arrays = {
        field.name: np.load(folder / f"{name}.{field.name}.npy", mmap_mode="c").view(np.ndarray)
        for field in fields(Dataset)
        if field.name not in plain
    }
    return Dataset(**arrays, **plain)
