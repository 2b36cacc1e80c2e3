"""The header of a safetensors file: made, and read with distrust.

A file is 8 bytes with the header's length N (little endian), N bytes of JSON that give each
tensor's name, type, shape and place, and then the tensors' bytes without a gap.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sstrain.errors import UserError

__all__ = ["Entry", "make_header", "read_header"]

#: As the safetensors library has it: no header of ours comes near.
_MAX_HEADER = 100_000_000
#: As numpy has it.
_MAX_DIMENSIONS = 64

_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("u1"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
#: A type that numpy knows from `ml_dtypes` alone, which is loaded where one is read.
_BFLOAT16 = "BF16"


@dataclass(frozen=True)
class Entry:
    """Where a tensor stands in a file, in bytes from its start."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    end: int


def _dtype_of(name: Any) -> np.dtype[Any] | None:
    """Return the type that a header names, or None."""
    if name == _BFLOAT16:
        from ml_dtypes import bfloat16

        found: np.dtype[Any] = np.dtype(bfloat16)
        return found
    return _DTYPES.get(name) if isinstance(name, str) else None


def _name_of(dtype: np.dtype[Any]) -> str | None:
    """Return a type's name in a header, or None if it has none."""
    return _BFLOAT16 if dtype.name == "bfloat16" else _NAMES.get(dtype)


def make_header(
    layout: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]],
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Return a file's bytes up to its first tensor.

    Parameters
    ----------
    layout : mapping of str to (dtype, shape)
        The tensors in the order in which they will stand.
    metadata : mapping of str to str, optional
        Kept beside them.

    Raises
    ------
    ValueError
        If a type or a name has no place in a file.
    """
    header: dict[str, Any] = {}
    if metadata:
        header["__metadata__"] = dict(sorted(metadata.items()))
    end = 0
    for name, (dtype, shape) in layout.items():
        dtype_name = _name_of(dtype)
        if name == "__metadata__" or dtype_name is None:
            raise ValueError(f"tensor {name!r} of type {dtype} cannot be written")
        start, end = end, end + math.prod(shape) * dtype.itemsize
        header[name] = {
            "dtype": dtype_name,
            "shape": list(shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def read_header(path: Path) -> dict[str, Entry]:
    """Read and check where a file's tensors stand.

    The file may come from anyone: what this returns lies inside it, without overlap or gap.

    Raises
    ------
    UserError
        If the file cannot be read, or is not a whole safetensors file of types known here.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or not 2 <= length <= min(_MAX_HEADER, size - 8):
                raise UserError(f"{path}: damaged: it does not begin as a safetensors file")
            text = file.read(length)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return _parsed(text, 8 + length, size)
    except (ValueError, RecursionError) as error:
        reason = error if isinstance(error, _HeaderError) else "its header is no JSON"
        raise UserError(f"{path}: damaged: {reason}") from error


class _HeaderError(ValueError):
    """What is wrong with a header."""


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _HeaderError("its header names something twice")
    return dict(pairs)


def _parsed(text: bytes, data_start: int, size: int) -> dict[str, Entry]:
    header = json.loads(text.decode("utf-8"), object_pairs_hook=_without_repeats)
    if not isinstance(header, dict) or not text.startswith(b"{"):
        raise _HeaderError("its header is no JSON object")
    header.pop("__metadata__", None)
    entries = {name: _entry(name, value, data_start) for name, value in header.items()}
    end = data_start
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].end)):
        if entry.start != end:
            raise _HeaderError(f"tensor {name!r} does not begin where the one before it ends")
        end = entry.end
    if end != size:
        raise _HeaderError(f"it has {size} bytes; its header says {end}")
    return entries


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _entry(name: str, value: Any, data_start: int) -> Entry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise _HeaderError(f"tensor {name!r} has not the keys dtype, shape, data_offsets")
    shape, offsets = value["shape"], value["data_offsets"]
    dtype = _dtype_of(value["dtype"])
    if dtype is None:
        known = ", ".join([*_DTYPES, _BFLOAT16])
        raise _HeaderError(
            f"tensor {name!r} is of type {str(value['dtype'])[:20]!r}; known: {known}"
        )
    if not (isinstance(shape, list) and isinstance(offsets, list) and len(offsets) == 2):
        raise _HeaderError(f"tensor {name!r} has no shape and offsets")
    if len(shape) > _MAX_DIMENSIONS:
        raise _HeaderError(f"tensor {name!r} has {len(shape)} dimensions")
    if not all(map(_is_count, shape + offsets)):
        raise _HeaderError(f"tensor {name!r} has a shape or offsets that are no counts")
    start, end = offsets
    if end - start != math.prod(shape) * dtype.itemsize:
        raise _HeaderError(f"tensor {name!r} has {end - start} bytes, not as many as its shape")
    return Entry(dtype, tuple(shape), data_start + start, data_start + end)
