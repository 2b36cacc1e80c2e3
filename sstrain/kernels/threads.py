"""How many threads the parallel kernels use; results never depend on it."""

from functools import cache

import numba
from numba import config as numba_config

__all__ = ["blas_on_one_thread", "use_threads"]


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
