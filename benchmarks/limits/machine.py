"""The rates of this machine: its caches and memory, multiply-adds, exponentials."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from limits import loops
from limits.caches import LEVELS, LINE_BYTES, Caches, find_caches
from limits.measuring import (
    aligned,
    best,
    lines_rate,
    random_rows,
    scattered_lines,
    stream_rate,
)
from limits.vectors import ACCUMULATORS, LOOPS
from sstrain import kernels

__all__ = ["Machine", "Rates", "measure_caches", "measure_machine"]

_LEAST_MEMORY = 1 << 29
#: Bytes of the rows that are gathered at random.
ROW_SIZES = (64, 256, 1024, 4096)
_READING: list[Callable[..., object]] = [loops.read_lines, loops.read_lines_ahead]


class Rates(NamedTuple):
    """What one level moves in a second.

    An update reads and writes in place, and its bytes are counted both ways; a line that is
    updated counts once. Copy and triad are counted as usual, without the reading of what is
    overwritten; no bound uses them.
    """

    read: float
    update: float
    copy: float
    triad: float
    read_lines: float
    update_lines: float


@dataclass(frozen=True)
class Machine:
    """What so many threads can do in a second at most."""

    threads: int
    caches: Caches
    rates: dict[str, Rates]  # by level
    flops_by_lanes: dict[int, float]  # by float32 numbers in a vector
    exponentials: float
    gathered_rows: dict[int, float]  # bytes a second, by the bytes of a row

    @property
    def flops(self) -> float:
        """The multiply-adds' rate, two operations each, with vectors of the best width."""
        return max(self.flops_by_lanes.values())

    def level_of(self, size: float) -> str:
        """Return the first level that can hold so many bytes."""
        for level in LEVELS:
            if size <= self.caches.capacity(level, self.threads):
                return level
        raise AssertionError


def _memory_size(caches: Caches) -> int:
    """Return the bytes of an array of which no cache can hold half."""
    return max(_LEAST_MEMORY, 2 * caches.told)


def measure_caches(seconds: float) -> tuple[Caches, dict[int, float]]:
    """Measure how much of the last cache this machine has, and by what.

    A virtual machine is told the whole cache of a processor that it shares with others. Arrays
    that are larger and larger are read on one thread; the last that is read at a rate nearer to
    that of the fastest than to that of memory fits.

    Returns
    -------
    tuple of Caches and dict
        The rates in bytes a second, by the bytes of the array.
    """
    kernels.use_threads(1)
    caches = find_caches()
    sizes = [2 * caches.L2]
    while sizes[-1] < caches.L3:
        sizes.append(min(2 * sizes[-1], caches.L3))
    sizes.append(_memory_size(caches))
    loops_of_read = list(LOOPS["read"].values())
    rates = {size: stream_rate(loops_of_read, aligned(1, size), seconds) for size in sizes}
    middle = (max(rates.values()) * rates[sizes[-1]]) ** 0.5
    fitting = max(size for size in sizes[:-1] if size == sizes[0] or rates[size] > middle)
    return caches._replace(L3=fitting), rates


def _sizes(level: str, threads: int, caches: Caches) -> list[int]:
    """Return how large the arrays are by which a level is measured.

    A level is faster for what takes a small part of it, and what a step uses may take any: of
    several sizes, none of which the level before can hold, the fastest counts.
    """
    if level == "memory":
        return [_memory_size(caches)]
    before = LEVELS[LEVELS.index(level) - 1]
    least = 8 << 10 if level == "L1" else 2 * caches.capacity(before, threads)
    capacity = int(caches.capacity(level, threads))
    sizes = [capacity // part for part in (2, 8, 32)]
    return [sizes[0], *(size for size in sizes[1:] if size > least)]


def _level_rates(threads: int, level: str, caches: Caches, seconds: float) -> Rates:
    """Measure a level."""
    sizes = _sizes(level, threads, caches)
    found = []
    for size in sizes:
        rows = aligned(threads, size // threads)
        table = rows.reshape(-1)
        part = seconds / len(sizes) / len(Rates._fields)
        num_lines = table.nbytes // LINE_BYTES
        rng = np.random.default_rng(1)
        lists = [random_rows(rng, threads, num_lines, 1), scattered_lines(rng, threads, num_lines)]
        found.append(
            Rates(
                stream_rate(list(LOOPS["read"].values()), rows, part),
                2 * stream_rate(list(LOOPS["update"].values()), rows, part),
                stream_rate([loops.copy], rows, part),
                stream_rate([loops.triad], rows, part),
                lines_rate(_READING, table, lists, part),
                lines_rate([loops.update_lines], table, lists, part),
            )
        )
    return Rates(*(max(column) for column in zip(*found, strict=True)))


def _gathered(threads: int, caches: Caches, seconds: float) -> dict[int, float]:
    """Measure the gathering of random rows out of a table that no cache can hold."""
    table = aligned(1, _memory_size(caches))[0]
    rng = np.random.default_rng(2)
    num_lines = table.nbytes // LINE_BYTES
    found = {}
    for size in ROW_SIZES:
        lines = random_rows(rng, threads, num_lines, size // LINE_BYTES)
        part = seconds / len(ROW_SIZES)
        found[size] = LINE_BYTES * lines_rate(_READING, table, [lines], part)
    return found


def measure_machine(threads: int, caches: Caches, seconds: float) -> Machine:
    """Measure what so many threads can do; the time is for each row of the table."""
    kernels.use_threads(threads)
    rows = aligned(threads, caches.L1 // 2)
    per_turn = threads * ACCUMULATORS * 2
    flops = {
        lanes: per_turn * lanes * best(lambda n, loop=loop: loop(rows, 1000 * n), seconds) * 1000  # type: ignore[misc]
        for lanes, loop in LOOPS["multiply_add"].items()
    }
    exponentials = stream_rate([loops.exponentials], rows, seconds) / 4
    return Machine(
        threads,
        caches,
        {level: _level_rates(threads, level, caches, seconds * 6) for level in LEVELS},
        flops,
        exponentials,
        _gathered(threads, caches, seconds),
    )
