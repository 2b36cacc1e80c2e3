"""The clocks of training, which stand still while kernels compile."""

import time
from typing import NamedTuple

from sstrain import kernels

__all__ = ["Clocks", "clocks"]


class Clocks(NamedTuple):
    """Seconds since some moment: differences are what counts."""

    wall: float
    cpu: float


def clocks() -> Clocks:
    """Return the wall and the CPU time of this process, without what compiling has taken."""
    compiling = kernels.compilation_time()
    return Clocks(
        time.monotonic() - compiling.wall_seconds, time.process_time() - compiling.cpu_seconds
    )
