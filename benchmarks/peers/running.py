"""Cells: which there are, in which order, and one of them as a process that becomes a row."""

import datetime
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from load import LoadWatch

from peers import machine
from peers.environments import InstallError, interpreter, last_line
from peers.results import FAILED, FINISHED, NOT_INSTALLED, PART, STOPPED, Row
from peers.tools.base import Setting

BENCHMARKS = Path(__file__).parent.parent
#: Some processors' settings for old builds of OpenBLAS slow a current numpy down.
_SLOWED_BY = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
#: Others' share of the cores during a cell from which its row is marked.
_BUSY_SHARE = 0.08
_PROGRESS = re.compile(r"Progress:\s*([0-9.]+)%")


@dataclass(frozen=True)
class Cell:
    """A setting of a tool on a set, once."""

    set: str
    tool: str
    setting: Setting
    repeat: int

    def limit(self, general: float) -> float:
        """Return the CPU seconds that its training may take, where this is everyone's limit."""
        return min(general, self.setting.limits.get(self.set, general))

    def row(self, status: str, **values: Any) -> Row:
        """Return this cell's row."""
        options = json.dumps(dict(self.setting.options), sort_keys=True)
        today = datetime.date.today().isoformat()
        return Row(
            self.set, self.tool, self.setting.name, self.repeat, status,
            options=options, machine=machine.description(), date=today, **values,
        )  # fmt: skip


@dataclass(frozen=True)
class Folders:
    """Where things lie.

    Attributes
    ----------
    examples : Path
        The prepared arrays, a folder a set.
    scratch : Path
        For files of a cell's own.
    """

    examples: Path
    scratch: Path


@dataclass(frozen=True)
class Limits:
    """CPU seconds of a cell's training, and of what comes before and after, each."""

    training: float
    other: float = 1200.0

    def wall(self) -> float:
        """Return the seconds by the clock after which a process hangs, as it seems."""
        return self.training + 2 * self.other + 600


def cells(
    settings: Mapping[str, Sequence[Setting]], sets: Sequence[str], repeats: int
) -> Iterator[Cell]:
    """Yield all cells: repeats outermost, the tools in turn, so that none has hours of its own.

    Parameters
    ----------
    settings : mapping
        Each tool's.
    sets : sequence of str
    repeats : int
    """
    for repeat in range(1, repeats + 1):
        for name in sets:
            columns = [
                [Cell(name, tool, one, repeat) for one in own if name in one.sets]
                for tool, own in settings.items()
            ]
            for turn in zip_longest(*columns):
                yield from (cell for cell in turn if cell is not None)


def progress(log: str) -> float | None:
    """Return the last share of training that a log tells, if it is above 0."""
    found = _PROGRESS.findall(log)
    return float(found[-1]) / 100 or None if found else None


def install(names: Iterable[str], environments: Path) -> dict[str, Path | InstallError]:
    """Return each tool's Python, or why there is none; the others go on."""
    found: dict[str, Path | InstallError] = {}
    for name in names:
        try:
            found[name] = interpreter(name, environments)
        except InstallError as error:
            print(f"warning: {name} cannot be installed: {error}", file=sys.stderr)
            found[name] = error
    return found


def measure(
    cell: Cell,
    python: Path | InstallError,
    files: tuple[Path, Path],
    folders: Folders,
    limits: Limits,
) -> Row:
    """Run a cell as a process; whatever becomes of it is a row.

    Parameters
    ----------
    cell : Cell
    python : Path or InstallError
        The tool's, from `install`.
    files : tuple of Path
        The set's svmlight files.
    folders : Folders
    limits : Limits
    """
    if isinstance(python, InstallError):
        return cell.row(NOT_INSTALLED, reason=str(python))
    limits = replace(limits, training=cell.limit(limits.training))
    folders.scratch.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0]
    # A cell that is killed cannot remove its files.
    with tempfile.TemporaryDirectory(dir=folders.scratch, ignore_cleanup_errors=True) as own:
        paths = _request(cell, files, folders, Path(own), limits)
        with LoadWatch() as watch:
            process = _run(python, paths["request"], folders.scratch / "log.txt", limits.wall())
    row = _outcome(cell, process, paths, limits)
    # The load average still holds the cell before: of two cores one may have been at work.
    busy = watch.others > _BUSY_SHARE
    return replace(row, load=load, others=watch.others, busy=busy)


