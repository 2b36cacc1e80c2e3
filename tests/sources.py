"""Data sections and files that many tests share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from sstrain.data import HeldOutSource, Source, TrainSource
from sstrain.data.dataset import Dataset
from sstrain.data.vocabulary import Vocabulary

_TRAIN: TypeAdapter[TrainSource] = TypeAdapter(TrainSource)
_HELD_OUT: TypeAdapter[Source] = TypeAdapter(HeldOutSource)


def train_source(path: Path | Sequence[str], **keys: Any) -> TrainSource:
    """Return a ``data.train`` section."""
    paths = [str(path)] if isinstance(path, Path) else list(path)
    return _TRAIN.validate_python({"path": paths, **keys})


def held_out_source(path: Path, **keys: Any) -> Source:
    """Return a ``data.validation`` or ``data.test`` section."""
    return _HELD_OUT.validate_python({"path": [str(path)], **keys})


@dataclass
class DataKeys:
    """Stands in for the ``data`` section of a config."""

    train: TrainSource
    validation: float | Source | None = None
    test: float | Source | None = None
    split_seed: int = 0


def written(folder: Path, content: str | bytes, name: str = "data.txt") -> Path:
    """Return a file with this content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def named_rows(
    dataset: Dataset, vocabulary: Vocabulary
) -> list[tuple[str | None, dict[str, float]]]:
    """Return each example as its label (None for none) and its features by name."""
    rows = []
    for i in range(dataset.num_examples):
        part = slice(dataset.indptr[i], dataset.indptr[i + 1])
        names = [vocabulary.features[j] for j in dataset.indices[part]]
        target = int(dataset.targets[i])
        label = vocabulary.classes[target] if target >= 0 else None
        rows.append((label, dict(zip(names, dataset.values[part].tolist(), strict=True))))
    return rows
