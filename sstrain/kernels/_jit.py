"""The one place that configures numba: its cache, its flags, dispatch by type."""

import hashlib
import inspect
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any, Protocol, TypeVar, cast

import numba
import numpy as np
from numba import config as numba_config
from numba.extending import overload
from numba.np import linalg as numba_linalg

from sstrain.kernels.compilation import watch_compilation

__all__ = [
    "CHECKED",
    "FLAGS",
    "dispatched",
    "finite",
    "inline",
    "kernel",
    "outlined",
    "parallel_kernel",
    "precise",
    "signed",
    "unsigned",
]

_Function = TypeVar("_Function", bound=Callable[..., Any])

# Sums may be reassociated, so that they vectorise. Neither nnan nor ninf: kernels look for
# non-finite values.
FLAGS: dict[str, Any] = {
    "fastmath": {"reassoc", "contract", "nsz", "arcp"},
    "error_model": "numpy",
}

#: Whether an index out of bounds raises IndexError (``NUMBA_BOUNDSCHECK=1``); else it is silent.
CHECKED = bool(numba_config.BOUNDSCHECK)  # type: ignore[attr-defined]


def _cache_folder() -> str:
    """Return a folder named by the kernels' sources, and by whether indices are checked.

    Numba renews a cached kernel when its own file changes, not when a helper in another file
    does, and it takes code without checks for code with them; a folder for each closes both gaps.
    """
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sstrain"
    try:
        base.mkdir(parents=True, exist_ok=True)
        writable = os.access(base, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        # A folder of this process alone: code that others could have put there is never loaded.
        base = Path(tempfile.mkdtemp(prefix="sstrain-"))
    return str(base / f"kernels-{digest.hexdigest()[:16]}{'-checked' if CHECKED else ''}")


# OpenMP threads that wait spin for 60 to 150 us: longer than Python and one thread's kernels take
# between the parallel ones of a step, for to wake a thread that sleeps takes some 30 us. Not the
# milliseconds of the default: where the machine has other work, each spin is taken from it or from
# the step. A spin is one PAUSE instruction, up to 140 cycles. Read when the library loads.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")


if not os.environ.get("NUMBA_CACHE_DIR"):
    numba_config.CACHE_DIR = _cache_folder()  # type: ignore[attr-defined]

watch_compilation()


def _no_blas() -> None:
    raise ImportError("no kernel multiplies by BLAS")


if getattr(sys.modules.get("sstrain.cli"), "is_running", False):
    # Numba loads scipy's linear algebra for the sake of `np.dot`, which takes a third of a second
    # and which no kernel calls. In a process that is not a command of ours others may call it.
    numba_linalg.ensure_blas = _no_blas


def kernel(function: _Function) -> _Function:
    """Compile a serial kernel that releases the GIL; its machine code is cached on disk."""
    return cast(_Function, numba.njit(cache=True, nogil=True, **FLAGS)(function))


def parallel_kernel(function: _Function) -> _Function:
    """Compile a kernel whose ``prange`` loops run on threads; cached on disk.

    Where indices are checked it is serial: what a thread raises would be lost.
    """
    flags = {**FLAGS, "parallel": not CHECKED}
    return cast(_Function, numba.njit(cache=True, nogil=True, **flags)(function))


def inline(function: _Function) -> _Function:
    """Compile a helper that LLVM puts into the kernels that call it.

    A call that remains would count a reference to each array up and down again, atomically.
    """
    return cast(_Function, numba.njit(forceinline=True, **FLAGS)(function))


def outlined(function: _Function) -> _Function:
    """Compile a helper that stays a function of its own if it is large, for what is rarely called.

    A helper that is put into its callers is compiled again in each of them.
    """
    return cast(_Function, numba.njit(**FLAGS)(function))


def precise(function: _Function) -> _Function:
    """Compile a helper whose sums are not reassociated."""
    return cast(_Function, numba.njit(fastmath={"contract"}, error_model="numpy")(function))


@inline
def signed(index: int) -> int:
    """Return an integer of any type as an int64.

    The index of a ``prange`` is unsigned, and mixes to float64; a constant has a type of its own.
    """
    return np.int64(index)  # type: ignore[return-value]


@inline
def unsigned(index: int) -> int:
    """Return an index that is not negative, as numba cannot tell by itself.

    A negative index counts from an array's end. Where an index may be one, each access has to see
    to that, and the loop around it is not turned into vector code.
    """
    return np.uint64(index)  # type: ignore[return-value]


@precise
def finite(x: float) -> bool:
    """Whether a number is finite: ``np.isfinite`` subtracts, which reassociation can undo."""
    return abs(x) < np.inf


class Dispatched(Protocol):
    """A function whose implementation the type of its first argument selects."""

    table: dict[type, Callable[..., Any]]

    def register(self, first: type, implementation: Callable[..., Any], /) -> None:
        """Add the implementation for one type."""

    def __call__(self, *arguments: Any) -> Any:
        """Call the implementation (interpreted)."""


def dispatched(generic: Callable[..., Any]) -> Dispatched:
    """Let kernels call a function whose implementation the type of its first argument selects.

    The first argument is a NamedTuple; ``generic.register(Type, implementation)`` adds one. A
    kernel that takes a compiled function as an argument never hits the cache on disk; one that
    dispatches on a type does.
    """
    table: dict[type, Callable[..., Any]] = {}

    def select(*arguments: Any) -> Callable[..., Any]:
        return _unannotated(table[arguments[0].instance_class])

    select.__signature__ = inspect.signature(_unannotated(generic))  # type: ignore[attr-defined]
    options: Any = {**FLAGS, "forceinline": True}
    overload(generic, jit_options=options)(select)
    generic.__dict__["register"] = table.__setitem__
    generic.__dict__["table"] = table
    return cast(Dispatched, generic)


def _unannotated(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function without annotations, which numba would compare literally."""
    return FunctionType(function.__code__, function.__globals__, function.__name__)