def _request(
    cell: Cell, files: tuple[Path, Path], folders: Folders, own: Path, limits: Limits
) -> dict[str, Path]:
    """Write what `peers.cell` is to do; return where, and the files that it will write."""
    paths = {name: folders.scratch / f"{name}.json" for name in ("request", "result", "stage")}
    for path in paths.values():
        path.unlink(missing_ok=True)
    request = {
        "tool": cell.tool, "options": dict(cell.setting.options), "seed": cell.repeat,
        "files": [str(file) for file in files], "examples": str(folders.examples / cell.set),
        "limit": limits.training, "other_limit": limits.other,
        "folder": str(own), "result": str(paths["result"]),
        "stage": str(paths["stage"]),
    }  # fmt: skip
    paths["request"].write_text(json.dumps(request))
    return paths


@dataclass(frozen=True)
class Process:
    """A process that has ended: its exit code and output."""

    exit_code: int
    log: str


def _run(python: Path, request: Path, log: Path, wall_limit: float) -> Process:
    """Run `peers.cell`; end it, and what it started, when it takes too long."""
    environment = {k: v for k, v in os.environ.items() if k not in _SLOWED_BY}
    environment |= {"PYTHONPATH": str(BENCHMARKS), "OMP_NUM_THREADS": "2"}
    with log.open("w") as output:
        child = subprocess.Popen(
            [str(python), "-m", "peers.cell", str(request)], cwd=BENCHMARKS.parent,
            env=environment, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            child.wait(wall_limit)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            raise
    return Process(child.returncode, log.read_text(errors="replace"))


def _outcome(cell: Cell, process: Process, paths: Mapping[str, Path], limits: Limits) -> Row:
    """Return the row of a process that has ended."""
    if process.exit_code == 0 and paths["result"].exists():
        return _measured(cell, json.loads(paths["result"].read_text()))
    stage = paths["stage"].read_text() if paths["stage"].exists() else "preparation"
    if process.exit_code == -signal.SIGXCPU and stage == "training":
        share = progress(process.log)
        return cell.row(
            STOPPED,
            reason=f"stopped after {limits.training:.0f} s",
            cpu_seconds=limits.training,
            share=share,
            extrapolated_seconds=limits.training / share if share else None,
        )
    return cell.row(FAILED, reason=failure(process, stage, limits))


def failure(process: Process, stage: str, limits: Limits) -> str:
    """Return in one line why a process ended."""
    if process.exit_code == -signal.SIGXCPU:
        return f"its {stage} was stopped after {limits.other:.0f} s"
    if process.exit_code < 0:
        name = signal.Signals(-process.exit_code).name
        # The kernel ends a process that asks for more memory than there is.
        hint = " (out of memory, or over the time by the clock)" if name == "SIGKILL" else ""
        return f"ended by {name}{hint}"
    return f"exit code {process.exit_code}: {last_line(process.log)}"


def _measured(cell: Cell, found: dict[str, Any]) -> Row:
    """Return the row of a result."""
    figures = [found.get(key) for key in ("log_loss", "top_1", "top_5")]
    if any(figure is not None and not abs(figure) < float("inf") for figure in figures):
        found |= {"log_loss": None, "top_1": None, "top_5": None}
        return cell.row(FAILED, **found, reason="its scores are not finite")
    if found["share"] < 1:
        total = found["cpu_seconds"] / found["share"]
        return cell.row(PART, **found, extrapolated_seconds=total, reason=found["note"])
    return cell.row(FINISHED, **found)


def warn_of_load() -> None:
    """Say on stderr that others are at work, before anything is measured."""
    with LoadWatch() as watch:
        time.sleep(1)
    if watch.others > _BUSY_SHARE:
        print(
            f"warning: other processes take {watch.others:.0%} of the cores; seconds will be too "
            "large, and rows that are measured meanwhile are marked",
            file=sys.stderr,
        )
