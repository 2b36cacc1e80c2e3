"""How many threads the parallel kernels use; results never depend on it."""

import numba
from numba import config as numba_config

__all__ = ["use_threads"]


def use_threads(wanted: int | None) -> int:
    """Set the number of threads and return it: at most one a core; None for all cores."""
    most = int(numba_config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    count = most if wanted is None else min(wanted, most)
    numba.set_num_threads(count)
    return count
