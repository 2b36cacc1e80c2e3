"""The machine: what it is, and whether others are at work on it."""

import os
import platform
from pathlib import Path
from typing import NamedTuple

#: Of one core: others' share of a cell's time from which its row is marked.
BUSY_SHARE = 0.15


class Ticks(NamedTuple):
    """CPU seconds of all cores since the machine started."""

    busy: float
    stolen: float


def ticks(text: str | None = None) -> Ticks:
    """Return those of now, or of the text of /proc/stat."""
    text = Path("/proc/stat").read_text() if text is None else text
    fields = [int(field) for field in text.splitlines()[0].split()[1:9]]
    user, nice, system, _, _, interrupt, soft_interrupt, stolen = fields
    second = os.sysconf("SC_CLK_TCK")
    busy = user + nice + system + interrupt + soft_interrupt
    return Ticks(busy / second, stolen / second)


def others_share(before: Ticks, after: Ticks, own: float, wall: float) -> float:
    """Return the CPU time, in cores, that neither this program nor idling took.

    Parameters
    ----------
    before, after : Ticks
    own : float
        CPU seconds of the measured processes between them.
    wall : float
        Seconds between them.
    """
    others = after.busy - before.busy - own + after.stolen - before.stolen
    return max(0.0, others) / max(wall, 1e-9)


def load_average() -> float:
    """Return that of the last minute."""
    return os.getloadavg()[0]


def processor() -> str:
    """Return the processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def description() -> str:
    """Return one line: processor, cores, memory, system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{processor()}, {cores} cores, {memory:.0f} GiB, {platform.system()}"
