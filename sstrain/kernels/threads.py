"""How many threads the parallel kernels use; results never depend on it."""

import numba
from numba import config as numba_config

from sstrain.kernels._jit import inline, signed

__all__ = ["num_threads", "thread_number", "use_threads"]


def use_threads(wanted: int | None) -> int:
    """Set the number of threads and return it: at most one a core; None for all cores."""
    most = int(numba_config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    count = most if wanted is None else min(wanted, most)
    numba.set_num_threads(count)
    return count


def num_threads() -> int:
    """Return the number of threads that parallel kernels use."""
    return int(numba.get_num_threads())


@inline
def thread_number() -> int:
    """Return which thread a kernel's loop runs on, below `num_threads`: for scratch alone."""
    return signed(numba.get_thread_id())  # type: ignore[attr-defined]
