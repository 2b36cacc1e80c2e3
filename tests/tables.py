"""Tables as the reader reads them, for many tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sstrain.data.bad_lines import BadLines
from sstrain.data.formats.table import Table
from sstrain.data.formats.table_reader import TableReader
from sstrain.data.reading import Reading
from sstrain.errors import UserError

NamedRow = tuple[int, str | None, dict[str, float]]


def read(
    *paths: Path,
    fitted: Mapping[str, Any] | None = None,
    labelled: bool = True,
    bad_lines: BadLines | None = None,
    **keys: Any,
) -> tuple[TableReader, list[Any]]:
    names = [str(path) for path in paths]
    reader = Table(path=tuple(names), **keys).reader(fitted or {}, labelled)
    return reader, list(reader.chunks(Reading(names, bad_lines=bad_lines)))


def named(reader: TableReader, chunks: Sequence[Any]) -> list[NamedRow]:
    """Return each row's line, its label and its features by name."""
    rows = []
    for chunk in chunks:
        for i in range(chunk.num_rows):
            part = slice(chunk.indptr[i], chunk.indptr[i + 1])
            names = [str(reader.feature_names[f]) for f in chunk.features[part]]
            assert len(set(names)) == len(names)
            label = reader.label_names[chunk.labels[i]] if chunk.labels[i] >= 0 else None
            features = dict(zip(names, chunk.values[part].tolist(), strict=True))
            rows.append((int(chunk.lines[i]), label, features))
    return rows


def rows_of(*paths: Path, **keys: Any) -> list[NamedRow]:
    return named(*read(*paths, **keys))


def mistake(*paths: Path, **keys: Any) -> str:
    with pytest.raises(UserError) as error:
        read(*paths, **{"target": "y", **keys})
    return str(error.value)
