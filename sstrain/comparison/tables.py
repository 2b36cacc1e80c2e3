"""results.csv, curves.csv and diagnostics.csv: every number of a comparison."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sstrain.disk import disk_reason, write_text
from sstrain.errors import FailureError

if TYPE_CHECKING:
    from sstrain.comparison.folder import ComparisonFolder
    from sstrain.comparison.records import CellRecord

__all__ = ["write_tables"]

_CELL = ("objective", "sampler", "num_samples", "seed")
#: Columns that results.csv has even if no cell finished.
_RESULTS = (
    "status",
    "log_loss",
    "top_1",
    "examples",
    "cpu_seconds",
    "candidates_scored",
    "weights_sha256",
)


def write_tables(folder: "ComparisonFolder", records: "Sequence[CellRecord]") -> None:
    """Write the three tables of the cells that have been run.

    Raises
    ------
    FailureError
        If one cannot be written.
    """
    tables = {
        folder.results: [_result(record) for record in records],
        folder.curves: [{**_cell(r), **row} for r in records for row in r.curve],
        folder.diagnostics: [row for r in records for row in r.diagnostics],
    }
    for path, rows in tables.items():
        try:
            write_text(path, _as_csv(rows))
        except OSError as error:
            raise FailureError(f"{path}: cannot be written: {disk_reason(error)}") from error


def _cell(record: "CellRecord") -> dict[str, Any]:
    return {**vars(record.arm), "seed": record.seed}


def _result(record: "CellRecord") -> dict[str, Any]:
    return {
        **_cell(record),
        **dict.fromkeys(_RESULTS),
        **record.results,
        "status": record.status,
        "reason": record.reason,
    }


def _as_csv(rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as CSV; a column is there if any row has it, and empty where one has not."""
    rows = list(rows)
    columns = list(dict.fromkeys([*_CELL, *(name for row in rows for name in row)]))
    if "reason" in columns:
        columns.append(columns.pop(columns.index("reason")))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
