"""Arrays in a folder, one .npy file each: written piece by piece, mapped rather than read."""

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sstrain.data.npy_files import DAMAGES, array_at
from sstrain.data.wording import reason_of
from sstrain.errors import UserError
from sstrain.progress import bar

__all__ = ["ArrayFiles", "FileRecord", "map_array", "map_arrays", "record_of"]

#: A file's length in bytes and its SHA-256 in hexadecimal digits.
FileRecord = dict[str, Any]

_HEADER_BYTES = 128
_PIECE_BYTES = 1 << 20


def _header(dtype: np.dtype[Any], length: int) -> bytes:
    """Return the header of a .npy file (version 1.0), always of the same length."""
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False}
    text = repr({**described, "shape": (length,)}).ljust(_HEADER_BYTES - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + (_HEADER_BYTES - 10).to_bytes(2, "little") + text.encode()


class _ArrayFile:
    """A one-dimensional array that grows; its length is written when it is closed."""

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        self.path = path
        self.dtype = dtype
        self._length = 0
        self._file: BinaryIO = path.open("w+b")
        self._file.write(_header(dtype, 0))

    def append(self, array: NDArray[Any]) -> None:
        if array.dtype != self.dtype:
            raise TypeError(f"{self.path}: {array.dtype} after {self.dtype}")
        self._file.write(np.ascontiguousarray(array).data)
        self._length += len(array)

    def finish(self) -> None:
        """Write the length."""
        self._file.seek(0)
        self._file.write(_header(self.dtype, self._length))
        self.close()

    def close(self) -> None:
        self._file.close()


class ArrayFiles:
    """Writes some arrays of one dimension into a folder, each of them in pieces.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.

    Raises
    ------
    OSError
        Here and in every method, if the disk does not take it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._files: dict[str, _ArrayFile] = {}

    def append(self, name: str, array: NDArray[Any]) -> None:
        """Write a piece behind what is there."""
        if name not in self._files:
            self._files[name] = _ArrayFile(self._folder / f"{name}.npy", array.dtype)
        self._files[name].append(array)

    def finish(self) -> None:
        """Make the files whole."""
        for file in self._files.values():
            file.finish()

    def __enter__(self) -> "ArrayFiles":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._files.values():
            file.close()


def record_of(path: Path) -> FileRecord:
    """Return the record of a file as it is now.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    digest = hashlib.sha256()
    size = path.stat().st_size
    with path.open("rb") as file, bar(size, f"checking {path.name}", "B") as advance:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            advance(len(piece))
        return {"bytes": file.tell(), "sha256": digest.hexdigest()}


def map_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """Return every array of a folder by its name, mapped from its file and read-only.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read, or is none.
    """
    return {path.stem: map_array(path) for path in sorted(folder.glob("*.npy"))}


def map_array(path: Path) -> NDArray[Any]:
    """Return an array of numbers of one dimension, mapped from its file and read-only.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read, or is none.
    """
    with path.open("rb") as file:
        try:
            member = array_at(file, path.name, os.fstat(file.fileno()).st_size)
            if len(member.shape) != 1 or member.dtype.kind not in "biuf":
                raise ValueError(f"found {member.dtype} of the shape {member.shape}")
            mapped = np.memmap(file, member.dtype, "r", file.tell(), member.shape)
        except (UserError, *DAMAGES) as error:
            raise ValueError(f"{path.name}: {reason_of(error)}") from None
    return mapped.view(np.ndarray)
