"""Parquet files to columns, some rows at a time."""

import os
from collections import Counter
from collections.abc import Iterator

import numpy as np

from sstrain.data.files import is_regular
from sstrain.data.formats.table_parts import Column, Needed, Part
from sstrain.data.reading import Reading
from sstrain.data.wording import reason_of, shown
from sstrain.errors import UserError
from sstrain.progress import bar

__all__ = ["MAGIC", "is_parquet", "parquet_parts"]

#: The first bytes of a Parquet file.
MAGIC = b"PAR1"

_ROWS = 1 << 15
#: Column chunks are read in pieces of this size, however large they are.
_BUFFER_BYTES = 1 << 20


def is_parquet(path: str) -> bool:
    """Whether a path is a file that begins as Parquet does."""
    try:
        if not is_regular(path):
            return False
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def parquet_parts(path: str, reading: Reading, needed: Needed) -> Iterator[Part]:
    """Yield the rows of a Parquet file; what is called a line elsewhere is a row here.

    Parameters
    ----------
    path : str
    reading : Reading
        Describes the file and counts the rows.
    needed : callable
        Chooses columns.

    Raises
    ------
    UserError
        For a file that is damaged.
    """
    import pyarrow as pa
    from pyarrow import parquet

    rows_before = reading.num_lines
    try:
        with parquet.ParquetFile(reading.whole(path), buffer_size=_BUFFER_BYTES) as file:
            schema = file.schema_arrow
            counts = Counter(schema.names)
            if repeated := [name for name, count in counts.items() if count > 1]:
                raise UserError(f"{path}: two columns of one name; found {shown(min(repeated))}")
            chosen = needed(dict(zip(schema.names, schema.types, strict=True)), path)
            title = f"reading {os.path.basename(path)}"
            with bar(file.metadata.num_rows, title, "rows") as advance:
                for batch in file.iter_batches(_ROWS, columns=list(chosen), use_threads=False):
                    batch.validate(full=True)  # that text is UTF-8, among others
                    lines = np.arange(batch.num_rows, dtype=np.int64) + reading.num_lines + 1
                    reading.add_lines(batch.num_rows)
                    yield Part(
                        {name: _without_views(batch.column(name)) for name in chosen},
                        lines,
                        lambda line: f"{path}: row {line - rows_before}",
                    )
                    advance(batch.num_rows)
    except (pa.ArrowException, OSError, MemoryError, ValueError) as error:
        raise UserError(
            f"{path}: damaged Parquet file; {reason_of(error)}; expected a whole Parquet file"
        ) from None


def _without_views(column: Column) -> Column:
    """Return a column as text where it is views of text, for which pyarrow lacks functions."""
    import pyarrow as pa
    from pyarrow import types

    return column.cast(pa.string()) if types.is_string_view(column.type) else column
