"""How fast a loop runs, over arrays of a given size and over lines in a given order."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from limits.caches import LINE_BYTES
from limits.vectors import Loop

__all__ = ["aligned", "best", "lines_rate", "random_rows", "scattered_lines", "stream_rate"]

#: Lines that a thread visits at a time; their numbers, read in order, are few bytes beside them.
_VISITS = 1 << 20
#: Lines of a row of weights among which a sampled step's are scattered.
_ROW_LINES = 512


def aligned(threads: int, size: int) -> NDArray[np.float32]:
    """Return an array [threads, size / 4] whose rows begin with a line of the cache."""
    width = max(size // LINE_BYTES, 1) * LINE_BYTES // 4
    flat = np.zeros(threads * width + LINE_BYTES // 4, np.float32)
    first = -flat.ctypes.data % LINE_BYTES // 4
    rows = flat[first : first + threads * width].reshape(threads, width)
    rows[:] = 1e-3
    return rows


def best(action: Callable[[int], object], seconds: float) -> float:
    """Return how often an action can run in a second: the best of five stretches."""
    repeats, spent = 1, 0.0
    action(1)
    while spent < seconds / 10:
        start = time.perf_counter()
        action(repeats)
        spent = time.perf_counter() - start
        repeats *= 2
    repeats = max(1, round(seconds / 5 * (repeats / 2) / spent))
    most = 0.0
    for _ in range(5):
        start = time.perf_counter()
        action(repeats)
        most = max(most, repeats / (time.perf_counter() - start))
    return most


def stream_rate(functions: list[Loop], rows: NDArray[np.float32], seconds: float) -> float:
    """Return how many bytes of an array the fastest of some loops passes over in a second."""
    each = seconds / len(functions)
    return max(
        rows.nbytes * best(lambda n, loop=loop: loop(rows, n), each)  # type: ignore[misc]
        for loop in functions
    )


def lines_rate(
    functions: list[Callable[..., object]],
    table: NDArray[np.float32],
    lists: list[NDArray[np.int32]],
    seconds: float,
) -> float:
    """Return how many listed lines a second the fastest of some loops visits in the best list."""

    def visits(function: Callable[..., object], lines: NDArray[np.int32]) -> float:
        def visit(times: int) -> None:
            for _ in range(times):
                function(table, lines)

        return lines.size * best(visit, seconds / len(functions) / len(lists))

    return max(visits(function, lines) for function in functions for lines in lists)


def random_rows(
    rng: np.random.Generator, threads: int, num_lines: int, row_lines: int
) -> NDArray[np.int32]:
    """List the lines of rows at random places of each thread's part of a table."""
    part = num_lines // threads
    row_lines = min(row_lines, part)
    first = rng.integers(0, part // row_lines, (threads, _VISITS // row_lines, 1)) * row_lines
    return _in_parts(first + np.arange(row_lines), part)


def _in_parts(lines: NDArray[np.int64], part: int) -> NDArray[np.int32]:
    """Return each thread's lines as those of a table of which it has one part."""
    threads = len(lines)
    return (lines.reshape(threads, -1) + part * np.arange(threads)[:, None]).astype(np.int32)


def scattered_lines(rng: np.random.Generator, threads: int, num_lines: int) -> NDArray[np.int32]:
    """List a tenth of the lines of rows at random places, in ascending order in each row."""
    part = num_lines // threads
    row_lines = min(_ROW_LINES, part)
    number = max(row_lines // 10, 1)
    shape = (threads, _VISITS // number, number)
    first = rng.integers(0, part // row_lines, (*shape[:2], 1)) * row_lines
    return _in_parts(first + np.sort(rng.integers(0, row_lines, shape), axis=2), part)
