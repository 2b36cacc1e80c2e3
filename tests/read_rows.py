"""Rows as a reader gives them, by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from sstrain.data.bad_lines import BadLines
from sstrain.data.base import Source
from sstrain.data.blocks import line_blocks
from sstrain.data.reader import LineReader, Reader, Rows
from sstrain.data.reading import Reading

NamedRow = tuple[list[str], dict[str, float]]

_Source = TypeVar("_Source", bound=Source)


def source_of(kind: type[_Source], path: Path | list[Path], **keys: Any) -> _Source:
    """Return a source that reads these files."""
    paths = [str(path)] if isinstance(path, Path) else [str(one) for one in path]
    return kind.model_validate({"path": paths, **keys})


def chunks_of(
    source: Source, fitted: Mapping[str, Any] | None = None, bad_lines: BadLines | None = None
) -> tuple[Reader, list[Rows]]:
    """Return a reader that has read the whole source, and what it gave."""
    reader = source.reader(fitted or {})
    return reader, list(reader.chunks(Reading(source.path, bad_lines=bad_lines)))


def names_of(reader: Reader, chunks: list[Rows]) -> list[NamedRow]:
    """Return each row's labels in their order, and its features' values."""
    labels, features = reader.label_names, [str(name) for name in reader.feature_names]
    named: list[NamedRow] = []
    for rows in chunks:
        for row in range(rows.num_rows):
            part = slice(rows.indptr[row], rows.indptr[row + 1])
            names = [features[feature] for feature in rows.features[part]]
            assert len(set(names)) == len(names)
            ids = rows.labels[row : row + 1]
            if rows.label_indptr is not None:
                ids = rows.labels[rows.label_indptr[row] : rows.label_indptr[row + 1]]
            values = dict(zip(names, rows.values[part].tolist(), strict=True))
            named.append(([labels[label] for label in ids if label >= 0], values))
    return named


def rows_of(source: Source, **keys: Any) -> list[NamedRow]:
    """Return what a source holds."""
    return names_of(*chunks_of(source, **keys))


def contexts_of(
    source: Source, lines: list[bytes], fitted: Mapping[str, Any] | None = None, first_line: int = 1
) -> list[NamedRow]:
    """Return a row for each line, read without labels; their numbers must be consecutive."""
    reader = source.reader(fitted or {}, labelled=False)
    assert isinstance(reader, LineReader)
    return names_of(reader, list(map(reader.read, line_blocks(lines, "in", first_line))))
