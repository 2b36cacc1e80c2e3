"""How many threads the parallel kernels use; results never depend on it."""

from functools import cache

import numba
from numba import config as numba_config

from sstrain.kernels._jit import inline, signed

__all__ = ["blas_on_one_thread", "num_threads", "thread_number", "use_threads"]


def use_threads(wanted: int | None) -> int:
    """Set the number of threads and return it: at most one a core; None for all cores."""
    most = int(numba_config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    count = most if wanted is None else min(wanted, most)
    numba.set_num_threads(count)
    return count


@cache
def blas_on_one_thread() -> None:
    """Keep matrix products on the thread that asks for them, in this process from now on.

    Kernels call them from tiles that are on threads already; and how BLAS shares a product among
    threads can change its last bits.
    """
    # numba takes its BLAS from scipy, and a limit reaches libraries that are loaded.
    import scipy.linalg.cython_blas  # noqa: F401
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, "blas")


def num_threads() -> int:
    """Return the number of threads that parallel kernels use."""
    return int(numba.get_num_threads())


@inline
def thread_number() -> int:
    """Return which thread a kernel's loop runs on, below `num_threads`: for scratch alone."""
    return signed(numba.get_thread_id())  # type: ignore[attr-defined]
