"""Tensors in the safetensors format, written and read without a second copy in memory."""

import hashlib
import math
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sstrain.errors import UserError
from sstrain.training.tensor_header import Entry, make_header, read_header

__all__ = ["Blocks", "TensorSource", "digest", "open_tensors", "read_into", "write"]

#: Written, hashed and read at a time: large enough for the disk, small enough for the cache.
_CHUNK = 4 * 2**20


class Blocks(Protocol):
    """A tensor that is computed while it is written: its blocks, one after another, in C order."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The whole tensor's shape."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of every block."""

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Yield C-contiguous arrays whose elements, in a row, are the tensor's."""


TensorSource = NDArray[Any] | Blocks


def write(
    path: Path, tensors: Mapping[str, TensorSource], metadata: Mapping[str, str] | None = None
) -> str:
    """Write a safetensors file and wait until it is on the disk.

    The bytes depend on the names, shapes, types and values alone, and on ``metadata``.

    Parameters
    ----------
    path : Path
        Overwritten if it exists.
    tensors : mapping of str to array or Blocks
        float64, float32, bfloat16, int64, int32 or uint8; arrays are C-contiguous.
    metadata : mapping of str to str, optional
        Kept in the header.

    Returns
    -------
    str
        The file's SHA-256, in hexadecimal.

    Raises
    ------
    OSError
        If the file cannot be written; a part of it may be left.
    ValueError
        If a tensor's type or layout has no place in a file, or blocks do not make up the shape.
    """
    hashed = hashlib.sha256()
    with path.open("wb", buffering=0) as file:
        for chunk in _file_chunks(tensors, metadata):
            hashed.update(chunk)
            while chunk.nbytes:
                chunk = chunk[file.write(chunk) :]
        os.fsync(file.fileno())
    return hashed.hexdigest()


def digest(tensors: Mapping[str, TensorSource], metadata: Mapping[str, str] | None = None) -> str:
    """Return the SHA-256 of the file that `write` would write."""
    hashed = hashlib.sha256()
    for chunk in _file_chunks(tensors, metadata):
        hashed.update(chunk)
    return hashed.hexdigest()


def _file_chunks(
    tensors: Mapping[str, TensorSource], metadata: Mapping[str, str] | None
) -> Iterator[memoryview]:
    # Wide types first, so that every tensor is aligned whatever the lengths before it.
    tensors = dict(sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])))
    layout = {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}
    yield memoryview(make_header(layout, metadata))
    for name, tensor in tensors.items():
        yield from _tensor_chunks(name, tensor)


def _tensor_chunks(name: str, tensor: TensorSource) -> Iterator[memoryview]:
    blocks: Iterable[NDArray[Any]] = [tensor] if isinstance(tensor, np.ndarray) else tensor
    written = 0
    for block in blocks:
        if block.dtype != tensor.dtype or not block.flags.c_contiguous:
            raise ValueError(f"tensor {name!r}: expected C-contiguous blocks of {tensor.dtype}")
        content = block.reshape(-1).view(np.uint8)
        for start in range(0, len(content), _CHUNK):
            yield content[start : start + _CHUNK].data
        written += block.size
    if written != math.prod(tensor.shape):
        raise ValueError(
            f"tensor {name!r}: blocks of {written} elements for the shape {tensor.shape}"
        )


def open_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Map a file's tensors into memory, read-only; nothing is read before it is used.

    Returns
    -------
    dict of str to array
        In the order of the file.

    Raises
    ------
    UserError
        If the file cannot be read, or is not a whole safetensors file of types known here.
    """
    entries = read_header(path)
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return {
            name: np.ndarray(entry.shape, entry.dtype, content, entry.start)
            for name, entry in entries.items()
        }
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, OverflowError) as error:  # shapes that numpy cannot hold
        raise UserError(f"{path}: damaged: its header does not describe its tensors") from error


def read_into(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Copy a file's tensors into arrays that exist, without another copy in memory.

    Parameters
    ----------
    path : Path
        A safetensors file.
    arrays : mapping of str to array
        C-contiguous and writable; the names, types and shapes of the file.

    Raises
    ------
    UserError
        If the file is damaged, or holds other tensors; then no array is changed.
    """
    entries = read_header(path)
    _check_same(path, entries, arrays)
    try:
        with path.open("rb", buffering=0) as file:
            for name, entry in entries.items():
                content = arrays[name].reshape(-1).view(np.uint8)
                file.seek(entry.start)
                for start in range(0, len(content), _CHUNK):
                    chunk = content[start : start + _CHUNK]
                    if file.readinto(chunk.data) != len(chunk):
                        raise UserError(f"{path}: damaged: it ends before its tensors do")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def _check_same(
    path: Path, entries: Mapping[str, Entry], arrays: Mapping[str, NDArray[Any]]
) -> None:
    problems = [f"{path}: tensor {name!r} is missing" for name in arrays.keys() - entries.keys()]
    problems += [f"{path}: unexpected tensor {name!r}" for name in entries.keys() - arrays.keys()]
    for name in entries.keys() & arrays.keys():
        entry, array = entries[name], arrays[name]
        if (entry.dtype, entry.shape) != (array.dtype, array.shape):
            problems.append(
                f"{path}: tensor {name!r}: found {entry.dtype} {list(entry.shape)}; "
                f"expected {array.dtype} {list(array.shape)}"
            )
        elif not (array.flags.c_contiguous and array.flags.writeable):
            raise ValueError(f"array {name!r} is not C-contiguous and writable")
    if problems:
        raise UserError(*sorted(problems))
