"""Cells run in the process itself, or in several processes of one thread each."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING

from sstrain import kernels
from sstrain.comparison.cell import CellRunner
from sstrain.comparison.folder import ComparisonFolder
from sstrain.comparison.grid import Cell, cells
from sstrain.comparison.shared_data import map_splits
from sstrain.errors import FailureError, UserError
from sstrain.training.warm_start import open_source

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
    with _started(folder.path, min(workers, len(todo))) as idle:
        busy: dict[Connection, tuple[_Worker, Cell]] = {}
        while left or busy:
            while left and idle:
                worker, cell = idle.pop(), left.pop(0)
                worker.send(cell.number)
                busy[worker.connection] = worker, cell
                progress.begin(cell)
            for ready in wait(list(busy), timeout=_TELL_EVERY):
                assert isinstance(ready, Connection)
                if _receive(*busy[ready], keep, progress, request):
                    idle.append(busy.pop(ready)[0])
            if request.signal_number is not None:
                raise Stopped


def _receive(
    worker: "_Worker", cell: Cell, keep: Keep, progress: "GridProgress", request: "StopRequest"
) -> bool:
    """Take in one message of a worker; return whether its cell has been run."""
    try:
        kind, value = worker.connection.recv()
    except (EOFError, OSError):
        # A signal to the whole group may reach the workers first.
        if request.signal_number is not None:
            raise Stopped from None
        raise FailureError(f"{cell}: {worker.death()}; --resume goes on") from None
    if kind == "advance":
        progress.advance(cell, value)
        return False
    if kind == "line":
        progress.say_once(value)
        return False
    if kind == "mistake":
        raise UserError(*value)
    if kind == "failure":
        raise FailureError(f"{cell}: {value}; --resume goes on")
    keep(cell, value)
    progress.finish(cell, value)
    return True


class _Worker:
    """A process that runs the cells whose numbers it is sent."""

    def __init__(self, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(str(folder), theirs), daemon=True)
        self._process.start()
        theirs.close()

    def send(self, number: int) -> None:
        """Have a cell run; a process that has died shows at the next message from it."""
        with suppress(OSError):
            self.connection.send(number)

    def death(self) -> str:
        """Return in words how the process ended."""
        self._process.join(timeout=10)
        code = self._process.exitcode
        if code == -signal.SIGKILL:
            return "its process was killed, perhaps for want of memory; give fewer workers"
        return f"its process died with exit code {code}"

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()


@contextmanager
def _started(folder: Path, count: int) -> Iterator[list[_Worker]]:
    """Start workers; stop them in any case."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    workers: list[_Worker] = []
    # Children inherit the mask: a signal to the whole group is the parent's to answer.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
        workers += [_Worker(folder) for _ in range(count)]
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        yield list(workers)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        for worker in workers:
            worker.stop()


def _work(folder: str, connection: Connection) -> None:
    """Run the cells whose numbers come, until the other side is gone."""
    try:
        kernels.tell_compilation(lambda line: connection.send(("line", line)))
        runner, grid = _runner(Path(folder))
        while True:
            cell = grid[connection.recv()]
            connection.send(("done", runner.run(cell, _Teller(connection))))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except UserError as error:
        connection.send(("mistake", error.messages))
    except Exception as error:
        # Told in one line by the parent, which knows the cell.
        connection.send(("failure", str(error) or type(error).__name__))


def _runner(folder: Path) -> tuple[CellRunner, list[Cell]]:
    from sstrain.config.comparison_loading import load_comparison

    output = ComparisonFolder(folder)
    comparison = load_comparison(output.config)
    kernels.use_threads(1)
    splits = map_splits(output.data)
    source = open_source(comparison.base.model, None)
    start = None if source is None else source.load(splits.vocabulary, lambda _: None)
    return CellRunner(comparison, splits, start), cells(comparison)


class _Teller:
    """Sends what a cell tells, a few times a second."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sent = time.monotonic()
        self._examples = 0

    def __call__(self, examples: int) -> None:
        self._examples += examples
        now = time.monotonic()
        if now - self._sent >= _TELL_EVERY:
            self._connection.send(("advance", self._examples))
            self._sent, self._examples = now, 0
