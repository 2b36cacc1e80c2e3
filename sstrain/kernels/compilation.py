"""Compilation told apart: a person hears of it when it begins, and no time of training holds it."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from numba.core import event

__all__ = ["CompilationTime", "compilation_time", "tell_compilation", "watch_compilation"]

_MESSAGE = (
    "compiling kernels, once for this installation and configuration: it can take half a minute"
)


class CompilationTime(NamedTuple):
    """What compiling took in this process so far."""

    wall_seconds: float
    cpu_seconds: float


class _Watch(event.Listener):
    """Follows numba as it compiles; what it finds in its cache is no event.

    A helper is compiled within the kernel that calls it: the outermost one counts. One thread
    compiles at a time.
    """

    def __init__(self) -> None:
        self.spent = CompilationTime(0.0, 0.0)
        self.report: Callable[[str], None] | None = None
        self._told = False
        self._depth = 0
        self._start = self.spent

    def on_start(self, event: Any) -> None:
        """Take in that a function is about to be compiled."""
        if not self._depth:
            if self.report is not None and not self._told:
                self.report(_MESSAGE)
                self._told = True
            self._start = _now()
        self._depth += 1

    def on_end(self, event: Any) -> None:
        """Take in that it is compiled, or cannot be."""
        self._depth -= 1
        if not self._depth:
            end = _now()
            self.spent = CompilationTime(
                self.spent.wall_seconds + end.wall_seconds - self._start.wall_seconds,
                self.spent.cpu_seconds + end.cpu_seconds - self._start.cpu_seconds,
            )


_WATCH = _Watch()


def _now() -> CompilationTime:
    return CompilationTime(time.monotonic(), time.thread_time())


def watch_compilation() -> None:
    """Follow what is compiled from now on."""
    event.register("numba:compile", _WATCH)  # type: ignore[no-untyped-call]


def compilation_time() -> CompilationTime:
    """Return what compiling took in this process so far; nothing if all kernels were cached."""
    return _WATCH.spent


def tell_compilation(report: Callable[[str], None]) -> None:
    """Have it told when the first kernel of this process is compiled; never if all are cached.

    Parameters
    ----------
    report : callable
        Takes a line for a person to read; stands in the place of the one given before.
    """
    _WATCH.report = report
