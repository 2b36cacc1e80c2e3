"""Measure every tool on every set, and write the tables, the plots and what follows from them.

    make bench DATA=FOLDER [BENCH_FLAGS="--tool fasttext --set kjv --repeats 1"]
    make bench-quick

Cells that `results.csv` has are not measured again. An interrupted run goes on where it was.
"""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import click

from peers import machine, plots, report, results, sets, tools
from peers.environments import InstallError
from peers.results import DONE, FINISHED, STOPPED, Row
from peers.running import Cell, Folders, Limits, cells, install, measure, warn_of_load
from peers.tools.base import Setting


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes
    ----------
    files : dict
        The two files of each set.
    settings : dict
        Each tool's.
    repeats : int
        How often a cell is measured ...
    once_from : float
        ... unless its training takes so many CPU seconds, or does not end well: then once.
    limits : Limits
    """

    files: dict[str, tuple[Path, Path]]
    settings: dict[str, list[Setting]]
    repeats: int
    once_from: float
    limits: Limits

    def cells(self) -> Iterator[Cell]:
        """Yield all cells."""
        return cells(self.settings, list(self.files), self.repeats)


def needless(cell: Cell, rows: list[Row], plan: Plan, again: bool) -> bool:
    """Return whether there is a row of a cell, or its first repeat says that one is enough."""
    known = {row.key(): row for row in rows}
    own = known.get(cell.row(FINISHED).key())
    if own is not None and not again and own.status in DONE:
        # What was stopped may end if it is given more time now.
        limit = cell.limit(plan.limits.training)
        return own.status != STOPPED or (own.cpu_seconds or 0) >= limit
    first = known.get(Cell(cell.set, cell.tool, cell.setting, 1).row(FINISHED).key())
    if cell.repeat > 1 and first is not None:
        return first.status != FINISHED or (first.cpu_seconds or 0) >= plan.once_from
    return False


def run(
    plan: Plan,
    pythons: dict[str, Path | InstallError],
    output: Path,
    folders: Folders,
    again: bool,
) -> None:
    """Measure what is missing, and write each row as it comes."""
    path = output / "results.csv"
    rows = results.read(path)
    warn_of_load()
    for cell in plan.cells():
        if needless(cell, rows, plan, again):
            continue
        title = f"{cell.set} {cell.tool} [{cell.setting.name}] {cell.repeat}"
        print(f"{title} ... ", end="", flush=True)
        row = measure(cell, pythons[cell.tool], plan.files[cell.set], folders, plan.limits)
        print(report.one_line(row), flush=True)
        rows = results.add(path, row)
    publish(rows, output)


def publish(rows: list[Row], output: Path) -> None:
    """Write RESULTS.md and the plots, of all rows of the settings that there are now."""
    every = {name: tools.load(name).SETTINGS for name in tools.NAMES}
    repeats = max((row.repeat for row in rows), default=0)
    known = {cell.row(FINISHED).key() for cell in cells(every, list(sets.FILES), repeats)}
    shown = [row for row in rows if row.key() in known]
    if not shown:
        print("nothing was measured, so nothing is written", file=sys.stderr)
        return
    pictures = plots.draw(shown, output / "plots")
    (output / "RESULTS.md").write_text(report.page(shown, pictures))
    print(f"{output / 'RESULTS.md'}: written")


def chosen_settings(names: tuple[str, ...], pattern: str, quick: bool) -> dict[str, list[Setting]]:
    """Return the settings of the tools that are wanted."""
    wanted = names or tools.NAMES
    return {
        name: [
            setting
            for setting in tools.load(name).SETTINGS
            if fnmatch(setting.name, pattern) and (setting.quick or not quick)
        ]
        for name in tools.NAMES
        if name in wanted
    }


def chosen_files(
    names: tuple[str, ...], data: Path | None, quick: bool, work: Path
) -> dict[str, tuple[Path, Path]]:
    """Return the files of the sets that are wanted."""
    if quick:
        return {"kjv": sets.write_quick(work / "quick")}
    if data is None:
        raise click.UsageError("--data FOLDER is missing, or --quick, which needs none")
    found = {}
    for name, (train, test) in sets.FILES.items():
        if names and name not in names:
            continue
        for file in (data / train, data / test):
            if not file.exists():
                raise click.UsageError(f"{file} is not there; --set leaves sets out")
        found[name] = (data / train, data / test)
    return found


@click.command(help=(__doc__ or "").split("\n")[0])
@click.option("--data", type=Path, help="The folder of the sets.")
@click.option("--quick", is_flag=True, help="A few settings, on the King James Bible of data/.")
@click.option("--output", required=True, type=Path, help="For results.csv, RESULTS.md and plots.")
@click.option("--work", required=True, type=Path, help="For environments and prepared examples.")
@click.option("--tool", "tool_names", multiple=True, type=click.Choice(tools.NAMES))
@click.option("--set", "set_names", multiple=True, type=click.Choice(list(sets.FILES)))
@click.option("--setting", default="*", help="A pattern of settings' names.")
@click.option("--repeats", default=3, show_default=True)
@click.option("--once-from", default=60.0, show_default=True, help="CPU seconds; see Plan.")
@click.option("--time-limit", default=900.0, show_default=True, help="CPU seconds of a training.")
@click.option("--rows", type=int, help="Only the first rows of each file: does a tool work?")
@click.option("--again", is_flag=True, help="Measure what is there already once more.")
@click.option("--report-only", is_flag=True, help="Measure nothing, write the report anew.")
def main(
    data: Path | None, quick: bool, output: Path, work: Path, tool_names: tuple[str, ...],
    set_names: tuple[str, ...], setting: str, repeats: int, once_from: float, time_limit: float,
    rows: int | None, again: bool, report_only: bool,
) -> None:  # fmt: skip
    """Measure, and write."""
    # As Ctrl-C: a cell is a process of its own, which would outlive this one.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    output.mkdir(parents=True, exist_ok=True)
    work = work.absolute()
    data = data and data.absolute()
    files = chosen_files(set_names, data, quick, work)
    prepared = work / ("quick-examples" if quick else "examples")
    if rows is not None:
        prepared = work / f"examples-{rows}"
        texts = prepared / "text"
        files = {name: sets.head(two, rows, texts / name) for name, two in files.items()}
    settings = chosen_settings(tool_names, setting, quick)
    plan = Plan(files, settings, repeats, once_from, Limits(time_limit))
    if report_only:
        publish(results.read(output / "results.csv"), output)
        return
    for name, two in files.items():
        sets.prepare(two, prepared / name)
    pythons = install(settings, work / "environments")
    folders = Folders(prepared, work / "scratch")
    print(machine.description(), f"(process {os.getpid()})", file=sys.stderr)
    run(plan, pythons, output, folders, again)


if __name__ == "__main__":
    main()
