"""Arrays that a loop uses again at every step."""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["Buffers", "aligned_zeros"]

#: Bytes.
_CACHE_LINE = 64


def aligned_zeros(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return zeros that begin at a cache line."""
    kind = np.dtype(dtype)
    size = math.prod(shape) * kind.itemsize
    content = np.zeros(size + _CACHE_LINE, np.uint8)
    start = -content.ctypes.data % _CACHE_LINE
    return content[start : start + size].view(kind).reshape(shape)


class Buffers:
    """Named scratch arrays, made when first asked for and enlarged when too small."""

    def __init__(self) -> None:
        self._flat: dict[str, NDArray[np.generic]] = {}
        self._last: dict[str, tuple[tuple[int, ...], DTypeLike, NDArray[np.generic]]] = {}

    def get(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[np.generic]:
        """Return a C-contiguous array of the shape; what it holds is not defined."""
        last = self._last.get(name)
        if last is not None and last[0] == shape and last[1] is dtype:
            return last[2]  # most shapes are those of the step before
        size = math.prod(shape)
        flat = self._flat.get(name)
        if flat is None or flat.size < size or flat.dtype != dtype:
            flat = aligned_zeros((size if flat is None else max(size, 5 * size // 4),), dtype)
            self._flat[name] = flat
        view = flat[:size].reshape(shape)
        self._last[name] = shape, dtype, view
        return view

    def float32(self, name: str, *shape: int) -> NDArray[np.float32]:
        """Return a float32 array."""
        return self.get(name, shape, np.float32)  # type: ignore[return-value]

    def float64(self, name: str, *shape: int) -> NDArray[np.float64]:
        """Return a float64 array."""
        return self.get(name, shape, np.float64)  # type: ignore[return-value]

    def int32(self, name: str, *shape: int) -> NDArray[np.int32]:
        """Return an int32 array."""
        return self.get(name, shape, np.int32)  # type: ignore[return-value]

    def int64(self, name: str, *shape: int) -> NDArray[np.int64]:
        """Return an int64 array."""
        return self.get(name, shape, np.int64)  # type: ignore[return-value]

    def uint32(self, name: str, *shape: int) -> NDArray[np.uint32]:
        """Return a uint32 array."""
        return self.get(name, shape, np.uint32)  # type: ignore[return-value]
