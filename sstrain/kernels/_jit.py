"""The one place that configures numba: the cache, the flags, the threads."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import config as numba_config

__all__ = ["inline", "kernel", "parallel_kernel"]

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: Sums may be reassociated, so that they vectorise; non-finite values keep their meaning.
_FASTMATH = {"reassoc", "contract", "nsz", "arcp"}


def _cache_folder() -> str:
    """Return a folder named by the kernels' sources: numba's own cache misses changed helpers."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sstrain"
    try:
        base.mkdir(parents=True, exist_ok=True)
        if not os.access(base, os.W_OK):
            raise OSError
    except OSError:
        base = Path(tempfile.gettempdir()) / f"sstrain-{os.getuid()}"
    return str(base / f"kernels-{digest.hexdigest()[:16]}")


if not os.environ.get("NUMBA_CACHE_DIR"):
    numba_config.CACHE_DIR = _cache_folder()


def kernel(function: _Function) -> _Function:
    """Compile a serial kernel that releases the GIL; the machine code is cached on disk."""
    compiled = numba.njit(cache=True, nogil=True, fastmath=_FASTMATH, error_model="numpy")
    return cast(_Function, compiled(function))


def parallel_kernel(function: _Function) -> _Function:
    """Compile a kernel whose ``prange`` loops run on threads; cached on disk."""
    compiled = numba.njit(
        cache=True, nogil=True, parallel=True, fastmath=_FASTMATH, error_model="numpy"
    )
    return cast(_Function, compiled(function))


def inline(function: _Function) -> _Function:
    """Compile a helper of kernels, inlined into each of them."""
    compiled = numba.njit(fastmath=_FASTMATH, error_model="numpy", inline="never")
    return cast(_Function, compiled(function))
