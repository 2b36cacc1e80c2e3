"""Cells run in the process itself, or in several processes of one thread each."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sstrain import kernels
from sstrain.comparison.cell import CellRunner
from sstrain.comparison.folder import ComparisonFolder
from sstrain.comparison.grid import Cell, cells
from sstrain.comparison.shared_data import map_splits
from sstrain.errors import FailureError, UserError

if TYPE_CHECKING:
    from sstrain.comparison.progress import GridProgress
    from sstrain.comparison.records import CellRecord
    from sstrain.training.signals import StopRequest

__all__ = ["Stopped", "run_here", "run_in_processes"]

#: Between two messages of a worker, in seconds.
_TELL_EVERY = 0.2
#: Libraries that would start threads of their own.
_ONE_THREAD = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Keep = Callable[[Cell, "CellRecord"], None]


class Stopped(Exception):
    """A signal has asked the comparison to stop."""


def run_here(
    runner: CellRunner,
    todo: Sequence[Cell],
    keep: Keep,
    progress: "GridProgress",
    request: "StopRequest",
) -> None:
    """Run cells one after another.

    Raises
    ------
    Stopped
        After a signal; the cell that was on its way is lost.
    """
    for cell in todo:

        def tell(examples: int, cell: Cell = cell) -> None:
            if request.signal_number is not None:
                raise Stopped
            progress.advance(cell, examples)

        progress.begin(cell)
        record = runner.run(cell, tell)
        keep(cell, record)
        progress.finish(cell, record)


def run_in_processes(
    folder: ComparisonFolder,
    todo: Sequence[Cell],
    workers: int,
    keep: Keep,
    progress: "GridProgress",
    request: "StopRequest",
) -> None:
    """Run cells in processes that map the data which the folder holds.

    Raises
    ------
    Stopped
        After a signal; the cells that were on their way are lost.
    FailureError, UserError
        What a worker failed with.
    """
    left = list(todo)
    with _started(folder.path, min(workers, len(todo))) as connections:
        busy: dict[Connection, Cell] = {}
        idle = list(connections)
        while left or busy:
            while left and idle:
                connection, cell = idle.pop(), left.pop(0)
                connection.send(cell.number)
                busy[connection] = cell
                progress.begin(cell)
            for ready in wait(list(busy), timeout=_TELL_EVERY):
                assert isinstance(ready, Connection)
                if _receive(ready, busy[ready], keep, progress, folder):
                    del busy[ready]
                    idle.append(ready)
            if request.signal_number is not None:
                raise Stopped


def _receive(
    connection: Connection,
    cell: Cell,
    keep: Keep,
    progress: "GridProgress",
    folder: ComparisonFolder,
) -> bool:
    """Take in one message of a worker; return whether its cell has been run."""
    try:
        kind, value = connection.recv()
    except EOFError:
        raise FailureError(
            f"{cell}: its process died; was it killed, for want of memory? "
            f"give fewer workers, and go on with --resume"
        ) from None
    if kind == "advance":
        progress.advance(cell, value)
        return False
    if kind == "mistake":
        raise UserError(*value)
    if kind == "failure":
        raise FailureError(f"{cell}: {value}")
    record = folder.load(cell)
    assert record is not None
    keep(cell, record)
    progress.finish(cell, record)
    return True


@contextmanager
def _started(folder: Path, count: int) -> Iterator[list[Connection]]:
    """Start workers, each at the other end of a connection; stop them in any case."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(count)]
    processes = [
        context.Process(target=_work, args=(str(folder), theirs), daemon=True)
        for _, theirs in pipes
    ]
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    try:
        os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
        for process in processes:
            process.start()
        for _, theirs in pipes:
            theirs.close()
        yield [ours for ours, _ in pipes]
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        for process in processes:
            if process.pid is not None:
                process.kill()
                process.join()


def _work(folder: str, connection: Connection) -> None:
    """Run the cells whose numbers come, until the other side is gone."""
    from sstrain.config.comparison_loading import load_comparison

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    output = ComparisonFolder(Path(folder))
    comparison = load_comparison(output.config)
    kernels.use_threads(1)
    runner = CellRunner(comparison, map_splits(output.data))
    grid = cells(comparison)
    try:
        while True:
            cell = grid[connection.recv()]
            output.save(cell, runner.run(cell, _Teller(connection)))
            connection.send(("done", None))
    except (EOFError, BrokenPipeError):
        return
    except UserError as error:
        connection.send(("mistake", error.messages))
    except (FailureError, MemoryError) as error:
        connection.send(("failure", str(error) or "not enough memory"))


class _Teller:
    """Sends what a cell tells, a few times a second."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sent = time.monotonic()
        self._examples = 0

    def __call__(self, examples: int) -> Any:
        self._examples += examples
        now = time.monotonic()
        if now - self._sent >= _TELL_EVERY:
            self._connection.send(("advance", self._examples))
            self._sent, self._examples = now, 0
