"""Rows of `results.csv`, one a cell and repeat, written as they are measured."""

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

#: What became of a cell.
FINISHED, PART, STOPPED, FAILED, NOT_INSTALLED = STATUSES = (
    "finished",
    "part",
    "stopped",
    "failed",
    "not installed",
)
#: Not measured again; the others may fare better at another time.
DONE = (FINISHED, PART, STOPPED)


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes
    ----------
    set, tool, setting : str
    repeat : int
        From 1; it is the seed too.
    status : str
        One of `STATUSES`; `part`: a part of the work, from which `extrapolated_seconds` follow.
    reason : str
        Why there is no more, in one line.
    cpu_seconds, wall_seconds : float or None
        Of training alone.
    prepare_cpu_seconds : float or None
        Of what comes before: imports, the tool's own form of the examples, compiling.
    rss_mib, peak_mib : float or None
        Resident memory when training starts, with the examples, and the peak while it runs.
    share, extrapolated_seconds : float or None
        The part of the work that was done, and the CPU seconds of all of it at that speed.
    others : float or None
        The share of the cores that other processes used meanwhile.
    load : float or None
        The load average before.
    busy : bool
        Whether the machine was at work for others.
    options : str
        JSON. A row of other options is not taken for this setting's.
    """

    set: str
    tool: str
    setting: str
    repeat: int
    status: str
    reason: str = ""
    cpu_seconds: float | None = None
    wall_seconds: float | None = None
    prepare_cpu_seconds: float | None = None
    rss_mib: float | None = None
    peak_mib: float | None = None
    log_loss: float | None = None
    top_1: float | None = None
    top_5: float | None = None
    share: float | None = None
    extrapolated_seconds: float | None = None
    others: float | None = None
    load: float | None = None
    busy: bool = False
    version: str = ""
    note: str = ""
    machine: str = ""
    date: str = ""
    options: str = ""

    def key(self) -> tuple[str, ...]:
        """Return what a later measurement of the same replaces."""
        return (self.set, self.tool, self.setting, str(self.repeat), self.options, self.machine)


_NUMBERS = {field.name for field in fields(Row) if field.type == float | None}


def _parsed(record: dict[str, str]) -> Row:
    values: dict[str, Any] = dict(record)
    for name in _NUMBERS:
        values[name] = float(record[name]) if record[name] else None
    values["repeat"] = int(record["repeat"])
    values["busy"] = record["busy"] == "True"
    return Row(**values)


def read(path: Path) -> list[Row]:
    """Return a file's rows, of equal keys the last one; none if there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = [_parsed(record) for record in csv.DictReader(file)]
    return list({row.key(): row for row in rows}.values())


def add(path: Path, row: Row) -> list[Row]:
    """Put a row into a file, in the place of one of the same key; return all."""
    rows = [other for other in read(path) if other.key() != row.key()] + [row]
    write(path, rows)
    return rows


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write all rows; whoever is interrupted leaves the file as it was."""
    names = [field.name for field in fields(Row)]
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow(_written(getattr(row, name)) for name in names)
    os.replace(beside, path)


def _written(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
