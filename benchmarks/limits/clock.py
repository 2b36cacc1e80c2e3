"""The time that a step spends in each of its parts and in each kernel."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import update_wrapper
from typing import Any

from numba import njit

from sstrain import kernels

__all__ = ["Clock", "TimedPart", "timed_kernels"]

_KERNELS = "kernels."


@njit
def _nothing(*arguments: Any) -> None:
    """Take what a kernel takes, and do nothing."""


class Clock:
    """Adds up, by name, the time spent in the functions that it was put around.

    Attributes
    ----------
    seconds : dict of str to float
    calls : dict of str to int
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: defaultdict[str, int] = defaultdict(int)
        self._arguments: dict[str, tuple[Any, ...]] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function with the time of its calls added to those under a name."""
        seconds, calls, last, now = self.seconds, self.calls, self._arguments, time.perf_counter

        def wrapper(*arguments: Any, **keywords: Any) -> Any:
            start = now()
            result = function(*arguments, **keywords)
            seconds[name] += now() - start
            calls[name] += 1
            last[name] = arguments
            return result

        return wrapper

    def reset(self) -> None:
        """Begin again at 0."""
        self.seconds.clear()
        self.calls.clear()

    @property
    def kernel_seconds(self) -> dict[str, float]:
        """The time of each kernel; none runs within another's."""
        return {name: spent for name, spent in self.seconds.items() if name.startswith(_KERNELS)}

    def passing_seconds(self) -> float:
        """Return the time that it took to pass the kernels' arguments to compiled code.

        It is measured with what each of them took last and a kernel that does nothing.
        """
        total = 0.0
        for name in self.kernel_seconds:
            arguments = self._arguments[name]
            _nothing(*arguments)
            start = time.perf_counter()
            for _ in range(100):
                _nothing(*arguments)
            total += (time.perf_counter() - start) / 100 * self.calls[name]
        return total


class TimedPart:
    """Stands for a part of a step, with the time of each of its methods taken."""

    def __init__(self, name: str, part: Any, clock: Clock) -> None:
        self._name, self._part, self._clock = name, part, clock

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if callable(found):
            found = self._clock.timed(f"{self._name}.{name}", found)
            vars(self)[name] = found
        return found


@contextmanager
def timed_kernels(clock: Clock) -> Iterator[None]:
    """Take the time of every kernel that is called as ``kernels.name(...)`` meanwhile."""
    space = vars(kernels)
    before = dict(space)
    for name in dir(kernels):
        function = getattr(kernels, name)
        if hasattr(function, "py_func"):
            timed = clock.timed(_KERNELS + name, function)
            space[name] = update_wrapper(timed, function.py_func)
    try:
        yield
    finally:
        for name in dir(kernels):
            if name in before:
                space[name] = before[name]
            else:
                space.pop(name, None)
