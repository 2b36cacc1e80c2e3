"""What a person sees while a run trains: a bar on a terminal, lines elsewhere."""

import sys
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Never, Self

from sstrain.training.clocks import clocks

__all__ = ["Progress"]


class Progress:
    """Shows examples a second, loss and time left on stderr.

    Parameters
    ----------
    total : int
        Examples of the whole run.
    initial : int
        Examples that were seen before a resume.
    report : callable
        Takes a line where stderr is no terminal.
    """

    def __init__(self, total: int, initial: int, report: Callable[[str], None]) -> None:
        from tqdm import tqdm

        self.total = total
        self._seen = self._logged = initial
        self._report = report
        self._logged_at = clocks().wall
        self._bar: tqdm[Never] | None = None
        if sys.stderr.isatty():
            self._bar = tqdm(
                total=total, initial=initial, unit="ex", unit_scale=True, dynamic_ncols=True
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, examples: int) -> None:
        """Take in a step."""
        self._seen += examples
        if self._bar is not None:
            self._bar.update(examples)

    def log(self, epoch: float, step: int, loss: float, rate: float) -> None:
        """Show a mean loss: beside the bar, or as a line where there is none."""
        if self._bar is not None:
            self._bar.set_postfix_str(f"epoch {epoch:.2f}, loss {loss:.3f}", refresh=False)
            return
        now = clocks().wall
        speed = max(self._seen - self._logged, 1) / max(now - self._logged_at, 1e-9)
        self._logged, self._logged_at = self._seen, now
        left = timedelta(seconds=round((self.total - self._seen) / speed))
        self._report(
            f"epoch {epoch:.2f}, step {step:,}: loss {loss:.3f}, rate {rate:.3g}, "
            f"{speed:,.0f} examples/s, {left} left"
        )

    def restart_clock(self) -> None:
        """Leave what has passed since the last line out of the speed: it was no training."""
        self._logged, self._logged_at = self._seen, clocks().wall

    def say(self, text: str) -> None:
        """Show a line, above the bar if there is one."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            self._report(text)
