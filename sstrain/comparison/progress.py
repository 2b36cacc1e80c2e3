"""What a person sees while a comparison runs: bars on a terminal, a line a cell elsewhere."""

import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Never, Self

if TYPE_CHECKING:
    from sstrain.comparison.grid import Cell
    from sstrain.comparison.records import CellRecord

__all__ = ["GridProgress"]

_BAR = "all cells {percentage:3.0f}%|{bar}| {elapsed} so far, {remaining} left{postfix}"


class GridProgress:
    """Shows the cell, examples a second, and the time left for all cells.

    Parameters
    ----------
    expected : mapping of Cell to float
        The cells to be run, each with the work expected: examples (or seconds) times about how
        long one takes. Time left is for all, since cells may take very different times.
    budget_examples : int or None
        Examples of a cell; None if the budget is in seconds.
    report : callable
        Takes a line where stderr is no terminal.
    """

    def __init__(
        self,
        expected: "Mapping[Cell, float]",
        budget_examples: int | None,
        report: Callable[[str], None],
    ) -> None:
        from tqdm import tqdm

        self._expected = expected
        self._examples = budget_examples
        self._report = report
        self._start = time.monotonic()
        self._done = 0.0
        self._finished = 0
        self._said: set[str] = set()
        self._seen: dict[Cell, int] = {}
        self._outer: tqdm[Never] | None = None
        #: A bar for each cell that is on its way.
        self._inner: dict[Cell, tqdm[Never]] = {}
        if sys.stderr.isatty():
            self._outer = tqdm(
                total=sum(expected.values()), dynamic_ncols=True, position=0, bar_format=_BAR
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for bar in (*self._inner.values(), self._outer):
            if bar is not None:
                bar.close()

    def begin(self, cell: "Cell") -> None:
        """Take in that a cell starts."""
        self._seen[cell] = 0
        if self._outer is not None:
            from tqdm import tqdm

            taken = {-bar.pos for bar in self._inner.values()}
            self._inner[cell] = tqdm(
                desc=str(cell),
                total=self._examples,
                unit="ex",
                unit_scale=True,
                dynamic_ncols=True,
                leave=False,
                position=min(set(range(1, len(taken) + 2)) - taken),
            )

    def advance(self, cell: "Cell", examples: int) -> None:
        """Take in the examples of some steps of a cell."""
        self._seen[cell] += examples
        if self._examples is not None:
            self._take(self._expected[cell] * examples / self._examples)
        if cell in self._inner:
            self._inner[cell].update(examples)

    def finish(self, cell: "Cell", record: "CellRecord") -> None:
        """Take in that a cell has been run."""
        left = self._expected[cell]
        if self._examples is not None:
            left *= max(0.0, 1 - self._seen[cell] / self._examples)
        self._take(left)
        self._finished += 1
        if self._outer is not None:
            self._inner.pop(cell).close()
            self._outer.set_postfix_str(f"{self._finished} of {len(self._expected)} cells")
        self._say(self._line(cell, record))

    def say_once(self, line: str) -> None:
        """Show a line, the first time that it comes: several processes may tell the same."""
        if line not in self._said:
            self._said.add(line)
            self._say(line)

    def _say(self, line: str) -> None:
        if self._outer is not None:
            self._outer.write(line, file=sys.stderr)  # above the bars
        else:
            self._report(line)

    def _take(self, work: float) -> None:
        self._done += work
        if self._outer is not None:
            self._outer.update(work)

    def _line(self, cell: "Cell", record: "CellRecord") -> str:
        elapsed = time.monotonic() - self._start
        share = self._done / sum(self._expected.values())
        left = timedelta(seconds=round(elapsed / max(share, 1e-9) - elapsed))
        outcome = record.reason
        if record.status == "finished":
            results = record.results
            speed = results["examples"] / max(results["wall_seconds"], 1e-9)
            log_loss = f"validation log-loss {results['log_loss']:.4f}"
            outcome = f"{log_loss}, {speed:,.0f} examples/s"
        counted = f"{self._finished}/{len(self._expected)}"
        return f"{counted} {cell}: {record.status}, {outcome}; {left} left for all"
